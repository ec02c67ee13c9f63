# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A whole training: from an area to a model file, through interruptions."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import TrainConfig
from urban_map_loc.mapnet.checkpoint import Checkpoint, save_checkpoint
from urban_map_loc.mapnet.inference import choose_device
from urban_map_loc.output import require_writable
from urban_map_loc.training.curves import Curves, curves
from urban_map_loc.training.interruption import Interruption
from urban_map_loc.training.machine import prepare
from urban_map_loc.training.processes import joined
from urban_map_loc.training.state import resume_path
from urban_map_loc.training.trainer import Step, Trainer

Progress = Callable[[float, dict[str, float]], None]

# Tiles a second are a mean over so many steps.
RECENT_STEPS = 20


def train(
    area: AreaMap,
    config: TrainConfig,
    out: Path,
    *,
    device: str = "auto",
    resume: bool = False,
    progress: Progress | None = None,
    cache: Path | None = None,
    logs: Path | None = None,
    start: Checkpoint | None = None,
) -> dict[str, Any]:
    """Train MapNet on an area and write the checkpoint `out`; returns the training summary.

    Where `torchrun` started several processes they train together; the first one writes, the others return an empty summary.

    Args:
        device: auto, cpu or cuda.
        resume: go on with an interrupted training of the same area and settings.
        progress: called after every step with the share done and figures: loss, tiles_per_s, steps, recall of the batch where the
            head tells it, and what the last validation reached.
        cache: folder for the area's rasters, see `BuildingRaster.from_area`.
        logs: folder for TensorBoard's curves.
        start: a model, of any area, whose weights to begin with; no minutes and no steps then only describe the map with them.

    Raises:
        ConfigurationError, AreaError, ModelError, OutputError: in one line each.
        KeyboardInterrupt: after the state was saved, saying how to go on.
    """
    with joined(choose_device(device)) as (processes, own_device):
        prepare(own_device, processes)
        first = processes.rank == 0
        if first:
            require_writable(out)
        trainer = Trainer(area, config, own_device, cache, processes, start)
        state = resume_path(out)
        if resume and state.exists():
            trainer.load_state(state)
        processes.require_same(trainer.steps)
        with Interruption() as interruption, curves(logs if first else None, trainer.steps) as write:
            keeper = _Keeper(trainer, state, write, progress)
            while trainer.fraction < 1.0:
                step = trainer.step(interruption.requested)
                if first:
                    keeper.after(step)
                if step.interrupted:
                    raise KeyboardInterrupt(f"after {trainer.steps} steps; the same command with --resume goes on from there")
            return keeper.finish(out) if first else {}


class _Keeper:
    """What the first process does between steps: report, draw curves, validate, save the state."""

    def __init__(self, trainer: Trainer, state: Path, write: Curves, progress: Progress | None) -> None:
        self.trainer, self.state, self.write, self.progress = trainer, state, write, progress
        self._saved = self._validated = time.monotonic()
        self._pause_s = trainer.config.training.validation_seconds
        self._reached: dict[str, float] = {}
        self._ends = deque([time.monotonic()], maxlen=RECENT_STEPS + 1)

    def after(self, step: Step) -> None:
        """Whatever is due after a step."""
        trainer, training = self.trainer, self.trainer.config.training
        now = time.monotonic()
        self._ends.append(now)
        rate = (len(self._ends) - 1) * trainer.batches.tiles_per_step / max(now - self._ends[0], 1e-9)
        figures = {"loss": step.loss, "tiles_per_s": rate}
        if math.isfinite(step.recall):
            figures["recall"] = step.recall
        self.write(
            {f"training/{name}": value for name, value in figures.items()}
            | {"training/learning_rate": step.learning_rate, "training/gradient_norm": step.gradient_norm},
            trainer.steps,
        )
        if now - self._validated > self._pause_s and trainer.fraction < 1.0:
            self._validate(now)
        if step.interrupted or now - self._saved > training.checkpoint_seconds:
            trainer.save_state(self.state)
            self._saved = time.monotonic()
        if self.progress:
            self.progress(trainer.fraction, {"steps": trainer.steps, **figures, **self._reached})

    def _validate(self, began: float) -> None:
        """Validate, and let training go on for so long that this stays within its share of the time."""
        training = self.trainer.config.training
        self._reached = self.trainer.validate()
        self.write({f"validation/{name}": value for name, value in self._reached.items()}, self.trainer.steps)
        self._validated = time.monotonic()
        self._pause_s = max(training.validation_seconds, (self._validated - began) / training.validation_share)
        self._ends.clear()
        self._ends.append(self._validated)

    def finish(self, out: Path) -> dict[str, Any]:
        """Validate in full and write the model; the summary. Interrupted while it validates, it can be finished with `--resume`."""
        self.trainer.save_state(self.state)
        checkpoint = self.trainer.checkpoint()
        self.write({f"validation/{name}": value for name, value in checkpoint.summary["validation"].items()}, self.trainer.steps)
        save_checkpoint(checkpoint, out)
        self.state.unlink(missing_ok=True)
        return checkpoint.summary
