# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Walls carried by odometry: remembered, looked through, too old, out of range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.cloud.submap import MOST_VOTES, Submap
from urban_map_loc.config import SubmapConfig
from urban_map_loc.geometry.pose2 import Pose2

RANGE_M = 50.0
ONCE = SubmapConfig(window_m=40.0, minimum_scans=1)
TWICE = SubmapConfig(window_m=40.0, minimum_scans=2)
START = Pose2(-300.0, 1200.0, 2.1)  # odometry begins anywhere
STEP = Pose2(1.0, 0.0, 0.0)


def line(start: tuple[float, float], end: tuple[float, float], step: float = 0.2) -> NDArray[np.float64]:
    """Points [m] along a wall, in the frame of `START`."""
    count = int(np.hypot(end[0] - start[0], end[1] - start[1]) / step) + 1
    return np.linspace(start, end, count)


def drive(config: SubmapConfig, walls: list[NDArray[np.float64]], step: Pose2 = STEP) -> tuple[Submap, Pose2]:
    """A submap that is given the walls `(N, 2)` [m, frame of START] of each scan, the car driving `step` in between."""
    submap, T_start_base = Submap(config, RANGE_M), Pose2.identity()
    for k, points in enumerate(walls):
        T_start_base = T_start_base @ step if k else T_start_base
        submap.add(0.1 * k, T_start_base.inverse().transform(points), START @ T_start_base)
    return submap, T_start_base


def in_start(submap: Submap, T_start_base: Pose2) -> NDArray[np.float64]:
    return T_start_base.transform(submap.points(START @ T_start_base))


def nearest(points: NDArray[np.float64], wall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each point of `points` the distance [m] to the nearest of `wall`."""
    return np.linalg.norm(points[:, None] - wall[None], axis=2).min(axis=1)


WALL = line((0.0, 8.0), (30.0, 8.0))
NOTHING = np.zeros((0, 2))


def test_what_was_seen_once_stays_though_it_is_seen_no_more() -> None:
    submap, T = drive(ONCE, [WALL, NOTHING, NOTHING], Pose2(3.0, 0.5, 0.3))
    points = in_start(submap, T)
    assert nearest(points, WALL).max() < 1e-6
    assert nearest(WALL, points).max() < 0.75  # one point in each square of 0.5 m
    assert len(points) < len(WALL) / 2


def test_what_was_seen_too_seldom_does_not_count() -> None:
    once = line((0.0, -8.0), (10.0, -8.0))
    submap, T = drive(TWICE, [np.concatenate([WALL, once]), WALL], Pose2(0.0, 0.0, 0.0))
    points = in_start(submap, T)
    assert (points[:, 1] > 0.0).all()
    assert nearest(WALL, points).max() < 0.75


@pytest.mark.parametrize("stood", [1, 4, 3 * MOST_VOTES])
def test_what_has_gone_is_looked_through(stood: int) -> None:
    """A bus beside a standing car, taken for a wall, hides the wall behind it; then it drives off."""
    bus = line((-5.0, 4.0), (5.0, 4.0), 0.05)
    behind = line((-25.0, 12.0), (25.0, 12.0), 0.05)
    seen = [bus] * stood + [behind] * (min(stood, MOST_VOTES) + 1)
    submap, T = drive(ONCE, seen, Pose2.identity())
    points = in_start(submap, T)
    assert nearest(points, bus).min() > 1.0
    assert nearest(behind, points).max() < 0.75
    submap, T = drive(ONCE, seen[:stood], Pose2.identity())
    assert nearest(bus, in_start(submap, T)).max() < 0.75


@pytest.mark.parametrize(("other", "stays"), [((20.4, 5.2), True), ((9.9, 2.8), True), ((20.4, 5.8), False)])
def test_only_rays_through_the_very_spot_wear_it_away(other: tuple[float, float], stays: bool) -> None:
    """A corner and rays through its square 0.3 m beside it, right before it, and through it."""
    origin, corner, submap = Pose2.identity(), np.array([[10.2, 2.9]]), Submap(ONCE, RANGE_M)
    submap.add(0.0, corner, origin)
    for k in range(5):
        submap.add(1.0 + k, np.array([other]), origin)
    assert (nearest(corner, submap.points(origin)).max() < 1e-6) == stays


def test_what_was_seen_too_many_metres_ago_is_forgotten() -> None:
    walls = [WALL] + [NOTHING] * 39
    submap, T = drive(SubmapConfig(window_m=20.0, minimum_scans=1), walls[:21])
    assert len(in_start(submap, T)) > 0
    submap, T = drive(SubmapConfig(window_m=20.0, minimum_scans=1), walls[:22])
    assert len(in_start(submap, T)) == 0


def test_standing_forgets_nothing() -> None:
    submap, T = drive(ONCE, [WALL] + [NOTHING] * 300, Pose2.identity())
    assert len(in_start(submap, T)) > 30


def test_what_is_out_of_range_is_left_out() -> None:
    far = np.array([[49.0, 1.0], [51.0, 1.0], [-45.0, 0.0]])
    submap, T = drive(SubmapConfig(window_m=500.0, minimum_scans=1), [far] + [NOTHING] * 10)
    np.testing.assert_allclose(in_start(submap, T), [[49.0, 1.0]], atol=1e-6)


def test_a_long_drive_takes_no_more_memory_and_mixes_nothing_up() -> None:
    """Squares of the ring buffer are used again and again."""
    submap, T_start_base = Submap(ONCE, RANGE_M), Pose2.identity()
    shape = submap._votes.shape
    for k in range(400):
        T_start_base = T_start_base @ STEP
        submap.add(0.1 * k, np.array([[10.0, 5.0], [5.0, -30.0]]), START @ T_start_base)
    points = in_start(submap, T_start_base)
    assert submap._votes.shape == shape
    assert set(np.round(points[:, 1], 6).tolist()) == {5.0, -30.0}
    assert len(points) <= 2 * 100  # as many squares as the window and the range hold
    assert points[:, 0].min() > 400.0 - 40.0


def test_repeated_and_late_scans_do_not_vote_again() -> None:
    submap = Submap(TWICE, RANGE_M)
    for stamp_s in (5.0, 5.0, 4.0):
        submap.add(stamp_s, WALL, START)
    assert len(submap.points(START)) == 0
    submap.add(5.1, WALL, START)
    assert len(submap.points(START)) > 0


def test_clear() -> None:
    submap = Submap(ONCE, RANGE_M)
    submap.add(5.0, WALL, START)
    submap.clear()
    assert len(submap.points(START)) == 0
    submap.add(1.0, WALL, START)  # time may begin again
    assert len(submap.points(START)) > 0


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(st.tuples(*[st.floats(width=32) | st.floats(-60.0, 60.0, width=32)] * 2), max_size=12),
        max_size=6,
    ),
    st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-4.0, 4.0)),
    st.sampled_from([0.1, 0.5, 2.0]),
)
def test_any_points_are_survived_and_none_invented(
    scans: list[list[tuple[float, float]]], start: tuple[float, float, float], cell_m: float
) -> None:
    """NaN, infinities and far points among them; what comes out went in, is near and stands alone in its square."""
    submap = Submap(SubmapConfig(window_m=40.0, minimum_scans=1, cell_m=cell_m), RANGE_M)
    T_odom_base = Pose2.from_array(start)
    given_points = np.zeros((0, 2))
    for k, scan in enumerate(scans):
        points = np.array(scan, np.float64).reshape(-1, 2)
        submap.add(float(k), points, T_odom_base)
        given_points = np.concatenate([given_points, points])
    out = submap.points(T_odom_base)
    assert np.isfinite(out).all()
    assert (np.hypot(*out.T) <= RANGE_M + 1e-3).all()
    near = given_points[np.hypot(*np.nan_to_num(given_points, nan=np.inf).T) <= RANGE_M]
    if len(out):
        assert nearest(out, near).max() < 1e-3
    assert len(out) <= len(near)


def test_an_extended_scan_shows_what_a_bus_hides() -> None:
    submap = Submap(ONCE, RANGE_M)
    submap.add(0.0, WALL, START)
    bus = line((5.0, 4.0), (12.0, 4.0), 0.05)
    there = WALL[(WALL[:, 0] < 9.9) | (WALL[:, 0] > 24.1)]  # past the bus
    shown = submap.extended(BuildingScan(0.1, np.concatenate([there, bus])), START).points
    assert nearest(WALL, shown).max() < 0.75
    np.testing.assert_array_equal(shown[: len(there) + len(bus)], np.concatenate([there, bus]))


def test_without_a_window_there_is_the_scan_alone() -> None:
    submap, scan = Submap(SubmapConfig(window_m=0.0), RANGE_M), BuildingScan(0.0, WALL)
    assert submap.extended(scan, START) is scan
    assert submap.extended(BuildingScan(1.0, NOTHING), START).points is NOTHING


def test_an_extended_scan_keeps_what_else_was_seen() -> None:
    scan = BuildingScan(3.0, WALL, np.full(720, 9.0), np.ones((720, 100), np.uint8))
    shown = Submap(ONCE, RANGE_M).extended(scan, START)
    assert (shown.stamp_s, shown.seen_m, shown.road) == (3.0, scan.seen_m, scan.road)
    np.testing.assert_array_equal(shown.points[: len(WALL)], WALL)
