# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The project's own MapNet among the systems: trained here with the same budget as the others, or as it comes with the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from urban_map_loc.baselines.learning import learn
from urban_map_loc.baselines.system import Budget, Progress, Query, SharedGround, System, ranked_hypotheses
from urban_map_loc.config import AdaptConfig, LocalizerConfig, TrainConfig
from urban_map_loc.config.variants import chosen
from urban_map_loc.errors import BagError, ModelError
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.mapnet.checkpoint import REFERENCES, Checkpoint
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.inference import Inference
from urban_map_loc.mapnet.network import NO_REFERENCES, MapNet
from urban_map_loc.mapnet.packaged import packaged_weights
from urban_map_loc.mapnet.references import fill_references, reference_poses
from urban_map_loc.training.adapt import Adapter
from urban_map_loc.training.drive_tiles import DriveTiles
from urban_map_loc.training.machine import prepare
from urban_map_loc.training.processes import ALONE
from urban_map_loc.training.trainer import Trainer
from urban_map_loc.training.warm_start import take_weights

PAPER = "Brahmbhatt et al., Geometry-Aware Learning of Maps for Camera Localization, CVPR 2018"


class MapNetCells(System):
    """MapNet's trunk with position cells, from random weights."""

    name = "MapNet cells"
    source = f"this project's default, after {PAPER}"
    learns = True

    def __init__(self, ground: SharedGround) -> None:
        super().__init__(ground)
        self.config = self._configured(replace(ground.config, seed=ground.seed))
        cells = ground.batches.cells
        references = reference_poses(ground.area, self.config.network, cells) if self.config.network.head == "cells" else NO_REFERENCES
        self.network = MapNet(self.config.network, self.config.tile, cells.centres, references).to(ground.device)
        self._inference: Inference | None = None

    def _configured(self, config: TrainConfig) -> TrainConfig:
        """What this member of the family changes in the settings."""
        return config

    def train(self, budget: Budget, state: Path, progress: Progress) -> None:
        """As `urban_map_loc train --start none`, without its validations."""
        ground = self.ground
        training = replace(self.config.training, minutes=budget.minutes, steps=budget.steps)
        prepare(ground.device, ALONE)
        trainer = Trainer(ground.area, replace(self.config, training=training), ground.device, ground.cache)
        learn(trainer, state, training.checkpoint_seconds, progress)
        self.network, self.steps = trainer.average.network, trainer.steps

    def index(self, progress: Progress) -> None:
        """What the network makes of the map's views."""
        fill_references(self.network, self.ground.batches.renderer)
        self._inference = None

    def guesses(self, query: Query, count: int) -> Hypotheses:
        """As the localizer asks."""
        if self._inference is None:
            self._inference = Inference(self.network, self.ground.device)
        return self._inference.hypotheses(query.tile, count)

    def tensors(self) -> dict[str, Tensor]:
        """The network's state, the map's views as model files keep them."""
        state = self.network.state_dict()
        return {name: t.half() if name == REFERENCES else t for name, t in state.items()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """See `System`."""
        self.network.load_state_dict(tensors)
        self.network.eval()
        self._inference = None


class MapNetRegression(MapNetCells):
    """Position and heading regressed, with the relative term of MapNet's paper."""

    name = "MapNet regression"
    source = PAPER

    def _configured(self, config: TrainConfig) -> TrainConfig:
        return chosen(config, "network.head", "regression")


class MapNetPlus(MapNetRegression):
    """MapNet regression that goes on learning from the very drives it is asked about, with odometry and without their poses."""

    name = "MapNet+"
    learns_from_drives = True

    def train(self, budget: Budget, state: Path, progress: Progress) -> None:
        """The larger part of the budget on tiles from the map, the rest on the drives; `state` keeps the first part only.

        Raises:
            BagError: there is no drive.
        """
        if not self.ground.drives:
            raise BagError(f"{self.name} learns from a drive with odometry, and none is given")
        share = self.ground.settings.mapnet_plus.drive_share
        first = Budget(budget.minutes * (1.0 - share), max(1, round(budget.steps * (1.0 - share))) if budget.steps else 0)
        super().train(first, state, lambda done, words: progress(done * (1.0 - share), words))
        area = self.ground.area
        model = Checkpoint(self.network, self.config, area.datum, area.content_hash, {})
        steps = max(1, budget.steps - first.steps) if budget.steps else 0
        config = AdaptConfig(minutes=budget.minutes * share, steps=steps, seed=self.ground.seed)
        self.network.requires_grad_(True)
        adapter = Adapter(model, area, joined(self.ground.drives), config, self.ground.device, self.ground.cache)
        while adapter.fraction < 1.0:
            absolute, relative = adapter.step()
            progress(1.0 - share * (1.0 - adapter.fraction), f"loss {absolute:.2f} + {relative:.2f}")
        self.steps += adapter.steps


class PackagedMapNet(MapNetCells):
    """The weights that come with the package; of the area's map they only describe the views."""

    name = "MapNet cells, packaged"
    source = "this project as it comes: trained on generated towns, not on the area"
    learns = False
    draws = False

    def index(self, progress: Progress) -> None:
        """Describe the map with the packaged weights.

        Raises:
            ModelError: they are of another network than the settings'.
        """
        take_weights(self.network, packaged_weights())
        super().index(progress)


class VerifiedMapNet(PackagedMapNet):
    """The project's whole answer to a single scan: the packaged MapNet's best cells, checked against the map."""

    name = "MapNet cells, packaged, and map check"
    source = "this project's single-scan answer; no odometry"

    def __init__(self, ground: SharedGround) -> None:
        super().__init__(ground)
        self._verifier = Verifier(ground.area, ground.batches.renderer.raster, LocalizerConfig().verification)

    def guesses(self, query: Query, count: int) -> Hypotheses:
        """As the localizer answers one scan."""
        hypotheses = super().guesses(query, self._verifier.config.cells)
        found = self._verifier.answers(query.points, hypotheses)
        poses = np.array([answer.T_map_base.as_array() for answer in found]).reshape(-1, 3)
        # Verification ranks by more than the agreement it reports: its order stands.
        return ranked_hypotheses(poses, -np.arange(len(poses), dtype=np.float64), count, self.ground.settings)


def joined(drives: Sequence[DriveTiles]) -> DriveTiles:
    """Several drives one after the other; a stretch never goes from one into the next.

    Raises:
        ModelError: their tiles are of different sizes.
    """
    if len({drive.tiles.shape[1:] for drive in drives}) > 1:
        raise ModelError("the drives' tiles differ in size; draw them with one tile configuration")
    metres, ends, offset = [], [], 0.0
    for drive in drives:
        metres.append(drive.metres + offset)
        ends.append(drive.part_end + offset)
        offset = float(ends[-1][-1]) + 1.0
    tiles, poses = (np.concatenate([getattr(d, n) for d in drives]) for n in ("tiles", "T_odom_base"))
    return DriveTiles(tiles, poses, np.concatenate(metres), np.concatenate(ends))
