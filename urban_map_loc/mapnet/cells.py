# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""PositionCells: the area's drivable squares among which the cells head chooses."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import MapNetConfig
from urban_map_loc.errors import AreaError
from urban_map_loc.geometry.pose2 import FloatArray

NO_CELL = -1
# Of the grid among which drivable ones are looked for, and cells looked up: a GB while a model is made; at 16 m a square 36 km wide.
MOST_SQUARES = 5_000_000


def drivable_cells(area: AreaMap, config: MapNetConfig) -> FloatArray:
    """Centres `(C, 2)` [m] in `map` of the squares within reach of a road, on a grid aligned with the datum.

    Raises:
        AreaError: the area is larger than any that one model can hold.
    """
    size = config.cell_size_m
    west, south, east, north = area.bounds
    columns = np.arange(np.floor(west / size), np.ceil(east / size) + 1)
    rows = np.arange(np.floor(south / size), np.ceil(north / size) + 1)
    if len(columns) * len(rows) > MOST_SQUARES:
        raise AreaError(
            f"the area is {(east - west) / 1e3:.0f} km by {(north - south) / 1e3:.0f} km, too large for one model; "
            "split it with `urban_map_loc area build --region-size`"
        )
    grid_e, grid_n = np.meshgrid((columns + 0.5) * size, (rows + 0.5) * size)
    centres = np.stack([grid_e.ravel(), grid_n.ravel()], axis=1)
    squares = shapely.box(*(centres - size / 2).T, *(centres + size / 2).T)
    near, _ = shapely.STRtree(area.roads).query(squares, predicate="dwithin", distance=config.cell_road_reach_m)
    return np.asarray(centres[np.unique(near)])


class PositionCells:
    """Which cell a position lies in."""

    def __init__(self, centres: FloatArray, size_m: float) -> None:
        """`centres`: `(C, 2)` [m].

        Raises:
            ValueError: they are spread over more than any area is.
        """
        self.centres = centres
        self.size_m = size_m
        self._first = np.floor(centres.min(axis=0) / size_m)
        shape = np.floor(centres.max(axis=0) / size_m) - self._first + 1.0
        if shape.prod() > MOST_SQUARES:
            raise ValueError(f"cells are spread over {shape[0] * size_m / 1e3:.3g} km by {shape[1] * size_m / 1e3:.3g} km")
        self._index = np.full((int(shape[1]), int(shape[0])), NO_CELL, dtype=np.int64)
        columns, rows = (np.floor(centres / size_m) - self._first).astype(np.int64).T
        self._index[rows, columns] = np.arange(len(centres))

    def __len__(self) -> int:
        return len(self.centres)

    def of(self, positions: FloatArray) -> NDArray[np.int64]:
        """Cell `(N,)` of positions `(N, 2)` [m]; NO_CELL outside all of them."""
        cell = np.floor(positions / self.size_m) - self._first
        limit = np.array(self._index.shape[::-1])
        inside = np.all((cell >= 0.0) & (cell < limit), axis=1)
        clipped = np.clip(cell, 0.0, limit - 1.0).astype(np.int64)
        return np.where(inside, self._index[clipped[:, 1], clipped[:, 0]], NO_CELL)
