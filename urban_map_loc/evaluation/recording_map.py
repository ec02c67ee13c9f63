# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""An area in 3-D: footprints extruded to their height, and roads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import RecordingConfig
from urban_map_loc.evaluation.area_picture import BUILDING, BUILDING_EDGE
from urban_map_loc.evaluation.recording_shapes import ALWAYS, FloatArray, Record, Solid, Strips, on_the_plane
from urban_map_loc.evaluation.report_ground import nearest

ROAD_COLOUR, ROAD_RADIUS_M = "#8f8a80", 0.25


def map_records(area: AreaMap, drive: FloatArray, config: RecordingConfig) -> Iterator[Record]:
    """Buildings, of known and of assumed height apart, and roads: those nearest to the places `(N, 2)` [m] that the drive came by."""
    chosen, near_roads = nearest(area.buildings, area.roads, drive, config.corners)
    footprints, tops, bottoms = area.buildings[chosen], area.building_heights[chosen], area.building_min_heights[chosen]
    unknown = ~np.isfinite(tops)
    tops = np.maximum(np.where(unknown, bottoms + config.assumed_height_m, tops), bottoms)
    for name, which, colour in (("buildings", ~unknown, BUILDING), ("buildings_of_assumed_height", unknown, BUILDING_EDGE)):
        if which.any():
            yield Record(f"map/{name}", extruded(footprints[which], bottoms[which], tops[which], colour), ALWAYS)
    lines = [on_the_plane(shapely.get_coordinates(road)) for road in area.roads[near_roads]]
    yield Record("map/roads", Strips(lines, ROAD_COLOUR, ROAD_RADIUS_M), ALWAYS)


def extruded(footprints: NDArray[np.object_], bottoms_m: FloatArray, tops_m: FloatArray, colour: str) -> Solid:
    """Walls along every ring of footprints, and their flat roofs; each face has vertices of its own, so that edges look sharp."""
    vertices, normals, triangles = [], [], []
    count = 0

    def add(corners: FloatArray, normal: FloatArray, faces: NDArray[np.intp]) -> None:
        nonlocal count
        vertices.append(corners)
        normals.append(normal)
        triangles.append(faces + count)
        count += len(corners)

    for footprint, bottom, top in zip(shapely.orient_polygons(footprints), bottoms_m, tops_m, strict=True):
        for ring in (footprint.exterior, *footprint.interiors):
            corners = shapely.get_coordinates(ring)
            corners = corners[np.append(True, (np.diff(corners, axis=0) != 0.0).any(axis=1))]
            begin, along = corners[:-1], np.diff(corners, axis=0)
            # The building is to the left of each edge.
            outward = np.column_stack([along[:, 1], -along[:, 0]]) / np.hypot(*along.T)[:, None]
            n = len(begin)
            add(
                np.concatenate([np.column_stack([xy, np.full(n, z)]) for z in (bottom, top) for xy in (begin, corners[1:])]),
                np.tile(np.column_stack([outward, np.zeros(n)]), (4, 1)),
                np.concatenate([np.arange(n)[:, None] + n * np.array(face) for face in ((0, 1, 3), (0, 3, 2))]),
            )
        roof = shapely.get_parts(shapely.constrained_delaunay_triangles(footprint))
        corners = np.array([shapely.get_coordinates(triangle)[:3] for triangle in roof]).reshape(-1, 2)
        n = len(corners)
        add(np.column_stack([corners, np.full(n, top)]), np.tile([0.0, 0.0, 1.0], (n, 1)), np.arange(n).reshape(-1, 3))
    return Solid(
        np.concatenate(vertices).astype(np.float32),
        np.concatenate(normals).astype(np.float32),
        np.concatenate(triangles).astype(np.uint32),
        colour,
    )
