# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Rings of ranges: how far the nearest wall is in each direction, from places on the roads and in a scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.baselines.references import in_parts
from urban_map_loc.baselines.system import Progress, SharedGround
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.tile.from_map import MapRenderer


def road_places(area: AreaMap, spacing_m: float) -> FloatArray:
    """Places `(N, 2)` [m] in `map` along all roads, evenly, at most `spacing_m` apart, each once."""
    places = [np.zeros((0, 2))]
    for road in area.roads:
        count = max(1, round(road.length / spacing_m))
        along = (np.arange(count) + 0.5) * (road.length / count)
        places.append(shapely.get_coordinates(shapely.line_interpolate_point(road, along)))
    return np.unique(np.concatenate(places), axis=0)


def ring_of(points: FloatArray, directions: int) -> FloatArray:
    """Range `(directions,)` [m] of the nearest of points `(M, 2)` in each direction, infinite where there is none.

    Direction k is centred at k parts of a turn, 0 along x, counter-clockwise.
    """
    ring = np.full(directions, np.inf)
    there = points[np.isfinite(points).all(axis=1)]
    turn = np.arctan2(there[:, 1], there[:, 0]) / (2.0 * np.pi)
    np.minimum.at(ring, np.rint(turn * directions).astype(np.int64) % directions, np.hypot(*there.T))
    return ring


def map_rings(ground: SharedGround, places: FloatArray, directions: int, progress: Progress) -> NDArray[np.float32]:
    """Rings `(N, directions)` [m] that the map shows at places `(N, 2)`, direction 0 east; infinite beyond the tile's range."""
    tile = ground.config.tile
    around = replace(tile, field_of_view_rad=2.0 * np.pi, sectors=tile.sectors_per_turn)
    renderer = MapRenderer(ground.batches.renderer.raster, around, ground.batches.renderer.roads)
    poses = np.column_stack([places, np.zeros(len(places))])
    parts = in_parts(poses, progress, "looking at the map")
    rings = [ring_of(points, directions) for part in parts for points in renderer.points(part)]
    return np.array(rings, dtype=np.float32).reshape(-1, directions)
