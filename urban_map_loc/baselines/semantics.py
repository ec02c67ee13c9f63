# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What an area is at each pixel of a tile: the labels of VLocNet's semantic branch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from urban_map_loc.area.raster import NO_BUILDING, BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import TileConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.tile.grid import TileGrid

FREE, ROAD, BUILDING = 0, 1, 2
CLASSES = 3


class AreaSemantics:
    """Looks up the map under the pixels of a tile, whether a car sees them or not."""

    def __init__(self, buildings: BuildingRaster, roads: RoadRaster, tile: TileConfig, coarser: int) -> None:
        """`coarser`: so many pixels of the tile, along each side, are one of the labels'."""
        self.size_px = tile.size_px // coarser
        self.origin, self.step = buildings.origin, buildings.resolution_m
        # Beyond the rasters is nothing.
        self.classes = np.pad(np.where(buildings.building != NO_BUILDING, BUILDING, roads.surface * ROAD).astype(np.int64), 1)
        grid = TileGrid(replace(tile, size_px=self.size_px, resolution_m=tile.resolution_m * coarser))
        row, column = np.indices((self.size_px, self.size_px))
        self.pixels = grid.centres(row.ravel(), column.ravel())

    def labels(self, poses: FloatArray) -> Tensor:
        """Classes `(N, S', S')` int64 at the pixels' centres, from poses `(N, 3)` in `map`."""
        cos, sin = np.cos(poses[:, 2:]), np.sin(poses[:, 2:])
        x, y = self.pixels.T
        east, north = poses[:, :1] + cos * x - sin * y, poses[:, 1:2] + sin * x + cos * y
        column = np.rint((east - self.origin[0]) / self.step).astype(np.int64) + 1
        row = np.rint((north - self.origin[1]) / self.step).astype(np.int64) + 1
        height, width = self.classes.shape
        found = self.classes[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
        return torch.from_numpy(found).unflatten(1, (self.size_px, self.size_px))
