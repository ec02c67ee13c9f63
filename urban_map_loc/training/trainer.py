# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The trainer: tiles rendered on the fly, AdamW on a cosine schedule, by minutes or by steps, resumable, in one process or several."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import TrainConfig
from urban_map_loc.errors import ConfigurationError, ModelError
from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.mapnet.criterion import CellsCriterion, criterion_for
from urban_map_loc.mapnet.network import NO_REFERENCES, MapNet
from urban_map_loc.mapnet.references import fill_references, reference_poses
from urban_map_loc.settings import to_dict
from urban_map_loc.training import state
from urban_map_loc.training.ahead import BatchesAhead
from urban_map_loc.training.averaging import WeightAverage
from urban_map_loc.training.batches import Drives, TileBatches
from urban_map_loc.training.confidence import calibrate, confidence
from urban_map_loc.training.diagnosis import cause
from urban_map_loc.training.machine import half_precision
from urban_map_loc.training.processes import ALONE, Processes, share_batch_statistics
from urban_map_loc.training.schedule import learning_rate, spent
from urban_map_loc.training.validation import validate
from urban_map_loc.training.warm_start import take_weights


def start_in_words(start: Checkpoint | None) -> str:
    """What a training begins with, as its summary says it."""
    return f"the weights of area {start.area_hash[:12]}" if start else "random weights"


@dataclass(frozen=True)
class Step:
    """What one optimizer step reports; the same in all processes.

    Attributes:
        loss: mean over the batch.
        gradient_norm: before it was clipped.
        learning_rate: of this step.
        recall: share of the tiles that recognised their own view of the map; NaN for heads that compare nothing.
        interrupted: some process was asked to stop.
    """

    loss: float
    gradient_norm: float
    learning_rate: float
    recall: float = math.nan
    interrupted: bool = False


class Trainer:
    """One training run: `step` until `fraction` is 1, then `checkpoint`."""

    def __init__(
        self,
        area: AreaMap,
        config: TrainConfig,
        device: torch.device,
        cache: Path | None = None,
        processes: Processes = ALONE,
        start: Checkpoint | None = None,
    ) -> None:
        """`cache`: folder for the area's rasters, see `BuildingRaster.from_area`. `start`: a model whose weights to begin with.

        Raises:
            ConfigurationError: both minutes and steps, or neither without a `start`.
            AreaError: no drivable road.
            ModelError: `start` has another network.
        """
        budgets = (config.training.minutes > 0.0) + (config.training.steps > 0)
        if budgets == 2:
            raise ConfigurationError("give either minutes or steps of training, not both")
        if budgets == 0 and start is None:
            raise ConfigurationError("no weights fit this network to begin with; give it minutes or steps to learn, 10 minutes at least")
        torch.manual_seed(config.seed)
        self.area, self.config, self.device, self.processes = area, config, device, processes
        self.batches = TileBatches(area, config, cache)
        self.cells = self.batches.cells
        references = reference_poses(area, config.network, self.cells) if config.network.head == "cells" else NO_REFERENCES
        self.network = MapNet(config.network, config.tile, self.cells.centres, references)
        self.start = start_in_words(start)
        if start:
            take_weights(self.network, start)
        self.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = WeightAverage(self.network, config.training.average_decay)
        if processes.count > 1:
            share_batch_statistics(self.network)
        self.criterion = criterion_for(self.network, config.criterion).to(device)
        self.parameters = [p for p in (*self.network.parameters(), *self.criterion.parameters()) if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=config.training.learning_rate, weight_decay=config.training.weight_decay, fused=True
        )
        self.steps = 0
        self.seconds = 0.0
        self._began: float | None = None
        self._ahead = BatchesAhead(self._share) if device.type == "cuda" else None

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        training = self.config.training
        if not training.steps and not training.minutes:
            return 1.0
        return spent(self.steps, self.seconds, training.steps, training.minutes)

    def step(self, interrupted: bool = False) -> Step:
        """One optimizer step on the batch of all processes; `interrupted` is told to all of them.

        Raises:
            ModelError: the loss or its gradient is not finite.
        """
        if self._began is None:
            self._began = time.perf_counter() - self.seconds
        training = self.config.training
        rate = learning_rate(training.learning_rate, training.warmup_steps, self.steps, self.fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = (self._share if self._ahead is None else self._ahead)(self.steps).to(self.device)
        value = float(self._backward(batch).detach())
        clock = time.perf_counter() - self._began if self.processes.rank == 0 else 0.0
        recall = self.criterion.recall / self.processes.count if isinstance(self.criterion, CellsCriterion) else math.nan
        figures = [value, clock, recall, float(interrupted)]
        loss, seconds, recall, stops = self.processes.sum_gradients(self.parameters, figures)
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, training.gradient_clip))
        if not math.isfinite(loss + norm):
            raise ModelError(
                f"the loss is {loss} and its gradient {norm} at step {self.steps}, learning rate {rate:.2g}: "
                f"{cause(self.network, self.criterion, batch)}; "
                f"train again with --set training.learning_rate={training.learning_rate / 2:g}"
            )
        self.optimizer.step()
        self.steps += 1
        self.seconds = seconds
        self.average.update(self.network, self.steps)
        return Step(loss, norm, rate, recall, stops > 0.0)

    def _share(self, step: int) -> Batch:
        """What this process sees of a step's batch."""
        return self.batches.share(self.config.seed, step, self.processes.rank, self.processes.count)

    def _backward(self, batch: Batch) -> Tensor:
        """The loss of this process's share, whose sum over all processes is the batch's; leaves its gradients."""
        # Dropout of a step depends on the step alone, so that a resumed training drops the same.
        torch.manual_seed(int(np.random.default_rng((self.config.seed, self.steps, self.processes.rank)).integers(2**63)))
        self.network.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half_precision(self.device)):
            feature = self.network.feature(batch.images)
        loss: Tensor = self.criterion(self.network.head, feature.float(), batch) / self.processes.count
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        return loss

    def validate(self) -> dict[str, float]:
        """What the average network reaches on some tiles of drives that are never trained on."""
        self._settle()
        fill_references(self.average.network, self.batches.renderer)
        return validate(self.average.network, self._drives(Drives.VALIDATION, self.config.training.quick_validation_tiles))

    def checkpoint(self) -> Checkpoint:
        """The average network, calibrated on drives that are never trained on, with what it reaches on others."""
        self._settle()
        network, count = self.average.network, self.config.training.validation_tiles
        fill_references(network, self.batches.renderer)
        calibrate(network, self._drives(Drives.CALIBRATION, count))
        held_out = self._drives(Drives.VALIDATION, count)
        summary: dict[str, Any] = {
            "steps": self.steps,
            "tiles": self.steps * self.batches.tiles_per_step,
            "minutes": round(self.seconds / 60.0, 2),
            "start": self.start,
            "cells": len(self.cells),
            "validation": validate(network, held_out),
            "confidence": confidence(network, held_out),
        }
        return Checkpoint(network, self.config, self.area.datum, self.area.content_hash, summary)

    def _settle(self) -> None:
        if self._ahead is not None:
            self._ahead.settle()

    def _drives(self, whose: Drives, tiles: int) -> Batch:
        return self.batches.drives(whose, tiles).to(self.device)

    @property
    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"network": self.network, "average": self.average.network, "criterion": self.criterion}

    @property
    def _identity(self) -> str:
        return json.dumps([to_dict(self.config), self.area.content_hash], sort_keys=True)

    def save_state(self, path: Path) -> None:
        """Everything that `load_state` needs to go on."""
        metadata = {"identity": self._identity, "steps": str(self.steps), "seconds": str(self.seconds)}
        state.save_state(path, self._modules, self.optimizer, metadata)

    def load_state(self, path: Path) -> None:
        """Go on where `save_state` left off.

        Raises:
            ModelError: the file is missing, damaged, or of another area or configuration.
        """
        metadata = state.load_state(path, self._modules, self.optimizer, self._identity)
        try:
            self.steps, self.seconds = int(metadata["steps"]), float(metadata["seconds"])
        except (KeyError, ValueError) as error:
            raise ModelError(f"{path} is damaged ({type(error).__name__}: {error}); drop --resume to begin anew") from error
