# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Single rays of submaps, strips, obstacles and moved walls, in scenes put together by hand."""

from __future__ import annotations

from dataclasses import replace
from math import atan2, pi
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import affinity
from towns import area_of

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import RasterConfig, TileConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.tile.from_map import NO_EFFECTS, MapRenderer
from urban_map_loc.tile.kernels import RayEffects, cast
from urban_map_loc.tile.scene import KNOTS, SCAN, STRIP, SUBMAP, draw_scene

TILE = TileConfig(sectors=180)
BEARING = (np.arange(TILE.sectors) + 0.5) * 2.0 * pi / TILE.sectors - pi
FINE = RasterConfig(resolution_m=0.25)
ROAD = [shapely.LineString([(-60, 0), (60, 0)])]
WALL_M = 6.0  # to the left of the road, along it
STREET = [shapely.box(-150, WALL_M, 150, WALL_M + 6.0)]
TURN = 0.5 * pi


def raster(buildings: list[Any], turned_rad: float = 0.0) -> BuildingRaster:
    """Of buildings turned about the datum."""
    return BuildingRaster.from_area(area_of([affinity.rotate(b, turned_rad, (0, 0), use_radians=True) for b in buildings], ROAD), FINE)


def seen_from(buildings: BuildingRaster, pose: Pose2, effects: RayEffects | None = None, **scene: object) -> tuple[FloatArray, FloatArray]:
    """Hits `(R, 2)` and how far rays see `(R,)` from one pose, in a scene without effects but for what is given."""
    points, seen = np.full((1, TILE.sectors, 2), 7.0), np.full((1, TILE.sectors), 7.0)
    plain = draw_scene(TILE, NO_EFFECTS, 1, 0)
    given = plain._replace(**{name: np.array([value], dtype=getattr(plain, name).dtype) for name, value in scene.items()})
    walls = MapRenderer(buildings, TILE)._walls
    cast(walls, pose.as_array()[None], np.zeros(1, np.int64), given, effects or RayEffects.of(NO_EFFECTS, 50.0), 2 * pi, points, seen)
    return points[0], seen[0]


def arc(metres: float, curvature: float) -> Pose2:
    """So far along an arc from the car, backwards where negative."""
    steps = 20_000
    end = np.exp(1j * curvature * metres * (np.arange(steps) + 0.5) / steps).sum() * metres / steps
    return Pose2(end.real, end.imag, metres * curvature)


@pytest.mark.parametrize("curvature", [0.0, 0.02, -0.015])
@pytest.mark.parametrize("turned_rad", [0.0, TURN])
@pytest.mark.parametrize("beside", [True, False], ids=["beside", "behind"])
def test_each_ray_of_a_submap_is_cast_from_its_pose_and_drawn_as_odometry_has_it(curvature: float, turned_rad: float, beside: bool) -> None:
    driven, odometry = (20.0, curvature), (21.0, curvature + 0.004)
    there = Pose2(0.0, 0.0, turned_rad)
    walls = STREET if beside else [shapely.box(-44, -80, -34, 80)]
    points, seen = seen_from(raster(walls, turned_rad), there, kind=SUBMAP, drive=[*driven, *odometry])
    hit = np.isfinite(points[:, 0])
    assert hit.sum() > 40
    own = np.arange(TILE.sectors) % 5 == 0
    for r in np.flatnonzero(hit):
        back = (r % 5) / 4.0
        origin, drawn = arc(-back * driven[0], driven[1]), arc(-back * odometry[0], odometry[1])
        direction = origin.yaw + BEARING[r]
        metres, slant = ((WALL_M - origin.y), np.sin(direction)) if beside else (-34.0 - origin.x, np.cos(direction))
        ray = Pose2(drawn.x, drawn.y, drawn.yaw + BEARING[r])
        along = ray.inverse().transform(points[r][None])[0]
        assert along[1] == pytest.approx(0.0, abs=1e-3)
        assert along[0] == pytest.approx(metres / slant, abs=0.3 / abs(slant))
        if own[r]:
            assert seen[r] == pytest.approx(along[0])
    nearest = np.maximum.accumulate(np.where(own, np.arange(TILE.sectors), 0))
    np.testing.assert_array_equal(seen, seen[nearest])  # what another pose's ray would have seen here is its neighbour's


@pytest.mark.parametrize("turned_rad", [0.0, TURN])
def test_a_strip_looks_left_and_right_all_the_way_back(turned_rad: float) -> None:
    both = [*STREET, shapely.box(-150, -20, 150, -9)]
    points, seen = seen_from(raster(both, turned_rad), Pose2(0.0, 0.0, turned_rad), kind=STRIP, drive=[45.0, 0.0, 45.0, 0.0])
    left, right = points[::2], points[1::2]
    assert left[:, 1] == pytest.approx(WALL_M, abs=0.3)
    assert right[:, 1] == pytest.approx(-9.0, abs=0.3)
    for side in (left, right):
        assert side[:, 0] == pytest.approx(-45.0 * np.arange(len(side)) / len(side), abs=1e-6)
    assert not seen.any()


def test_what_beams_see_ends_at_walls_or_at_their_reach_and_left_out_ones_see_as_their_neighbours() -> None:
    points, seen = seen_from(raster(STREET), Pose2.identity(), skipped=2, reach_m=30.0, view_rad=pi)
    inside, kept = np.abs(BEARING) <= 0.5 * pi, np.arange(TILE.sectors) % 3 == 0
    assert not seen[~inside].any()
    hit = np.isfinite(points[:, 0])
    assert not hit[~inside | ~kept].any()
    assert seen[inside & kept & hit] == pytest.approx(np.hypot(*points[inside & kept & hit].T))
    assert (seen[inside & kept & ~hit] == 30.0).all()
    within = np.flatnonzero(inside)[3:]
    np.testing.assert_array_equal(seen[within], seen[within - within % 3])


def test_the_nearest_obstacle_stops_a_ray_however_near_and_in_whatever_order() -> None:
    nothing, hedge, wall, beyond = [0.0] * 5, [0.6, 0.0, 0.0, 0.5, 0.0], [4.0, 0.0, 0.0, 3.0, 1.0], [9.0, 0.0, 0.0, 3.0, 1.0]
    empty = raster([shapely.box(-150, 100, -140, 110)])
    ahead = np.argmin(np.abs(BEARING - 0.02))
    for obstacles, stops_m, is_hit in (
        ([nothing, beyond, wall], 4.0, True),
        ([wall, nothing, beyond], 4.0, True),
        ([beyond, hedge, wall], 0.6, False),
    ):
        points, seen = seen_from(empty, Pose2(0.0, 0.0, 0.3), obstacles=obstacles)
        assert seen[ahead] * np.cos(BEARING[ahead]) == pytest.approx(stops_m)
        assert np.isfinite(points[ahead, 0]) == is_hit
        if is_hit:
            assert points[ahead, 0] == pytest.approx(stops_m)
        shadow = np.abs(np.arctan2(3.0, 4.0)) > np.abs(BEARING)
        assert np.isfinite(points[~shadow & (np.abs(BEARING) > 0.7), 0]).sum() == 0


@pytest.mark.parametrize("turned_rad", [0.0, TURN, 2.5])
def test_walls_stand_off_the_outline_along_their_normal(turned_rad: float) -> None:
    """A house askew, seen by a car that heads elsewhere: what is moved is moved towards the house or away from it."""
    house = raster([shapely.box(10, -12, 22, 12)], turned_rad)
    pose = Pose2(0.0, 0.0, turned_rad + 0.7)
    clean, _ = seen_from(house, pose)
    moved, _ = seen_from(house, pose, RayEffects.of(replace(NO_EFFECTS, simplified_m=0.9), 50.0))
    back = Pose2(0.0, 0.0, 0.7)  # into a frame in which the wall stands across
    front = np.abs(back.transform(clean)[:, 1]) < 9.0  # its corners have no normal
    shift = back.transform(moved)[front] - back.transform(clean)[front]
    assert front.sum() > 25
    assert np.median(np.abs(shift[:, 1])) < 0.1
    assert np.abs(shift[:, 1]).max() < 0.35  # the raster's slope is that of its pixels
    assert np.abs(shift[:, 0]).max() <= 0.9 + 1e-6
    assert len(np.unique(shift[:, 0].round(2))) >= 4  # pieces of four metres
    assert np.abs(shift[:, 0]).max() > 0.2


def test_walls_move_as_the_knots_say_in_whose_direction_they_stand() -> None:
    house, knots = raster([shapely.box(10, -60, 22, 60)]), np.zeros((KNOTS, 2))
    straight, _ = seen_from(house, Pose2.identity())
    for knot in (KNOTS // 2, KNOTS // 2 + 1):
        knots[:] = 0.0
        knots[knot] = [1.5, 0.0]  # the car is moved east with it: the wall comes nearer
        points, _ = seen_from(house, Pose2.identity(), offsets=knots)
        nearer = straight[:, 0] - points[:, 0]
        middle = (knot - KNOTS // 2) * 2.0 * pi / KNOTS
        share = np.clip(1.0 - np.abs(BEARING - middle) / (2.0 * pi / KNOTS), 0.0, 1.0)
        ahead = np.isfinite(nearer) & (np.abs(BEARING) < 1.2)
        assert nearer[ahead] == pytest.approx(1.5 * share[ahead], abs=0.3)


def test_a_tilted_beam_ends_where_it_meets_the_road_or_passes_above() -> None:
    rows = area_of([shapely.box(10, -40, 14, 40), shapely.box(24, -40, 28, 40)], ROAD)
    house = BuildingRaster.from_area(replace(rows, building_heights=np.array([3.0, 30.0])), FINE)
    ahead = int(np.argmin(np.abs(BEARING - 0.02)))
    for rise, sees_m, hits in ((-0.3, 2.0 / 0.3, False), (-0.1, 10.0, True), (0.05, 10.0, True), (0.2, 24.0, True)):
        points, seen = seen_from(house, Pose2.identity(), tilt=[rise, 0.0], beam_height_m=2.0)
        assert seen[ahead] == pytest.approx(sees_m, abs=0.3)
        assert np.isfinite(points[ahead, 0]) == hits
        if hits:
            assert np.hypot(*points[ahead]) == pytest.approx(seen[ahead] * np.hypot(1.0, rise), rel=1e-4)
        behind = int(np.argmin(np.abs(BEARING + pi - 0.02)))
        assert seen[behind] == pytest.approx(50.0 if rise < 0.0 else min(50.0, 2.0 / rise), rel=0.01)


def test_a_scan_is_cast_from_where_the_car_is() -> None:
    points, _ = seen_from(raster(STREET), Pose2(3.0, 1.0, -0.4), kind=SCAN, drive=[20.0, 0.01, 20.0, 0.01])
    hit = np.isfinite(points[:, 0])
    assert Pose2(3.0, 1.0, -0.4).transform(points[hit])[:, 1] == pytest.approx(WALL_M, abs=0.3)
    assert [atan2(y, x) for x, y in points[hit]] == pytest.approx(BEARING[hit])
