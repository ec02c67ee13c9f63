# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where the world differs from the map: walls that the outline leaves out, houses that were built since.

Houses that were pulled down since are left out of the world (`world.py`), and all are shifted there.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely
from shapely import LineString, Polygon, affinity

from urban_map_loc.area.area_map import AreaMap

DETAIL_EVERY_M = 9.0  # of wall, a bay or a recess on the average
DETAIL_WIDTH_M = (1.5, 5.0)
NEW_LENGTH_M, NEW_DEPTH_M, NEW_HEIGHT_M = (7.0, 18.0), (6.0, 12.0), (2.6, 10.0)  # from garages to houses
NEW_SETBACK_M = (6.0, 16.0)  # from a road's middle
NEW_FROM_ROADS_M, NEW_FROM_OTHERS_M = 4.0, 0.5
TRIES = 30  # places that are looked at for each new building


def detailed(footprint: Polygon, detail_m: float, rng: np.random.Generator) -> Polygon:
    """A footprint with bays and recesses, so deep [m], 1 sigma, in its outer walls; itself where they would tear it apart."""
    bays: list[Polygon] = []
    recesses: list[Polygon] = []
    for start, end in pairwise(shapely.get_coordinates(footprint.exterior)):
        length = float(np.hypot(*(end - start)))
        for _ in range(int(rng.poisson(length / DETAIL_EVERY_M))):
            width, depth = float(rng.uniform(*DETAIL_WIDTH_M)), float(rng.normal(0.0, detail_m))
            along = float(rng.uniform(0.0, max(length - width, 0.0)))
            if width >= length:
                continue
            piece = shapely.box(along, -abs(depth), along + width, abs(depth))
            turned = affinity.rotate(piece, float(np.arctan2(*(end - start)[::-1])), origin=(0.0, 0.0), use_radians=True)
            (bays if depth > 0.0 else recesses).append(affinity.translate(turned, *start))
    changed = shapely.union_all([footprint, *bays]).difference(shapely.union_all(recesses))
    return changed if changed.geom_type == "Polygon" and not changed.is_empty else footprint


def new_buildings(
    area: AreaMap, route: LineString, reach_m: float, corridor_m: float, count: int, rng: np.random.Generator
) -> list[tuple[Polygon, float]]:
    """Footprints and heights [m] of at most `count` houses beside the roads that the map does not know, clear of all that it knows.

    None is nearer to the route than `corridor_m`, nor further than `reach_m`.
    """
    roads = area.roads[shapely.dwithin(area.roads, route, reach_m)]
    if not count or not len(roads):
        return []
    length = shapely.length(roads)
    buildings, ways = shapely.STRtree(area.buildings), shapely.STRtree(area.roads)
    built: list[tuple[Polygon, float]] = []
    for _ in range(TRIES * count):
        if len(built) == count:
            break
        road = roads[int(rng.choice(len(roads), p=length / length.sum()))]
        along, side, setback = float(rng.uniform(0.0, road.length)), float(rng.choice([-1.0, 1.0])), float(rng.uniform(*NEW_SETBACK_M))
        width, depth, height = (float(rng.uniform(*between)) for between in (NEW_LENGTH_M, NEW_DEPTH_M, NEW_HEIGHT_M))
        here, ahead = shapely.get_coordinates(shapely.line_interpolate_point(road, [along, along + 0.5]))
        if (here == ahead).all():
            continue
        near, far = sorted((side * setback, side * (setback + depth)))
        angle = float(np.arctan2(*(ahead - here)[::-1]))
        shape = affinity.translate(affinity.rotate(shapely.box(0.0, near, width, far), angle, (0.0, 0.0), use_radians=True), *here)
        apart = all(shape.distance(other) > NEW_FROM_OTHERS_M for other, _ in built) and reach_m > shape.distance(route) > corridor_m
        taken = len(buildings.query(shape, predicate="dwithin", distance=NEW_FROM_OTHERS_M)) > 0
        if apart and not taken and not len(ways.query(shape, predicate="dwithin", distance=NEW_FROM_ROADS_M)):
            built.append((shape, height))
    return built
