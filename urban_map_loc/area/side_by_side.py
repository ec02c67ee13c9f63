# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Several maps as one: to learn from many places at once, and to see how things grow with the area."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from urban_map_loc.area.area_map import AreaMap

# Between two maps: further than a tile reaches.
GAP_M = 100.0


def side_by_side(area: AreaMap, others: Sequence[AreaMap], columns: int) -> AreaMap:
    """One map of all: `area` stays where it is, the others stand east of it, in rows of so many `columns`.

    Buildings and roads alone, with heights, classes and ids; ids begin with the map's number.
    """
    _, south, east, _ = area.bounds
    x, y, row_height = east + GAP_M, south, 0.0
    buildings, roads = [area.buildings_wgs84], [area.roads_wgs84]
    for placed, other in enumerate(others, start=1):
        left, bottom, right, top = other.bounds
        shift = np.array([x - left, y - bottom])
        for shapes, kept in ((other.buildings, buildings), (other.roads, roads)):
            kept.append(shapely.transform(shapes, lambda p, shift=shift: area.plane.to_geodetic(p + shift)[:, ::-1]))
        x, row_height = x + right - left + GAP_M, max(row_height, top - bottom)
        if placed % columns == 0:
            x, y, row_height = east + GAP_M, y + row_height + GAP_M, 0.0
    everything = [area, *others]
    return AreaMap(
        area.datum,
        np.concatenate(buildings),
        np.concatenate([a.building_heights for a in everything]),
        np.array([f"{k}/{name}" for k, a in enumerate(everything) for name in a.building_ids], dtype=object),
        np.concatenate(roads),
        np.concatenate([a.road_classes for a in everything]),
        source="several maps side by side",
    )
