# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What rays see: nearest walls, free distance, road surface between beams."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from urban_map_loc.cloud.cloud import BUILDING, GROUND, OTHER, ROAD
from urban_map_loc.cloud.rays import RaysSeen, _bearing, along_rays
from urban_map_loc.config import TileConfig
from urban_map_loc.tile.from_cloud import ROAD_STEP_M

TILE = TileConfig(sectors=360, range_m=50.0)
AHEAD = 180  # the ray just left of straight ahead


def seen_of(points: list[list[float]], kinds: list[int], tile: TileConfig = TILE) -> RaysSeen:
    return along_rays(np.array(points, np.float32).reshape(-1, 3), np.array(kinds, np.uint8), tile, 2.5)


@given(*[st.floats(-100.0, 100.0, width=32)] * 2)
def test_bearing(x: float, y: float) -> None:
    x, y = x + 0.0, y + 0.0  # without negative zeros
    error = float(_bearing(np.float32(y), np.float32(x))) - np.arctan2(y, x)
    assert abs((error + pi) % (2.0 * pi) - pi) < 3e-5


def test_the_nearest_of_a_ray_wins() -> None:
    seen = seen_of([[20, 0.1, 1], [10, 0.1, 5], [30, 0.1, 1], [0.1, -10, 0]], [BUILDING] * 4)
    np.testing.assert_allclose(seen.hits, [[0.1, -10], [10, 0.1]], atol=1e-6)


def test_range_and_kind() -> None:
    seen = seen_of([[1, 0.1, 0], [60, -9, 0], [10, 5, 0], [10, -5, 0]], [BUILDING, BUILDING, OTHER, BUILDING])
    assert seen.hits.tolist() == [[10.0, -5.0]]


@settings(max_examples=80)
@given(
    st.lists(st.tuples(*[st.integers(-6000, 6000).map(lambda v: v / 100.0 + 0.003)] * 3), max_size=60),
    st.sampled_from([90, 360, 719]),
)
def test_against_the_definition(points: list[tuple[float, float, float]], sectors: int) -> None:
    cloud = np.array(points, np.float32).reshape(-1, 3)
    kinds = np.resize(np.array([BUILDING, BUILDING, GROUND, OTHER], np.uint8), len(cloud))
    seen = along_rays(cloud, kinds, TileConfig(sectors=sectors), 2.5)
    distance = np.hypot(*cloud[:, :2].T.astype(np.float64))
    inside = (distance >= 2.5) & (distance <= 50.0)
    ray = np.array([min(sectors - 1, int((_bearing(y, x) + pi) * sectors / (2 * pi))) for x, y, _ in cloud], int)
    hits, expected = [], np.zeros(sectors)
    for k in range(sectors):
        walls, ground = (distance[inside & (ray == k) & (kinds == kind)] for kind in (BUILDING, GROUND))
        hits += [walls.min()] if len(walls) else []
        expected[k] = walls.min() if len(walls) else ground.max(initial=0.0)
    np.testing.assert_allclose(np.hypot(*seen.hits.T), hits, rtol=1e-6)
    np.testing.assert_allclose(seen.seen_m, expected, rtol=1e-6)
    assert (np.diff(np.arctan2(seen.hits[:, 1], seen.hits[:, 0])) > -1e-4).all()


def test_a_ray_is_free_to_its_wall_or_to_the_farthest_ground() -> None:
    points = [[20, 0.1, 0], [30, 0.1, 0], [40, 0.1, 6], [0.1, 12, 0], [0.1, 10, 2], [-30, 0.1, 0], [-9, 0.1, 1]]
    seen = seen_of(points, [GROUND, ROAD, OTHER, GROUND, BUILDING, GROUND, OTHER]).seen_m
    rays = {AHEAD: 30.0, 269: 10.0, 359: 30.0}  # ahead, left, behind
    np.testing.assert_allclose([seen[k] for k in rays], list(rays.values()), atol=1e-3)
    assert np.count_nonzero(seen) == 3


def road_of(ranges: list[float], kinds: list[int]) -> NDArray[np.uint8]:
    """Road [m along the ray ahead, each `ROAD_STEP_M`] of returns at `ranges` [m]."""
    return seen_of([[r, 0.05, 0] for r in ranges], kinds).road[AHEAD]


def test_road_is_filled_between_its_returns_and_to_the_car() -> None:
    road = road_of([5.2, 12.2, 30.2], [ROAD, ROAD, ROAD])
    assert road.tolist() == [1] * 61 + [0] * 39


def test_other_ground_ends_the_road() -> None:
    road = road_of([5.2, 8.2, 9.7, 12.2, 14.2], [ROAD, ROAD, GROUND, ROAD, ROAD])
    assert np.flatnonzero(road).tolist() == [*range(17), *range(24, 29)]
    assert not road_of([5.2, 8.2], [GROUND, ROAD])[:16].any()


def test_road_behind_a_wall_is_not_seen() -> None:
    road = road_of([5.2, 10.2, 20.2], [ROAD, BUILDING, ROAD])
    assert np.flatnonzero(road).tolist() == list(range(11))


@pytest.mark.parametrize("turn", [pi / 3, pi, 2.0 * pi])
def test_rays_span_the_field_of_view(turn: float) -> None:
    angle = np.linspace(-pi, pi, 720, endpoint=False) + 1e-3
    points = np.stack([10 * np.cos(angle), 10 * np.sin(angle), np.ones(720)], axis=-1).astype(np.float32)
    tile = TileConfig(sectors=round(720 * turn / (2 * pi)), field_of_view_rad=turn)
    seen = along_rays(points, np.full(720, BUILDING, np.uint8), tile, 2.5)
    assert np.abs(np.arctan2(seen.hits[:, 1], seen.hits[:, 0])).max() <= turn / 2 + 1e-4
    assert len(seen.hits) == tile.sectors
    assert seen.road.shape == (tile.sectors, 50 / ROAD_STEP_M)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(*[st.floats(width=32) | st.sampled_from([50.0, -50.0, 0.0])] * 3, st.integers(0, 3)), max_size=30),
    st.sampled_from([10.0, 33.3, 50.0]),
)
def test_any_points_are_survived(points: list[tuple[float, float, float, int]], range_m: float) -> None:
    seen = seen_of([list(p[:3]) for p in points], [p[3] for p in points], TileConfig(range_m=range_m))
    assert np.isfinite(seen.hits).all()
    assert ((seen.seen_m >= 0.0) & (seen.seen_m <= range_m + 1e-3)).all()
