# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Buildings and roads for report.html: what is near the drive first, corners in whole decimetres."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import ReportConfig

FloatArray = NDArray[np.float64]
Lines = dict[str, FloatArray]


def ground(area: AreaMap, drive: FloatArray, config: ReportConfig) -> tuple[Lines, Lines]:
    """Buildings and roads of an area as columns.

    Args:
        area: the map.
        drive: `(N, 2)` places [m] that the drive came by; empty: all places are alike.
        config: how many corners are taken at most.

    Returns:
        Two dictionaries of `corners (L,)`, the number of corners of each ring or line, negative for a courtyard of the building before
        it, and `east`, `north` of all corners, one after the other [m]. Rings are not closed; courtyards run the other way round.
    """
    buildings, roads = (shapely.simplify(shapes, config.simplified_m) for shapes in (area.buildings, area.roads))
    near_buildings, near_roads = nearest(buildings, roads, drive, config.corners)
    buildings, roads = buildings[near_buildings], roads[near_roads]
    rings: list[tuple[int, FloatArray]] = []
    for building in shapely.orient_polygons(buildings):
        rings.append((1, shapely.get_coordinates(building.exterior)[:-1]))
        rings += [(-1, shapely.get_coordinates(ring)[:-1]) for ring in building.interiors]
    return _columns(rings), _columns([(1, shapely.get_coordinates(road)) for road in roads])


def nearest(
    buildings: NDArray[np.object_], roads: NDArray[np.object_], drive: FloatArray, corners: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Numbers of the buildings and roads nearest to the drive `(N, 2)` [m], of at most `corners` together: three in four for buildings."""
    return _nearest(buildings, drive, corners * 3 // 4), _nearest(roads, drive, corners // 4)


def _nearest(shapes: NDArray[np.object_], drive: FloatArray, corners: int) -> NDArray[np.intp]:
    """Numbers of as many shapes as have so many corners together, those nearest to the drive `(N, 2)` [m], in their order."""
    count = shapely.get_num_coordinates(shapes)
    if count.sum() <= corners:
        return np.arange(len(shapes))
    if len(drive) > 1:
        order = np.argsort(shapely.distance(shapes, shapely.simplify(shapely.LineString(drive), 5.0)))
    else:
        order = np.arange(len(shapes))
    return np.sort(order[np.cumsum(count[order]) <= corners])


def _columns(lines: list[tuple[int, FloatArray]]) -> Lines:
    points = np.concatenate([line for _, line in lines]) if lines else np.zeros((0, 2))
    corners = np.array([sign * len(line) for sign, line in lines], dtype=np.float64)
    return {"corners": corners, "east": points[:, 0], "north": points[:, 1]}
