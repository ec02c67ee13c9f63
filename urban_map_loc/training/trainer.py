"""The trainer: tiles rendered on the fly, AdamW on a cosine schedule, by minutes or by steps, resumable."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import TrainConfig
from urban_map_loc.errors import ConfigurationError, ModelError
from urban_map_loc.mapnet.checkpoint import Checkpoint, read_tensors, save_checkpoint
from urban_map_loc.mapnet.criterion import criterion_for
from urban_map_loc.mapnet.network import NO_REFERENCES, MapNet
from urban_map_loc.mapnet.references import fill_references, reference_poses
from urban_map_loc.output import final_file, require_writable
from urban_map_loc.settings import to_dict
from urban_map_loc.training.batches import TileBatches
from urban_map_loc.training.validation import validate

Progress = Callable[[float, dict[str, float]], None]

# Seeds of the validation tiles: far from those of training, which count steps from zero.
VALIDATION_SEED = 2**31 - 17


class Trainer:
    """One training run: `step` until `fraction` is 1, then `checkpoint`."""

    def __init__(self, area: AreaMap, config: TrainConfig, device: torch.device, cache: Path | None = None) -> None:
        if (config.training.minutes > 0.0) == (config.training.steps > 0):
            raise ConfigurationError("give either minutes or steps of training, not both and not neither")
        torch.manual_seed(config.seed)
        self.area, self.config, self.device = area, config, device
        self.batches = TileBatches(area, config, cache)
        self.cells = self.batches.cells
        references = reference_poses(area, config.network, self.cells) if config.network.head == "cells" else NO_REFERENCES
        self.network = MapNet(config.network, config.tile, self.cells.centres, references).to(device)
        self.criterion = criterion_for(self.network, config.criterion).to(device)
        self.parameters = [*self.network.parameters(), *self.criterion.parameters()]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=config.training.learning_rate, weight_decay=config.training.weight_decay, fused=True
        )
        self.steps = 0
        self.seconds = 0.0

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent, 0 to 1."""
        training = self.config.training
        spent = self.steps / training.steps if training.steps else self.seconds / (60.0 * training.minutes)
        return min(spent, 1.0)

    def step(self) -> float:
        """One optimizer step; returns the loss.

        Raises:
            ModelError: the loss is not finite.
        """
        started = time.perf_counter()
        training = self.config.training
        warmup = min(1.0, (self.steps + 1) / max(training.warmup_steps, 1))
        rate = training.learning_rate * warmup * 0.5 * (1.0 + math.cos(math.pi * self.fraction))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = self.batches.draw((self.config.seed, self.steps), training.batch_size).to(self.device)
        self.network.train()
        loss: Tensor = self.criterion(self.network.head, self.network.feature(batch.images), batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, training.gradient_clip)
        self.optimizer.step()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ModelError(f"the loss is {value} at step {self.steps}; lower the learning rate (now {training.learning_rate})")
        self.steps += 1
        self.seconds += time.perf_counter() - started
        return value

    def checkpoint(self) -> Checkpoint:
        """The network with what it reaches on validation tiles."""
        fill_references(self.network, self.batches.renderer)
        count = self.config.training.validation_tiles
        batch = self.batches.draw((self.config.seed, VALIDATION_SEED), count).to(self.device)
        summary: dict[str, Any] = {
            "steps": self.steps,
            "tiles": self.steps * self.config.training.batch_size,
            "minutes": round(self.seconds / 60.0, 2),
            "cells": len(self.cells),
            "validation": validate(self.network, batch),
        }
        return Checkpoint(self.network, self.config, self.area.datum, self.area.content_hash, summary)

    def _identity(self) -> str:
        return json.dumps([to_dict(self.config), self.area.content_hash], sort_keys=True)

    def save_state(self, path: Path) -> None:
        """Everything that `load_state` needs to go on: weights, optimizer moments, counters."""
        tensors = {f"network.{n}": t.contiguous() for n, t in self.network.state_dict().items()}
        tensors |= {f"criterion.{n}": t for n, t in self.criterion.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor.contiguous() for name, tensor in state.items()}
        metadata = {"identity": self._identity(), "steps": str(self.steps), "seconds": str(self.seconds)}
        with final_file(path) as partial:
            partial.write_bytes(save(tensors, metadata))

    def load_state(self, path: Path) -> None:
        """Go on where `save_state` left off.

        Raises:
            ModelError: the file is missing, damaged, or of another area or configuration.
        """
        tensors, metadata = read_tensors(path)
        if metadata.get("identity") != self._identity():
            raise ModelError(f"{path} is of another area or other settings; repeat the settings it was started with, or drop --resume")

        def part(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}

        self.network.load_state_dict(part("network."))
        self.criterion.load_state_dict(part("criterion."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in part("optimizer.").items():
            index, _, key = name.partition(".")
            state.setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self.steps, self.seconds = int(metadata["steps"]), float(metadata["seconds"])


def resume_path(out: Path) -> Path:
    """Where an unfinished training keeps its state, beside the model to be."""
    return out.with_name(out.name + ".resume")


def train(
    area: AreaMap,
    config: TrainConfig,
    out: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> dict[str, Any]:
    """Train MapNet on an area and write the checkpoint `out`; returns the training summary.

    Args:
        device: auto, cpu or cuda.
        resume: go on with an interrupted training of the same area and settings.
        progress: called after every step with the share done and figures (loss, tiles/s, steps).
        cache: folder for the area's rasters, see `BuildingRaster.from_area`.

    Raises:
        ConfigurationError, AreaError, ModelError, OutputError: in one line each.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device cuda was asked for, but this PyTorch sees no GPU; use --device auto or cpu")
    require_writable(out)
    trainer = Trainer(area, config, torch.device(name), cache)
    state = resume_path(out)
    if resume and state.exists():
        trainer.load_state(state)
    saved = time.monotonic()
    while trainer.fraction < 1.0:
        loss = trainer.step()
        if progress:
            rate = trainer.steps * config.training.batch_size / max(trainer.seconds, 1e-9)
            progress(trainer.fraction, {"loss": loss, "tiles_per_s": rate, "steps": trainer.steps})
        if time.monotonic() - saved > config.training.checkpoint_seconds:
            trainer.save_state(state)
            saved = time.monotonic()
    checkpoint = trainer.checkpoint()
    save_checkpoint(checkpoint, out)
    state.unlink(missing_ok=True)
    return checkpoint.summary
