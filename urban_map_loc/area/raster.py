"""BuildingRaster: the area's buildings as arrays that compiled kernels read.

Row 0 is the southernmost, column 0 the westernmost; pixel (row, column) is centred at
`origin + (column, row) * resolution` [m] in the `map` frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import RasterConfig


@dataclass(frozen=True, eq=False)
class BuildingRaster:
    """Distance to walls and which building is where.

    Attributes:
        origin: `(2,)` east, north [m] of the centre of pixel (0, 0).
        resolution_m: pixel size [m].
        distance: `(H, W)` float32 distance to the nearest wall [m], negative inside buildings.
        building: `(H, W)` int32 index of the building that covers the pixel, -1 for none.
    """

    origin: NDArray[np.float64]
    resolution_m: float
    distance: NDArray[np.float32]
    building: NDArray[np.int32]

    @classmethod
    def from_area(cls, area: AreaMap, config: RasterConfig) -> BuildingRaster:
        """Rasterise an area's buildings; walls shared by two buildings are inside and vanish, as for a lidar."""
        step = config.resolution_m
        west, south, east, north = area.bounds
        origin = np.array([west, south]) - config.margin_m
        shape = tuple(int(np.ceil((hi - lo + 2 * config.margin_m) / step)) + 1 for lo, hi in ((south, north), (west, east)))
        building = np.full(shape, -1, dtype=np.int32)
        for index, polygon in enumerate(area.buildings):
            _burn(building, polygon, index, origin, step)
        return cls(origin, step, signed_distance(building >= 0, step), building)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.distance.shape[0], self.distance.shape[1]

    def index(self, points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Rows, columns and whether inside, each `(N,)`, of points `(N, 2)` [m]; outside ones are clipped to the border."""
        cells = np.rint((points - self.origin) / self.resolution_m).astype(np.int64)
        limit = np.array(self.shape[::-1]) - 1
        inside = np.all((cells >= 0) & (cells <= limit), axis=1)
        cells = np.clip(cells, 0, limit)
        return cells[:, 1], cells[:, 0], inside


def _burn(building: NDArray[np.int32], polygon: shapely.Polygon, index: int, origin: NDArray[np.float64], step: float) -> None:
    """Write `index` into the pixels whose centre lies inside the polygon."""
    west, south, east, north = polygon.bounds
    first = np.maximum(np.ceil((np.array([west, south]) - origin) / step).astype(int), 0)
    last = np.floor((np.array([east, north]) - origin) / step).astype(int)
    columns, rows = np.meshgrid(np.arange(first[0], last[0] + 1), np.arange(first[1], last[1] + 1))
    shapely.prepare(polygon)
    inside = shapely.contains_xy(polygon, origin[0] + columns * step, origin[1] + rows * step)
    building[rows[inside], columns[inside]] = index


def signed_distance(inside: NDArray[np.bool_], resolution_m: float) -> NDArray[np.float32]:
    """Distance [m] from each pixel's centre to the border of the mask `(H, W)`, negative inside.

    The border runs between an inside and an outside pixel, half a pixel from either's centre.
    """
    if not inside.any():
        return np.full(inside.shape, 1e4, dtype=np.float32)
    outside_m = ndimage.distance_transform_edt(~inside) - 0.5
    inside_m = ndimage.distance_transform_edt(inside) - 0.5
    return (np.where(inside, -inside_m, outside_m) * resolution_m).astype(np.float32)
