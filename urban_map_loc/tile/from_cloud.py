# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tiles from a scan: walls where rays end on them, and what the rays pass over, since the absence of walls is evidence too.

Pixels are those of `TileGrid` and rays those of tiles from the map, so that both kinds of tile show a place alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, sin

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.config import TileConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.tile.grid import TileGrid, tile_pixel
from urban_map_loc.tile.road_channel import NO_RAY, pixel_rays

# Road surface along a ray is kept in steps as fine as half a pixel of the usual tile.
ROAD_STEP_M = 0.5


def road_steps(range_m: float) -> int:
    """Number of steps along a ray in which road surface is kept."""
    return ceil(range_m / ROAD_STEP_M)


@dataclass(frozen=True, eq=False)
class BuildingTile:
    """What a scan shows about the car, in the base frame; each `(S, S)` uint8, pixels as `TileGrid` says.

    Attributes:
        hits: 1 where a wall was hit.
        free: 1 where rays passed and no wall was hit; where both are 0, nothing is known.
        road: 1 where road surface was seen, or None where the tile has no such channel.
    """

    hits: NDArray[np.uint8]
    free: NDArray[np.uint8]
    road: NDArray[np.uint8] | None = None

    @property
    def image(self) -> NDArray[np.uint8]:
        """What MapNet sees: walls `(S, S)`, or walls and road `(2, S, S)`."""
        return self.hits if self.road is None else np.stack([self.hits, self.road])


class ScanRenderer:
    """Draws what a sensor saw; the counterpart of `MapRenderer`."""

    def __init__(self, config: TileConfig) -> None:
        self.config, self.grid = config, TileGrid(config)
        _, distance, ray = pixel_rays(self.grid, config)
        self._within = (ray != NO_RAY) & (distance < config.range_m)
        self._ray = np.where(self._within, ray, 0)
        self._step = np.minimum((distance / ROAD_STEP_M).astype(np.int64), road_steps(config.range_m) - 1)

    def tile(self, points: FloatArray, seen_m: FloatArray | None = None, road: NDArray[np.uint8] | None = None) -> BuildingTile:
        """The tile of wall hits `(N, 2)` [m, base frame].

        Args:
            points: hits; NaN and points outside the tile are left out.
            seen_m: `(sectors,)` [m] how far each ray is known to be free of buildings. Without it the rays to the hits are taken.
            road: `(sectors, steps)` 1 where road surface was seen along each ray, in steps of `ROAD_STEP_M`; used where the tile has
                that channel.
        """
        hits = self.grid.draw(points)
        seen = self._seen(points) if seen_m is None else seen_m
        free = np.zeros_like(hits)
        _walk(np.ascontiguousarray(seen, np.float64), self.config.field_of_view_rad, self.grid.half_m, self.grid.resolution_m, free)
        free[hits == 1] = 0
        if self.config.planes == 1:
            return BuildingTile(hits, free)
        if road is None:
            return BuildingTile(hits, free, np.zeros_like(hits))
        return BuildingTile(hits, free, np.where(self._within, road[self._ray, self._step], 0).astype(np.uint8))

    def _seen(self, points: FloatArray) -> FloatArray:
        """How far `(sectors,)` [m] rays go that end at the hits: to the farthest in each direction."""
        seen = np.zeros(self.config.sectors)
        points = points[np.isfinite(points).all(axis=1)]
        turn = np.arctan2(points[:, 1], points[:, 0]) / self.config.field_of_view_rad + 0.5
        ray = np.floor(turn * self.config.sectors).astype(np.int64)
        there = (ray >= 0) & (ray < self.config.sectors)
        np.maximum.at(seen, ray[there], np.hypot(*points[there].T))
        return seen


@njit(cache=True)
def _walk(seen: FloatArray, field_of_view: float, half_m: float, resolution_m: float, free: NDArray[np.uint8]) -> None:
    """Set the pixels of `free (S, S)` that rays pass within `seen (sectors,)` [m], in steps of half a pixel along each ray's middle."""
    size, sectors = free.shape[0], seen.size
    step = 0.5 * resolution_m
    for ray in range(sectors):
        bearing = (ray + 0.5) * field_of_view / sectors - 0.5 * field_of_view
        dx, dy = cos(bearing), sin(bearing)
        for k in range(int(seen[ray] / step)):
            row, column = tile_pixel(k * step * dx, k * step * dy, half_m, resolution_m)
            if not (0 <= row < size and 0 <= column < size):
                break
            free[row, column] = 1
