# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compiled kernels of scores and alignment against what they are by definition, written once more with scipy's interpolation."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from urban_map_loc.area.raster import DISTANCE_STEP_M
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.localization.alignment import CONVERGED_M, DAMPING, align, distance_and_slope, normal_equations
from urban_map_loc.localization.kernels import coarse_hits, distinct, score_pose, score_poses
from urban_map_loc.localization.window_kernels import add_map

ROWS, COLUMNS, STEP_M, CORNER = 14, 17, 0.5, np.array([-3.0, 20.0])
RANDOM = np.random.default_rng(7)
DISTANCE = RANDOM.integers(-128, 128, (ROWS, COLUMNS)).astype(np.int8)
BUILDING = RANDOM.integers(0, 3, (ROWS, COLUMNS)).astype(np.uint16)
HIGH = np.zeros(65536, dtype=bool)
HIGH[2] = True
HIT = RANDOM.uniform(0.0, 1.0, 256)
DEEP, PENALTY, SIGMA_M = -40, 0.7, 5.0
POINTS, ORIGINS = RANDOM.normal(0.0, 2.5, (60, 2)), RANDOM.normal(0.0, 0.4, (60, 2))
EXTENT_M = STEP_M * np.array([COLUMNS, ROWS])
POSES = np.column_stack([CORNER + RANDOM.uniform(0.0, 1.0, (6, 2)) * EXTENT_M, RANDOM.uniform(-pi, pi, 6)])


def pixels(points: FloatArray, pose: FloatArray) -> FloatArray:
    """Fractional row and column `(2, M)` of points of the base frame."""
    c, s = np.cos(pose[2]), np.sin(pose[2])
    east, north = pose[0] + c * points[:, 0] - s * points[:, 1], pose[1] + s * points[:, 0] + c * points[:, 1]
    return np.array([(north - CORNER[1]) / STEP_M, (east - CORNER[0]) / STEP_M])


def between(values: FloatArray, where: FloatArray) -> FloatArray:
    return np.asarray(map_coordinates(values.astype(float), where, order=1))


def on_the_raster(where: FloatArray, margin: int) -> FloatArray:
    """Which pixels have neighbours so far on all sides."""
    below = np.floor(where)
    return ((below >= margin) & (below + 1 + margin < np.array([[ROWS], [COLUMNS]]))).all(axis=0)


def passed(start: FloatArray, end: FloatArray) -> bool:
    """Whether a ray is deep inside a high building at one of three places."""
    for share in (0.35, 0.6, 0.8):
        row, column = (int(value) for value in start + share * (end - start) + 0.5)
        if 0 <= row < ROWS and 0 <= column < COLUMNS and DISTANCE[row, column] < DEEP and HIGH[BUILDING[row, column]]:
            return True
    return False


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("deep", [DEEP, -128], ids=["with penalties", "without"])
def test_a_score_is_the_mean_hit_value_less_penalties(pose: FloatArray, deep: int) -> None:
    where, whence = pixels(POINTS, pose), pixels(ORIGINS, pose)
    values = np.where(on_the_raster(where, 0), between(HIT[DISTANCE.astype(int) + 128], where), 0.0)
    through = [passed(a, b) for a, b in zip(whence.T, where.T, strict=True)] if deep == DEEP else [False] * len(POINTS)
    expected = values.mean() - PENALTY * np.mean(through)
    found = score_pose(DISTANCE, BUILDING, HIGH, HIT, deep, CORNER, STEP_M, PENALTY, POINTS, ORIGINS, *pose)
    assert found == pytest.approx(expected, abs=1e-12)


def test_rays_pass_through_in_some_of_these_poses() -> None:
    through = [passed(a, b) for pose in POSES for a, b in zip(pixels(ORIGINS, pose).T, pixels(POINTS, pose).T, strict=True)]
    assert 0.02 < np.mean(through) < 0.9


def test_scores_of_many_poses_are_those_of_each() -> None:
    many = score_poses(DISTANCE, BUILDING, HIGH, HIT, DEEP, CORNER, STEP_M, PENALTY, POINTS, ORIGINS, POSES)
    each = [score_pose(DISTANCE, BUILDING, HIGH, HIT, DEEP, CORNER, STEP_M, PENALTY, POINTS, ORIGINS, *pose) for pose in POSES]
    assert many == pytest.approx(each)
    assert score_pose(DISTANCE, BUILDING, HIGH, HIT, DEEP, CORNER, STEP_M, PENALTY, POINTS[:0], ORIGINS[:0], *POSES[0]) == 0.0


@pytest.mark.parametrize("share", [0.35, 0.6, 0.8])
def test_a_ray_is_looked_at_in_three_places(share: float) -> None:
    distance = np.full((1, 101), 50, dtype=np.int8)
    distance[0, round(100 * share)] = -100
    building = np.full((1, 101), 2, dtype=np.uint16)
    ray, from_start = np.array([[100.0, 0.0]]), np.zeros((1, 2))
    arguments = (HIGH, np.zeros(256), -99, np.zeros(2), 1.0, 1.0, ray, from_start)
    assert score_pose(distance, building, *arguments, 0.0, 0.0, 0.0) == -1.0
    assert score_pose(distance, np.ones_like(building), *arguments, 0.0, 0.0, 0.0) == 0.0
    assert score_pose(distance, building, HIGH, np.zeros(256), -100, *arguments[3:], 0.0, 0.0, 0.0) == 0.0


def test_rays_along_the_first_column_count_and_below_the_first_row_do_not() -> None:
    distance, building = np.full((101, 2), -100, dtype=np.int8), np.full((101, 2), 2, dtype=np.uint16)
    rest = (HIGH, np.zeros(256), -99, np.zeros(2), 1.0, 1.0, np.array([[100.0, 0.0]]), np.zeros((1, 2)))
    assert score_pose(distance, building, *rest, 0.0, 0.0, 0.5 * pi) == -1.0
    assert score_pose(distance, building, *rest, -2.0, 0.0, 0.5 * pi) == 0.0
    assert score_pose(distance.T.copy(), building.T.copy(), *rest, 0.0, -2.0, 0.0) == 0.0


def slopes(where: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distance [m] and its slope east and north by central differences over three pixels."""
    row, column = where
    base_row, base_column = np.floor(where)
    # Across the slope it is interpolated, along it the pixels on either side of the two that enclose the place.
    east = between(DISTANCE, np.array([row, base_column + 2])) - between(DISTANCE, np.array([row, base_column - 1]))
    north = between(DISTANCE, np.array([base_row + 2, column])) - between(DISTANCE, np.array([base_row - 1, column]))
    scale = DISTANCE_STEP_M / (3.0 * STEP_M)
    return DISTANCE_STEP_M * between(DISTANCE, where), scale * east, scale * north


def test_distance_and_slope_between_pixels_and_at_the_rim() -> None:
    lattice = np.stack(np.meshgrid(np.arange(-1.0, ROWS + 1, 0.5), np.arange(-1.0, COLUMNS + 1, 0.5)), -1).reshape(-1, 2)
    where = np.concatenate([lattice, RANDOM.uniform(-2.0, 19.0, (100, 2))]).T
    inside = on_the_raster(where, 1)
    expected = np.where(inside, [*slopes(where), inside], 0.0)
    found = [distance_and_slope(DISTANCE, column, row, STEP_M) for row, column in where.T]
    assert np.array(found) == pytest.approx(expected.T, abs=1e-9)


def equations(points: FloatArray, pose: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Matrix, gradient and sum of weights, by the definition."""
    where = pixels(points, pose)
    inside = on_the_raster(where, 1)
    d, east, north = slopes(where[:, inside])
    w = np.exp(-0.5 * (d / SIGMA_M) ** 2)
    c, s = np.cos(pose[2]), np.sin(pose[2])
    turned = np.array([[-s, -c], [c, -s]]) @ points[inside].T  # d point / d yaw
    jacobian = np.stack([east, north, east * turned[0] + north * turned[1]])
    return (w * jacobian) @ jacobian.T, (w * d * jacobian).sum(axis=1), float(w.sum())


@pytest.mark.parametrize("pose", POSES)
def test_normal_equations_are_those_of_weighted_distances(pose: FloatArray) -> None:
    matrix, gradient = RANDOM.normal(size=(3, 3)), RANDOM.normal(size=3)  # what was there is overwritten
    total = normal_equations(DISTANCE, CORNER, STEP_M, SIGMA_M, POINTS, *pose, matrix, gradient)
    expected = equations(POINTS, pose)
    assert matrix == pytest.approx(expected[0])
    assert gradient == pytest.approx(expected[1])
    assert total == pytest.approx(expected[2])


def test_the_windows_map_factor_is_the_sum_over_its_poses() -> None:
    weight, first = 0.3, np.array([0, 25, 25, 60])
    band, gradient = np.zeros((6, 9)), np.zeros(9)
    cost = add_map(DISTANCE, CORNER, STEP_M, SIGMA_M, weight, POINTS, first, POSES[:3], band, gradient)
    explained = 0.0
    for i in range(3):
        matrix, slope, total = equations(POINTS[first[i] : first[i + 1]], POSES[i])
        explained += total
        assert gradient[3 * i : 3 * i + 3] == pytest.approx(weight * slope)
        lower = [[band[b - a, 3 * i + a] for a in range(b + 1)] for b in range(3)]
        assert np.concatenate(lower) == pytest.approx(weight * matrix[np.tril_indices(3)])
    assert cost == pytest.approx(weight * SIGMA_M**2 * (len(POINTS) - explained))
    assert not band[3:].any()


def test_the_first_look_is_at_whole_pixels_and_never_past_the_rim() -> None:
    points, headings = POINTS[:9] * 0.25, np.array([0.0, 0.7, -2.0])
    lattice = np.stack(np.meshgrid(np.arange(COLUMNS), np.arange(ROWS)), -1).reshape(-1, 2)
    found = coarse_hits(DISTANCE, HIT, CORNER, STEP_M, points, CORNER + STEP_M * lattice, headings)
    turned = [np.array([[np.cos(h), -np.sin(h)], [np.sin(h), np.cos(h)]]) for h in headings]
    offsets = np.round(np.array([points @ turn.T for turn in turned]) / STEP_M).astype(int)
    reach, value = np.abs(offsets).max(), np.floor(255.0 * HIT)
    for (column, row), looks in zip(lattice, found, strict=True):
        if min(column, row, COLUMNS - 1 - column, ROWS - 1 - row) < reach:
            assert not looks.any()
        else:
            seen = DISTANCE[row + offsets[..., 1], column + offsets[..., 0]].astype(int)
            assert looks == pytest.approx(value[seen + 128].mean(axis=1) / 255.0, abs=1e-6)
    assert found.any(axis=1).sum() == (COLUMNS - 2 * reach) * (ROWS - 2 * reach) > 0


def step_of(pose: FloatArray, longest: float) -> tuple[FloatArray, float]:
    """One Gauss-Newton step, cut to `longest`, and its length before [m], a radian being ten."""
    matrix, gradient, _ = equations(POINTS, pose)
    move = np.linalg.solve(matrix + np.diag([DAMPING, DAMPING, 100.0 * DAMPING]), gradient)
    length = max(np.hypot(*move[:2]), 10.0 * abs(move[2]))
    return pose - min(1.0, longest / length) * move, length


@pytest.mark.parametrize("longest", [0.05, 100.0], ids=["cut", "whole"])
def test_alignment_is_gauss_newton_in_steps_that_are_cut(longest: float) -> None:
    expected = np.array([step_of(pose, longest)[0] for pose in POSES])
    assert align(DISTANCE, CORNER, STEP_M, SIGMA_M, POINTS, POSES, 1, longest) == pytest.approx(expected, abs=1e-9)
    second = np.array([step_of(pose, longest)[0] for pose in expected])
    assert align(DISTANCE, CORNER, STEP_M, SIGMA_M, POINTS, POSES, 2, longest) == pytest.approx(second, abs=1e-9)


def test_alignment_ends_with_the_first_step_that_is_short() -> None:
    """A plane that rises eastward: each step leaves so much of the way to its zero as damping holds."""
    ramp = np.tile(np.arange(-50, 51, dtype=np.int8), (101, 1))
    kept = DAMPING / (20.0 * DISTANCE_STEP_M**2 + DAMPING)  # a pixel is a metre
    offset, length, steps = 5.0, np.inf, 0
    while length >= CONVERGED_M:
        length, offset, steps = offset * (1.0 - kept), offset * kept, steps + 1
    assert 5 < steps < 50
    found = align(ramp, np.zeros(2), 1.0, 1e6, np.zeros((20, 2)), np.array([[55.0, 50.0, 0.0]]), 50, 1e9)[0]
    assert found == pytest.approx([50.0 + offset, 50.0, 0.0], abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([-3.1, -2.9, -1.0, 0.0, 1.0, 2.9, 3.1])), max_size=12),
    st.integers(1, 12),
    st.randoms(use_true_random=False),
)
def test_distinct_keeps_the_first_of_what_is_near(places: list[tuple[float, float, float]], count: int, random: object) -> None:
    poses = np.array(places, dtype=float).reshape(-1, 3)
    order = list(range(len(poses)))
    random.shuffle(order)  # type: ignore[attr-defined]
    kept: list[int] = []
    for i in order:
        offset = poses[kept] - poses[i] if kept else np.zeros((0, 3))
        turn = np.abs((offset[:, 2] + pi) % (2 * pi) - pi)
        if len(kept) < count and not ((np.hypot(offset[:, 0], offset[:, 1]) < 2.0) & (turn < 0.5)).any():
            kept.append(i)
    assert distinct(poses, np.array(order, dtype=np.int64), count, 2.0, 0.5).tolist() == kept
