# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Adapting: a trained model learns on from a drive with odometry and no known pose, as MapNet+ (Brahmbhatt et al. 2018, section 3.3).

The absolute term holds on tiles from the map, the relative term on tiles of the drive.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import AdaptConfig
from urban_map_loc.errors import ConfigurationError, ModelError
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.mapnet.criterion import criterion_for
from urban_map_loc.mapnet.references import fill_references
from urban_map_loc.training.batches import Drives, TileBatches
from urban_map_loc.training.confidence import calibrate, confidence
from urban_map_loc.training.drive_tiles import DriveTiles
from urban_map_loc.training.schedule import learning_rate, spent
from urban_map_loc.training.validation import validate


class Adapter:
    """Adapts a checkpoint's network: `step` until `fraction` is 1, then `checkpoint`."""

    def __init__(
        self, model: Checkpoint, area: AreaMap, drive: DriveTiles, config: AdaptConfig, device: torch.device, cache: Path | None = None
    ) -> None:
        """`cache`: folder for the area's rasters, see `BuildingRaster.from_area`.

        Raises:
            ConfigurationError: both or neither of minutes and steps.
            ModelError: the model is of another area.
        """
        if (config.minutes > 0.0) == (config.steps > 0):
            raise ConfigurationError("give either minutes or steps of adapting, not both and not neither")
        model.check_area(area, "the area")
        torch.manual_seed(config.seed)
        self.model, self.drive, self.config, self.device = model, drive, config, device
        self.batches = TileBatches(area, model.config, cache)
        self.network = model.network.to(device)
        self.criterion: Any = criterion_for(self.network, model.config.criterion).to(device)  # takes its own kind of head
        self.parameters = [*self.network.parameters(), *self.criterion.parameters()]
        groups = [
            {"params": list(self.network.parameters()), "peak": config.learning_rate, "weight_decay": model.config.training.weight_decay},
            {"params": list(self.criterion.parameters()), "peak": config.scale_learning_rate, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups)
        self.steps, self.seconds = 0, 0.0

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        return spent(self.steps, self.seconds, self.config.steps, self.config.minutes)

    def step(self) -> tuple[float, float]:
        """One optimizer step; the absolute loss on map tiles and the relative one on the drive (0 without drive tiles).

        Raises:
            ModelError: the loss is not finite.
        """
        started, config = time.perf_counter(), self.config
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(group["peak"], config.warmup_steps, self.steps, self.fraction)
        seed = (Drives.ADAPTATION, config.seed, self.steps)
        batch = self.batches.draw(seed, config.map_tiles).to(self.device)
        tiles, poses = batch.images, torch.zeros((0, 3), device=self.device)
        if config.drive_tiles:
            seen, poses = self.drive.draw(config, np.random.default_rng(seed))
            tiles, poses = torch.cat([tiles, seen.to(self.device)]), poses.to(self.device)
        if self.steps % config.reference_steps == 0:
            fill_references(self.network, self.batches.renderer)
        self.network.eval()  # batch norms keep their statistics: references are described by them, and half of a batch is not of the map
        feature = self.network.feature(tiles)
        head, known = self.network.head, len(batch.images)
        absolute: Tensor = self.criterion(head, feature[:known], batch)
        relative: Tensor = torch.zeros(())
        if config.drive_tiles:
            relative = self.criterion.relative(head, feature[known:], poses, config.tuple_length)
        loss = absolute + config.relative_weight * relative
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.model.config.training.gradient_clip)
        self.optimizer.step()
        if not math.isfinite(float(loss.detach())):
            raise ModelError(f"the loss is not finite at step {self.steps}; lower the learning rate (now {config.learning_rate})")
        self.steps += 1
        self.seconds += time.perf_counter() - started
        return float(absolute.detach()), float(relative.detach())

    def checkpoint(self) -> Checkpoint:
        """The adapted network, calibrated anew; the summary says with what it was adapted, and what it reaches on tiles from the map."""
        fill_references(self.network, self.batches.renderer)
        count = self.model.config.training.validation_tiles
        calibrate(self.network, self.batches.drives(Drives.CALIBRATION, count).to(self.device))
        held_out = self.batches.drives(Drives.VALIDATION, count).to(self.device)
        adapted = {**asdict(self.config), "steps": self.steps, "minutes": round(self.seconds / 60.0, 2), "keyframes": len(self.drive)}
        reached = {"validation": validate(self.network, held_out), "confidence": confidence(self.network, held_out)}
        summary = self.model.summary | reached | {"adapted": adapted}
        return Checkpoint(self.network, self.model.config, self.model.datum, self.model.area_hash, summary)
