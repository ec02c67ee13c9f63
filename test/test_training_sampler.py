# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where training poses are drawn: stretches of drives along the road graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from towns import area_of, crossing

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import MapNetConfig, SamplerConfig
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle
from urban_map_loc.mapnet.cells import NO_CELL, PositionCells, drivable_cells
from urban_map_loc.training.sampler import RoadSampler
from urban_map_loc.training.stretches import RoadGraph

HOUSE = shapely.box(40, 40, 50, 50)
# Along the road's middle, in its direction.
EXACT = SamplerConfig(lateral_m=0.0, heading_rad=0.0, any_heading=0.0, tuple_length=3, tuple_spacing_m=8.0, tuple_spacing_jitter=0.0)


def sampler(area: AreaMap, config: SamplerConfig) -> RoadSampler:
    return RoadSampler(area, config, PositionCells(drivable_cells(area, MapNetConfig()), 16.0))


JUNCTION = ([(-90.0, 0.0), (0.0, 0.0), (90.0, 0.0)], [(0.0, -90.0), (0.0, 0.0), (0.0, 90.0)])


def roads(*lines: list[tuple[float, float]]) -> AreaMap:
    return area_of([HOUSE], [shapely.LineString(line) for line in lines])


def stretches(area: AreaMap, config: SamplerConfig, count: int = 300, seed: int = 0) -> FloatArray:
    """Poses `(N, L, 3)`."""
    return sampler(area, config).draw(count * config.tuple_length, np.random.default_rng(seed)).reshape(-1, config.tuple_length, 3)


def distances(poses: FloatArray) -> FloatArray:
    return np.hypot(*np.moveaxis(np.diff(poses[..., :2], axis=1), 2, 0))


def test_poses_of_a_straight_road_are_as_far_apart_as_asked() -> None:
    drawn = stretches(roads([(-90, 0), (90, 0)]), EXACT)
    inner = np.abs(drawn[..., 0]).max(axis=1) < 84.0  # where the road ends, the car stands a little short of it
    assert inner.sum() > 200
    np.testing.assert_allclose(distances(drawn[inner]), 8.0, atol=1e-3)
    jittered = stretches(roads([(-90, 0), (90, 0)]), replace(EXACT, tuple_spacing_jitter=0.25))
    inner = np.abs(jittered[..., 0]).max(axis=1) < 84.0
    spread = distances(jittered[inner])
    assert 6.0 - 1e-3 <= spread.min() < 6.3
    assert 9.7 < spread.max() <= 10.0 + 1e-3


def test_a_drive_keeps_its_direction_and_both_directions_are_driven() -> None:
    drawn = stretches(roads([(-90, 0), (90, 0)]), EXACT)
    forward = np.sign(np.diff(drawn[..., 0], axis=1))
    np.testing.assert_allclose(np.cos(drawn[:, :2, 2]), forward, atol=1e-6)
    assert 0.4 < (forward[:, 0] > 0).mean() < 0.6


def test_a_corner_is_rounded() -> None:
    graph = RoadGraph.from_area(roads([(-50, 0), (0, 0), (0, 50)]))
    (edge,) = np.flatnonzero((graph.along @ [1.0, 0.0] > 49.0) & (graph.start[:, 0] < -49.0))
    # 4, 2, 0 m before the corner and so on, rounded over 4 m each way.
    poses = graph.paths(np.array([edge]), np.array([46.0 / 50.0]), np.full((1, 4), 2.0), 4.0, 2.1, 0)[0]
    np.testing.assert_allclose(poses[0], [-4.0, 0.0, 0.0], atol=1e-3)
    np.testing.assert_allclose(poses[2], [-1.0, 1.0, np.pi / 4.0], atol=1e-3)
    np.testing.assert_allclose(poses[4], [0.0, 4.0, np.pi / 2.0], atol=1e-3)
    assert 0.0 < poses[1, 2] < np.pi / 4.0 < poses[3, 2] < np.pi / 2.0


@given(spacing=st.floats(2.0, 20.0), length=st.integers(2, 6), seed=st.integers(0, 1000))
def test_a_drive_goes_where_it_heads(spacing: float, length: int, seed: int) -> None:
    config = replace(EXACT, tuple_length=length, tuple_spacing_m=spacing, tuple_spacing_jitter=0.3)
    drawn = stretches(roads(*JUNCTION), config, 20, seed)
    assert (distances(drawn) <= 1.3 * spacing + 1e-6).all()
    assert (np.abs(wrap_angle(np.diff(drawn[..., 2], axis=1))) <= np.pi / 2.0 + 1e-6).all()
    step = np.diff(drawn[..., :2], axis=1)
    ahead = np.stack([np.cos(drawn[:, :-1, 2]), np.sin(drawn[:, :-1, 2])], axis=2)
    assert ((step * ahead).sum(axis=2) > -1e-6).all()


def test_a_drive_goes_on_into_every_road_that_joins() -> None:
    drawn = stretches(roads(*JUNCTION), replace(EXACT, tuple_length=2, tuple_spacing_m=60.0), 2000)
    to_junction = np.hypot(*drawn[:, 0, :2].T)
    through = drawn[(to_junction < 50.0) & ((drawn[:, 0, :2] * drawn[:, 1, :2]).sum(axis=1) < 1.0) & (to_junction > 10.0)]
    turn = np.round(wrap_angle(through[:, 1, 2] - through[:, 0, 2]) / (np.pi / 2.0)).astype(int)
    straight, left, right = ((turn == k).mean() for k in (0, 1, -1))
    assert min(straight, left, right) > 0.2
    assert straight + left + right == pytest.approx(1.0)


def test_roads_joined_backwards_are_not_entered() -> None:
    drawn = stretches(roads([(-60, 0), (60, 0)], [(0, 0), (60, 10)]), replace(EXACT, tuple_length=2, tuple_spacing_m=40.0), 1000)
    turned = np.abs(wrap_angle(drawn[:, 1, 2] - drawn[:, 0, 2]))
    assert turned.max() < np.radians(20.0)


def test_where_a_road_ends_a_drive_begins_earlier() -> None:
    drawn = stretches(roads([(-30, 0), (30, 0)]), EXACT, 500)
    assert distances(drawn).min() > 8.0 - 1.3  # the last pose stands a quarter of the rounding short of the end
    assert np.abs(drawn[..., 0]).max() <= 30.0
    assert np.histogram(drawn[..., 0], bins=6, range=(-30, 30))[0].min() > 100


def test_on_a_road_shorter_than_the_drive_poses_lie_closer() -> None:
    drawn = stretches(roads([(-6, 0), (6, 0)]), EXACT, 50)
    assert np.isfinite(drawn).all()
    assert (distances(drawn) > 3.0).all()
    assert np.abs(drawn[..., 0]).max() <= 6.0


def test_lateral_offset_and_heading_error_change_slowly() -> None:
    config = replace(EXACT, lateral_m=1.5, heading_rad=0.15, tuple_length=2)
    near = stretches(roads([(-90, 0), (90, 0)]), replace(config, wander_m=1000.0), 1000)
    far = stretches(roads([(-90, 0), (90, 0)]), replace(config, wander_m=0.1), 1000)
    for k, deviation in ((1, 1.5), (2, 0.15)):
        value = near[..., k] if k == 1 else wrap_angle(2.0 * near[..., 2]) / 2.0  # whichever way the car drives
        assert value.std() == pytest.approx(deviation, rel=0.1)
        assert np.diff(value, axis=1).std() < 0.2 * deviation
    assert np.diff(far[..., 1], axis=1).std() == pytest.approx(1.5 * np.sqrt(2.0), rel=0.1)


def test_a_turned_car_stays_turned_for_the_whole_stretch() -> None:
    drawn = stretches(roads([(-90, 0), (90, 0)]), replace(EXACT, any_heading=1.0), 400)
    np.testing.assert_allclose(wrap_angle(drawn[:, 1:, 2] - drawn[:, :1, 2]), 0.0, atol=1e-6)
    assert np.histogram(drawn[:, 0, 2], bins=4, range=(-np.pi, np.pi))[0].min() > 60


@pytest.mark.parametrize("length", [1, 3, 7])
def test_whole_stretches_inside_cells_decided_by_the_seed(length: int) -> None:
    area = crossing()
    drawer = sampler(area, SamplerConfig(tuple_length=length))
    drawn = drawer.draw(100, np.random.default_rng(5))
    assert len(drawn) == 100 // length * length
    assert (drawer.cells.of(drawn[:, :2]) != NO_CELL).all()
    np.testing.assert_array_equal(drawn, drawer.draw(100, np.random.default_rng(5)))
    assert not np.array_equal(drawn, drawer.draw(100, np.random.default_rng(6)))
    assert len(drawer.draw(2, np.random.default_rng(0))) == max(length, 2 // length * length)
