# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""TileGrid: the one place that knows pixels.

A tile is a square image `(size_px, size_px)` centred on the ego, in the base frame. Row 0 is the farthest forward (largest
x), column 0 the farthest left (largest y): seen as a picture, the car drives up.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.config import TileConfig
from urban_map_loc.geometry.pose2 import FloatArray


@njit(cache=True)
def tile_pixel(x: float, y: float, half_m: float, resolution_m: float) -> tuple[int, int]:
    """Row and column of a base-frame point [m]; may lie outside the tile."""
    return math.floor((half_m - x) / resolution_m), math.floor((half_m - y) / resolution_m)


@njit(cache=True)
def draw_points(points: FloatArray, half_m: float, resolution_m: float, tile: NDArray[np.uint8]) -> None:
    """Set the pixels of `tile (S, S)` in which points `(N, 2)` [m] lie; NaN and outside points are left out."""
    size = tile.shape[0]
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if abs(x) <= half_m and abs(y) <= half_m:  # false for NaN
            row, column = tile_pixel(x, y, half_m, resolution_m)
            if 0 <= row < size and 0 <= column < size:
                tile[row, column] = 1


class TileGrid:
    """Maps base-frame points [m] to pixels of a tile and back."""

    def __init__(self, config: TileConfig) -> None:
        self.size_px = config.size_px
        self.resolution_m = config.resolution_m
        self.half_m = 0.5 * config.size_px * config.resolution_m

    def centres(self, row: NDArray[np.integer], column: NDArray[np.integer]) -> FloatArray:
        """Base-frame points `(N, 2)` [m] at the centres of pixels."""
        return self.half_m - (np.stack([row, column], axis=-1) + 0.5) * self.resolution_m

    def draw(self, points: FloatArray) -> NDArray[np.uint8]:
        """Tile `(size_px, size_px)`: 1 where at least one of the points `(N, 2)` [m] lies."""
        tile = np.zeros((self.size_px, self.size_px), dtype=np.uint8)
        draw_points(np.ascontiguousarray(points, dtype=np.float64), self.half_m, self.resolution_m, tile)
        return tile
