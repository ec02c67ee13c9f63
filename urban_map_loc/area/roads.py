# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RoadRaster: where the road surface is, as an array that compiled kernels read; pixels as in `area/raster.py`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.blocks import blocks, extent, kept_arrays
from urban_map_loc.config import RasterConfig, RoadConfig

CACHE_FORMAT = 1

SurfaceArray = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class RoadRaster:
    """The surface of the drivable roads: centre lines as wide as their class usually is.

    Attributes:
        origin: `(2,)` east, north [m] of the centre of pixel (0, 0); the same as of the area's `BuildingRaster`.
        resolution_m: pixel size [m].
        surface: `(H, W)` uint8, 1 where the pixel's centre lies on a road.
    """

    origin: NDArray[np.float64]
    resolution_m: float
    surface: SurfaceArray

    @classmethod
    def from_area(cls, area: AreaMap, config: RasterConfig, roads: RoadConfig, cache: Path | None = None) -> RoadRaster:
        """Rasterise an area's roads.

        Args:
            area: whose roads; tunnels are no part of them.
            config: pixel and margin, those of the `BuildingRaster`.
            roads: widths by class.
            cache: the folder that `BuildingRaster.from_area` is given; roads are kept in another beside it, on the same terms.
        """
        origin, shape = extent(area, config)
        key = {"format": CACHE_FORMAT, "area_hash": area.content_hash, **asdict(config), **asdict(roads)}
        beside = cache.with_name(f"{cache.name}.roads") if cache else None
        (surface,) = kept_arrays(
            beside, key, {"surface.npy": np.uint8}, shape, lambda s: _fill(area, roads, origin, config.resolution_m, s)
        )
        return cls(origin, config.resolution_m, surface)


def _fill(area: AreaMap, config: RoadConfig, origin: NDArray[np.float64], step: float, surface: SurfaceArray) -> None:
    """Write the surface block by block from a spatial index of the lines' segments."""
    coordinates, road = shapely.get_coordinates(area.roads, return_index=True)
    joined = road[1:] == road[:-1]
    segments = np.stack([coordinates[:-1], coordinates[1:]], axis=1)[joined]
    half = np.array([0.5 * config.width_m(str(name)) for name in area.road_classes])[road[1:][joined]]
    tree, widest = shapely.STRtree(shapely.linestrings(segments)), half.max(initial=0.0)
    for rows, columns in blocks(surface.shape):
        block = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=np.uint8)
        corner = origin + np.array([columns.start, rows.start]) * step
        reach = np.array(block.shape[::-1]) * step
        near = tree.query(shapely.box(*(corner - widest), *(corner + reach + widest)))
        _burn(block, segments[near], half[near], corner, step)
        surface[rows, columns] = block


@njit(cache=True)
def _burn(block: SurfaceArray, segments: NDArray[np.float64], half: NDArray[np.float64], corner: NDArray[np.float64], step: float) -> None:
    """Set the pixels within `half (M,)` [m] of segments `(M, 2, 2)` [m]; round ends join the pieces of a line."""
    for k in range(segments.shape[0]):
        ax, ay = (segments[k, 0, 0] - corner[0]) / step, (segments[k, 0, 1] - corner[1]) / step
        bx, by = (segments[k, 1, 0] - corner[0]) / step, (segments[k, 1, 1] - corner[1]) / step
        reach = half[k] / step
        ux, uy = bx - ax, by - ay
        length = ux * ux + uy * uy
        for row in range(max(0, math.ceil(min(ay, by) - reach)), min(block.shape[0], math.floor(max(ay, by) + reach) + 1)):
            for column in range(max(0, math.ceil(min(ax, bx) - reach)), min(block.shape[1], math.floor(max(ax, bx) + reach) + 1)):
                along = ((column - ax) * ux + (row - ay) * uy) / length if length > 0.0 else 0.0
                along = min(1.0, max(0.0, along))
                dx, dy = column - ax - along * ux, row - ay - along * uy
                if dx * dx + dy * dy <= reach * reach:
                    block[row, column] = 1
