# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tiny made-up areas for tests: rectangles along straight roads, given in metres."""

from __future__ import annotations

import numpy as np
import shapely

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane

DATUM = GeoPoint(47.07, 15.44)


def area_of(buildings: list[shapely.Polygon], roads: list[shapely.LineString]) -> AreaMap:
    """An area from polygons and line strings in the `map` frame [m]."""
    plane = LocalTangentPlane(DATUM)

    def to_degrees(geometries: list[shapely.Geometry]) -> np.ndarray:
        return np.array([shapely.transform(g, lambda xy: plane.to_geodetic(xy)[:, ::-1]) for g in geometries], dtype=object)

    return AreaMap(
        datum=DATUM,
        buildings_wgs84=to_degrees(buildings),
        building_heights=np.full(len(buildings), 8.0),
        building_ids=np.array([f"way/{i}" for i in range(len(buildings))], dtype=object),
        roads_wgs84=to_degrees(roads),
        road_classes=np.array(["residential"] * len(roads), dtype=object),
        source="made up",
    )


def one_block() -> AreaMap:
    """A block 10 m east of the datum, 20 m wide and 8 m deep, and a road along north through the datum."""
    return area_of([shapely.box(10.0, -10.0, 18.0, 10.0)], [shapely.LineString([(0.0, -60.0), (0.0, 60.0)])])


def crossing(seed: int = 3) -> AreaMap:
    """A crossing of two 240 m roads between houses of random size: every place looks different."""
    random = np.random.default_rng(seed)
    houses = []
    for across in (-1, 1):
        for along_east in (True, False):
            at = -120.0
            while at < 115.0:
                width, depth, gap = random.uniform(7, 18), random.uniform(7, 14), random.uniform(2, 9)
                if abs(at) > 12.0 and abs(at + width) > 12.0 and at * (at + width) > 0:
                    near = random.uniform(7.0, 11.0)
                    low, high = sorted((across * near, across * (near + depth)))
                    houses.append(shapely.box(at, low, at + width, high) if along_east else shapely.box(low, at, high, at + width))
                at += width + gap
    roads = [shapely.LineString([(-125.0, 0.0), (125.0, 0.0)]), shapely.LineString([(0.0, -125.0), (0.0, 125.0)])]
    return area_of(houses, roads)


def street(metres: float, seed: int = 5) -> AreaMap:
    """A road along east from the datum between houses of random size: every place looks different."""
    random = np.random.default_rng(seed)
    houses = []
    for across in (-1, 1):
        at = 0.0
        while at < metres - 20.0:
            width, depth, gap, near = (random.uniform(*limits) for limits in ((7, 18), (7, 14), (3, 12), (7, 12)))
            low, high = sorted((across * near, across * (near + depth)))
            houses.append(shapely.box(at, low, at + width, high))
            at += width + gap
    return area_of(houses, [shapely.LineString([(0.0, 0.0), (metres, 0.0)])])


def uneven_crossing() -> AreaMap:
    """The crossing, two houses more, so that its middle does not lie on a road, and a lane in the north-east."""
    area, lane = crossing(), shapely.LineString([(100.0, 0.0), (100.0, 110.0)])
    return area_of([*area.buildings, shapely.box(138.0, -30.0, 150.0, -20.0), shapely.box(-30.0, 130.0, -20.0, 141.0)], [*area.roads, lane])
