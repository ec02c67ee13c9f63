# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""BuildingRaster: the area's buildings as arrays that compiled kernels read.

Row 0 is the southernmost, column 0 the westernmost; pixel (row, column) is centred at
`origin + (column, row) * resolution` [m] in the `map` frame.

`area/blocks.py` makes the arrays block by block and keeps them beside the area.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.blocks import blocks, extent, kept_arrays
from urban_map_loc.config import RasterConfig

# Distances are kept in steps of 0.1 m, a quarter of what OSM is accurate to, and cut where nothing that is scored reaches.
DISTANCE_STEP_M = 0.1
FARTHEST_STEPS = 127
NO_BUILDING = 0
NUMBERS = 65536  # building numbers, 0 and 1 to 65535

CACHE_FORMAT = 1

DistanceArray = NDArray[np.int8]
BuildingArray = NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class BuildingRaster:
    """Distance to walls and which building is where.

    Attributes:
        origin: `(2,)` east, north [m] of the centre of pixel (0, 0).
        resolution_m: pixel size [m].
        distance: `(H, W)` int8 distance to the nearest wall in steps of 0.1 m, negative inside buildings, cut at 12.7 m.
        building: `(H, W)` uint16 number of the building that covers the pixel, 0 for none; numbers repeat in large areas.
        heights: `(65536,)` height [m] of the tallest building of each number, infinite where one's is unknown.
    """

    origin: NDArray[np.float64]
    resolution_m: float
    distance: DistanceArray
    building: BuildingArray
    heights: NDArray[np.float64]

    @classmethod
    def from_area(cls, area: AreaMap, config: RasterConfig, cache: Path | None = None, on_grid: bool = False) -> BuildingRaster:
        """Rasterise an area's buildings; walls shared by two buildings are inside and vanish, as for a lidar.

        Args:
            cache: folder to keep the arrays in; used again while area and settings are the same, else made anew. Where it
                cannot be written, the arrays are made in memory.
            on_grid: for regions of an atlas: where two overlap, their rasters are the same, and nothing shifts by a part of a pixel
                when a car is tracked in the next one.
        """
        origin, shape = extent(area, config, on_grid)
        key = {"format": CACHE_FORMAT, "area_hash": area.content_hash, **asdict(config)} | ({"on_grid": True} if on_grid else {})
        files = {"distance.npy": np.int8, "building.npy": np.uint16}
        distance, building = kept_arrays(cache, key, files, shape, lambda d, b: _fill(area, origin, config.resolution_m, d, b))
        return cls(origin, config.resolution_m, distance, building, _tallest(area))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.distance.shape[0], self.distance.shape[1]

    def distance_m(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance `(N,)` [m] to the nearest wall, negative inside, of points `(N, 2)`; +12.7 m outside the raster."""
        column, row = np.rint((points - self.origin) / self.resolution_m).astype(np.int64).T
        inside = (row >= 0) & (column >= 0) & (row < self.shape[0]) & (column < self.shape[1])
        steps = np.full(len(points), FARTHEST_STEPS, dtype=np.int64)
        steps[inside] = self.distance[row[inside], column[inside]]
        return np.asarray(steps * DISTANCE_STEP_M, dtype=np.float64)


def raster_cache(area_path: Path) -> Path:
    """Where the rasters of an area file are kept: beside it."""
    return area_path.with_name(area_path.name + ".raster")


def _fill(area: AreaMap, origin: NDArray[np.float64], step: float, distance: DistanceArray, building: BuildingArray) -> None:
    """Write both arrays block by block; each block sees as far beyond its border as distances reach."""
    tree = shapely.STRtree(area.buildings)
    halo = int(np.ceil(FARTHEST_STEPS * DISTANCE_STEP_M / step)) + 1
    for rows, columns in blocks(distance.shape):
        first = np.array([columns.start - halo, rows.start - halo])
        size = (rows.stop - rows.start + 2 * halo, columns.stop - columns.start + 2 * halo)
        corner = origin + first * step
        numbers = np.full(size, NO_BUILDING, dtype=np.uint16)
        for index in tree.query(shapely.box(*corner, *(corner + np.array(size[::-1]) * step))):
            _burn(numbers, area.buildings[index], int(_number(index)), corner, step)
        inner = (slice(halo, -halo), slice(halo, -halo))
        distance[rows, columns] = quantised_distance(numbers != NO_BUILDING, step)[inner]
        building[rows, columns] = numbers[inner]


def _number(index: NDArray[np.int64]) -> NDArray[np.int64]:
    return 1 + index % (NUMBERS - 1)


def _tallest(area: AreaMap) -> NDArray[np.float64]:
    heights = np.zeros(NUMBERS)
    known = np.where(np.isnan(area.building_heights), np.inf, area.building_heights)
    np.maximum.at(heights, _number(np.arange(len(known))), known)
    return heights


def _burn(numbers: BuildingArray, polygon: shapely.Polygon, number: int, corner: NDArray[np.float64], step: float) -> None:
    """Write `number` into the pixels of a block whose centre lies inside the polygon."""
    west, south, east, north = polygon.bounds
    limit = np.array(numbers.shape[::-1])
    first = np.clip(np.ceil((np.array([west, south]) - corner) / step).astype(int), 0, limit)
    last = np.clip(np.floor((np.array([east, north]) - corner) / step).astype(int) + 1, 0, limit)
    columns, rows = np.meshgrid(np.arange(first[0], last[0]), np.arange(first[1], last[1]))
    shapely.prepare(polygon)
    inside = shapely.contains_xy(polygon, corner[0] + columns * step, corner[1] + rows * step)
    numbers[rows[inside], columns[inside]] = number


def quantised_distance(inside: NDArray[np.bool_], resolution_m: float) -> DistanceArray:
    """Distance from each pixel's centre to the border of the mask `(H, W)`, negative inside, in steps of 0.1 m.

    The border runs between an inside and an outside pixel, half a pixel from either's centre.
    """
    if not inside.any():
        return np.full(inside.shape, FARTHEST_STEPS, dtype=np.int8)
    outside_px = ndimage.distance_transform_edt(~inside) - 0.5
    inside_px = ndimage.distance_transform_edt(inside) - 0.5
    steps = np.rint(np.where(inside, -inside_px, outside_px) * (resolution_m / DISTANCE_STEP_M))
    return np.clip(steps, -FARTHEST_STEPS, FARTHEST_STEPS).astype(np.int8)
