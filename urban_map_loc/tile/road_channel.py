# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The tile's road channel: the road surface of the map, as far as the rays see."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from urban_map_loc.area.roads import RoadRaster, SurfaceArray
from urban_map_loc.config import TileConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.tile.grid import TileGrid

NO_RAY = -1


def pixel_rays(grid: TileGrid, tile: TileConfig) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Of each pixel of a tile: centre `(S, S, 2)` [m] in the base frame, range `(S, S)` [m] and the ray `(S, S)` that passes it.

    NO_RAY outside the field of view.
    """
    pixels = np.arange(grid.size_px)
    centres = grid.centres(*np.meshgrid(pixels, pixels, indexing="ij"))
    bearing = np.arctan2(centres[..., 1], centres[..., 0])
    ray = np.floor((bearing / tile.field_of_view_rad + 0.5) * tile.sectors).astype(np.int64)
    inside = np.abs(bearing) <= 0.5 * tile.field_of_view_rad
    return centres, np.hypot(centres[..., 0], centres[..., 1]), np.where(inside, np.clip(ray, 0, tile.sectors - 1), NO_RAY)


def draw_roads(roads: RoadRaster, grid: TileGrid, tile: TileConfig, poses: FloatArray, seen: FloatArray) -> NDArray[np.uint8]:
    """Tiles `(N, S, S)`, 1 where a pixel's centre is road and nearer than its ray sees `(N, sectors)` [m], from poses `(N, 3)`."""
    tiles = np.zeros((len(poses), grid.size_px, grid.size_px), dtype=np.uint8)
    poses = np.ascontiguousarray(poses, dtype=np.float64)
    _draw(roads.surface, roads.origin, roads.resolution_m, poses, seen, *pixel_rays(grid, tile), tiles)
    return tiles


@njit(cache=True, parallel=True)
def _draw(
    surface: SurfaceArray,
    origin: FloatArray,
    step: float,
    poses: FloatArray,
    seen: FloatArray,
    centres: FloatArray,
    ranges: FloatArray,
    rays: NDArray[np.int64],
    tiles: NDArray[np.uint8],
) -> None:
    height, width = surface.shape
    for i in prange(poses.shape[0]):
        c, s = math.cos(poses[i, 2]) / step, math.sin(poses[i, 2]) / step
        east, north = (poses[i, 0] - origin[0]) / step, (poses[i, 1] - origin[1]) / step
        for j in range(rays.shape[0]):
            for k in range(rays.shape[1]):
                if rays[j, k] >= 0 and ranges[j, k] < seen[i, rays[j, k]]:
                    x, y = centres[j, k, 0], centres[j, k, 1]
                    column, row = round(east + c * x - s * y), round(north + s * x + c * y)
                    if 0 <= row < height and 0 <= column < width:
                        tiles[i, j, k] = surface[row, column]
