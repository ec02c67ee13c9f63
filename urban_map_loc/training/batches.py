"""TileBatches: poses drawn on the roads, with the tiles that a car would see there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import TrainConfig
from urban_map_loc.errors import AreaError
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.mapnet.cells import PositionCells, drivable_cells
from urban_map_loc.tile.from_map import MapRenderer
from urban_map_loc.training.sampler import RoadSampler


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
        self.effects, self.network = config.effects, config.network
        self.reference_jitter_m = config.training.reference_jitter_m
        self.cells = PositionCells(centres, config.network.cell_size_m)
        self.sampler = RoadSampler(area, config.sampler, self.cells)
        roads = RoadRaster.from_area(area, config.raster, config.roads, cache) if config.tile.planes > 1 else None
        self.renderer = MapRenderer(BuildingRaster.from_area(area, config.raster, cache), config.tile, roads)

    def draw(self, seed: tuple[int, ...], count: int) -> Batch:
        """`count` tiles, rounded down to whole stretches of a drive; the same seed and count give the same batch."""
        random = np.random.default_rng(seed)
        poses = self.sampler.draw(count, random)
        length = self.sampler.config.tuple_length
        tiles = self.renderer.tiles(poses, self.effects, int(random.integers(2**31)), stretch=length)
        reference_poses = self._reference_poses(poses, random)
        references = self.renderer.tiles(reference_poses)
        return Batch(
            torch.from_numpy(tiles),
            torch.from_numpy(poses).float(),
            torch.from_numpy(self.cells.of(poses[:, :2])),
            torch.from_numpy(references),
            torch.from_numpy(reference_poses).float(),
            length,
        )

    def _reference_poses(self, poses: FloatArray, random: np.random.Generator) -> FloatArray:
        """As far from the poses as the area's references lie, and heading anywhere if views are compared in all headings."""
        network = self.network
        if network.head != "cells":
            return np.zeros((0, 3))
        near = poses.copy()
        near[:, :2] += random.normal(0.0, self.reference_jitter_m, (len(poses), 2))
        spread = self.sampler.config.heading_rad
        near[:, 2] += random.uniform(-np.pi, np.pi, len(poses)) if network.headings_in_view > 1 else random.normal(0.0, spread, len(poses))
        return near
