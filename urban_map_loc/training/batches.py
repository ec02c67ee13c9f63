# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""TileBatches: poses drawn on the roads, with the tiles that a car would see there."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from enum import IntEnum
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import MapNetConfig, ScanEffectsConfig, TrainConfig
from urban_map_loc.errors import AreaError, ConfigurationError
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.mapnet.cells import PositionCells, drivable_cells
from urban_map_loc.tile.from_map import NO_EFFECTS, MapRenderer
from urban_map_loc.tile.scene import EVERY_TILE
from urban_map_loc.training.sampler import RoadSampler


class Drives(IntEnum):
    """Whose drives: the first number of every seed, so that no tile of one is ever drawn for another."""

    TRAINING = 0
    VALIDATION = 1
    CALIBRATION = 2
    ADAPTATION = 3


class TileBatches:
    """Draws batches from an area; what is drawn depends on the seed alone."""

    def __init__(self, area: AreaMap, config: TrainConfig, cache: Path | None = None) -> None:
        """`cache`: folder for the area's rasters, see `BuildingRaster.from_area`.

        Raises:
            AreaError: no drivable road.
        """
        centres = drivable_cells(area, config.network)
        if len(centres) == 0:
            raise AreaError("the area has no drivable road to train on; build it from an extract that contains roads")
        self.effects, self.network, self.training = config.effects, config.network, config.training
        self.cells = PositionCells(centres, config.network.cell_size_m)
        self.sampler = RoadSampler(area, config.sampler, self.cells)
        whole_drives = replace(
            config.sampler, tuple_length=self.training.drive_tiles, tuple_spacing_m=self.training.drive_spacing_m, any_heading=0.0
        )
        self._drives = RoadSampler(area, whole_drives, self.cells)
        roads = RoadRaster.from_area(area, config.raster, config.roads, cache) if config.tile.planes > 1 else None
        raster = BuildingRaster.from_area(area, config.raster, cache)
        self.renderer = MapRenderer(raster, config.tile, roads)

    def comparing(self, network: MapNetConfig) -> TileBatches:
        """The same tiles, with the references that another network compares them with."""
        other = copy(self)
        other.network = network
        return other

    def draw(self, seed: tuple[int, ...], count: int) -> Batch:
        """`count` tiles, rounded down to whole stretches of a drive; the same seed and count give the same batch."""
        return self._draw(self.sampler, seed, count, EVERY_TILE)

    def drives(self, whose: Drives, count: int) -> Batch:
        """`count` tiles of whole drives along roads, rounded down to whole drives, but at least one; training's seed changes nothing."""
        return self._draw(self._drives, (whose, 0), count, EVERY_TILE)

    @property
    def tiles_per_step(self) -> int:
        """Tiles of a training step: the batch size, rounded down to whole stretches of a drive."""
        length = self.sampler.config.tuple_length
        return max(1, self.training.batch_size // length) * length

    def share(self, seed: int, step: int, rank: int, processes: int) -> Batch:
        """What one of the processes sees of a training step's batch; together they see what one process alone would.

        Raises:
            ConfigurationError: the batch cannot be shared equally.
        """
        stretches = self.tiles_per_step // self.sampler.config.tuple_length
        if stretches % processes:
            raise ConfigurationError(
                f"{processes} processes cannot share the {stretches} stretches of a batch equally; "
                "choose a training.batch_size that is a multiple of processes and sampler.tuple_length"
            )
        own = self.tiles_per_step // processes
        return self._draw(self.sampler, (Drives.TRAINING, seed, step), self.tiles_per_step, slice(rank * own, (rank + 1) * own))

    def _draw(self, sampler: RoadSampler, seed: tuple[int, ...], count: int, part: slice) -> Batch:
        random = np.random.default_rng(seed)
        poses = sampler.draw(count, random)
        length = sampler.config.tuple_length
        tiles = self.tiles(poses, self.effects, int(random.integers(2**31)), length, part)
        reference_poses = self._reference_poses(poses, random)[part]
        references = self.tiles(reference_poses)
        poses = poses[part]
        return Batch(
            tiles,
            torch.from_numpy(poses).float(),
            torch.from_numpy(self.cells.of(poses[:, :2])),
            references,
            torch.from_numpy(reference_poses).float(),
            length,
        )

    def tiles(
        self, poses: FloatArray, effects: ScanEffectsConfig = NO_EFFECTS, seed: int = 0, stretch: int = 1, part: slice = EVERY_TILE
    ) -> Tensor:
        """Tiles as `MapRenderer.tiles` makes them."""
        return torch.from_numpy(self.renderer.tiles(poses, effects, seed, stretch=stretch, part=part))

    def _reference_poses(self, poses: FloatArray, random: np.random.Generator) -> FloatArray:
        """As far from the poses as the area's references lie, and heading anywhere if views are compared in all headings."""
        network = self.network
        if network.head != "cells":
            return np.zeros((0, 3))
        near = poses.copy()
        near[:, :2] += random.normal(0.0, self.training.reference_jitter_m, (len(poses), 2))
        spread = self.sampler.config.heading_rad
        near[:, 2] += random.uniform(-np.pi, np.pi, len(poses)) if network.headings_in_view > 1 else random.normal(0.0, spread, len(poses))
        return near
