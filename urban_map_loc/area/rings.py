# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Closed rings from the pieces that multipolygon relations are made of, and valid polygons from rings."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

Line = NDArray[np.float64]
UNITS = 1e7  # OSM's degrees have seven decimals
SMALLEST_DEG2 = 1e-11  # about 0.1 m2: what repair leaves behind below that is no building


def assemble(lines: list[Line]) -> tuple[list[Line], int]:
    """Join lines `(N, 2)` end to end into closed rings.

    Returns:
        The rings (first point = last point), and how many lines or chains stayed open.
    """
    rings: list[Line] = []
    still_open = 0
    waiting = list(lines)
    while waiting:
        chain = waiting.pop(0)
        while not np.array_equal(chain[0], chain[-1]):
            for k, line in enumerate(waiting):
                if np.array_equal(chain[-1], line[0]) or np.array_equal(chain[-1], line[-1]):
                    joint = line if np.array_equal(chain[-1], line[0]) else line[::-1]
                    chain = np.concatenate([chain, joint[1:]])
                    del waiting[k]
                    break
            else:
                break
        if np.array_equal(chain[0], chain[-1]) and len(chain) >= 4:
            rings.append(chain)
        else:
            still_open += 1
    return rings, still_open


def polygons_of_closed(lines: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Valid polygons of those lines `(N,)` [deg] that are closed, and which line each is of, in the lines' order.

    Simple rings, nearly all, are made at once; a ring that crosses itself is repaired and may become several polygons.
    """
    closed = np.flatnonzero(shapely.is_closed(lines) & (shapely.get_num_coordinates(lines) >= 4))
    coordinates, ring = shapely.get_coordinates(lines[closed], return_index=True)
    polygons = shapely.polygons(shapely.linearrings(coordinates, indices=ring)) if len(closed) else np.empty(0, dtype=object)
    simple = shapely.is_valid(polygons)
    good = simple & (shapely.area(polygons) >= SMALLEST_DEG2)
    shapes, owners = [shapely.normalize(polygons[good])], [closed[good]]
    for k in np.flatnonzero(~simple):
        repaired = polygons_of([shapely.get_coordinates(lines[closed[k]])], [])
        shapes.append(np.array(repaired, dtype=object))
        owners.append(np.full(len(repaired), closed[k]))
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return np.concatenate(shapes)[order], owner[order]


def polygons_of(outer: list[Line], inner: list[Line]) -> list[shapely.Polygon]:
    """Valid polygons in canonical ring order: outer rings (repaired where they cross themselves) less inner ones."""
    holes = [part for ring in inner for part in _valid_parts(shapely.Polygon(ring))]
    polygons: list[shapely.Polygon] = []
    for ring in outer:
        for polygon in _valid_parts(shapely.Polygon(ring)):
            cut = [hole for hole in holes if polygon.intersects(hole)]
            whole = shapely.difference(polygon, shapely.union_all(cut)) if cut else polygon
            polygons += _valid_parts(whole)
    return polygons


def _valid_parts(shape: shapely.Geometry) -> list[shapely.Polygon]:
    parts = []
    for part in shapely.get_parts(shapely.make_valid(shape)):
        for polygon in shapely.get_parts(part):  # make_valid nests collections
            if polygon.geom_type != "Polygon" or polygon.area < SMALLEST_DEG2:
                continue
            rounded = shapely.transform(polygon, lambda degrees: np.round(degrees * UNITS) / UNITS)
            if rounded.is_valid:
                parts.append(shapely.normalize(rounded))
    return parts
