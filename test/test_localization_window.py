# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""PoseWindow: odometry's errors are found, what no wall constrains stays uncertain, late scans and fixes have their place."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import shapely
from towns import area_of

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import RasterConfig, TileConfig, TrackingConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.recent_drive import Keyframe
from urban_map_loc.localization.window import NormalEquations, PoseWindow
from urban_map_loc.tile.from_map import MapRenderer

CONFIG = TrackingConfig()
T_ODOM_START = Pose2(300.0, -80.0, 2.0)


@cache
def street(*, gaps: bool) -> tuple[BuildingRaster, MapRenderer]:
    """A street along east, 360 m long, between walls without or with gaps, that ends at a wall across."""
    if gaps:
        starts = np.cumsum(np.random.default_rng(1).uniform(9.0, 22.0, 25))
        row = [shapely.box(x, low, x + 7.0, low + 10.0) for x in starts for low in (8.0, -18.0)]
    else:
        row = [shapely.box(-60, 8, 340, 18), shapely.box(-60, -18, 340, -8)]
    area = area_of([*row, shapely.box(360, -40, 370, 40)], [shapely.LineString([(-50, 0), (350, 0)])])
    raster = BuildingRaster.from_area(area, RasterConfig())
    return raster, MapRenderer(raster, TileConfig(sectors=120))


def keyframe(renderer: MapRenderer, metre: float, T_odom_base: Pose2, blank: bool = False) -> Keyframe:
    """What is seen `metre` along the street."""
    seen = renderer.points(np.array([[metre, 0.0, 0.0]]))[0]
    points = np.ascontiguousarray(seen[np.isfinite(seen[:, 0])])
    return Keyframe(metre, T_odom_base, np.zeros((0, 2)) if blank else points, metre)


def drive(renderer: MapRenderer, until: int, step: Pose2 = Pose2(1, 0, 0), blank_from: float = np.inf) -> list[Keyframe]:  # noqa: B008
    """Keyframes of a drive, a metre apart, whose odometry says `step` instead of a metre ahead."""
    out, odometry = [], T_ODOM_START
    for metre in range(until):
        out.append(keyframe(renderer, float(metre), odometry, metre >= blank_from))
        odometry = odometry @ step
    return out


def followed(raster: BuildingRaster, keyframes: list[Keyframe], config: TrackingConfig = CONFIG) -> PoseWindow:
    """A window started on the first ten keyframes, where they truly were, that has taken all others."""
    T_map_odom = Pose2(9.0, 0.0, 0.0) @ keyframes[9].T_odom_base.inverse()
    window = PoseWindow(raster, config, keyframes[:10], T_map_odom, 0.3, 0.02)
    for frame in keyframes[10:]:
        window.add(frame)
    return window


def test_a_scale_error_and_a_turn_of_odometry_are_found() -> None:
    raster, renderer = street(gaps=True)
    keyframes = drive(renderer, 220, Pose2(1.03, 0.0, -np.radians(0.01)))
    window = followed(raster, keyframes)
    assert window.scale == pytest.approx(1.0 / 1.03, abs=0.004)
    assert window.turn == pytest.approx(np.radians(0.01), abs=6e-5)
    assert np.abs(window.poses[-1] - [219.0, 0.0, 0.0]) == pytest.approx(0.0, abs=0.25)
    assert len(window.keyframes) == CONFIG.window_keyframes


def test_in_a_straight_street_the_pose_is_uncertain_along_and_certain_across() -> None:
    raster, renderer = street(gaps=False)
    window = followed(raster, drive(renderer, 150, Pose2(1.03, 0.0, 0.0)))
    along, across = np.sqrt(np.diag(window.covariance))[:2]
    assert across < 0.4
    assert along > 2.0
    error = window.poses[-1] - [149.0, 0.0, 0.0]
    assert abs(error[0]) < 3.0 * along
    assert abs(error[1]) < 0.3


def test_the_corner_after_a_straight_street_takes_metres_of_drift_away() -> None:
    raster, renderer = street(gaps=False)
    before = followed(raster, drive(renderer, 290, Pose2(1.03, 0.0, 0.0)))
    assert before.poses[-1, 0] - 289.0 > 4.0
    after = followed(raster, drive(renderer, 345, Pose2(1.03, 0.0, 0.0)))
    assert after.poses[-1, 0] - 344.0 == pytest.approx(0.0, abs=0.3)
    assert np.sqrt(after.covariance[0, 0]) < 1.0


def test_without_walls_the_uncertainty_grows_and_fixes_stop_it() -> None:
    raster, renderer = street(gaps=True)
    keyframes = drive(renderer, 200, Pose2(1.03, 0.0, 0.0), blank_from=30)
    window = followed(raster, keyframes[:100])
    blind_sigma = np.sqrt(np.diag(window.covariance))[:2]
    assert (blind_sigma > [0.8, 0.4]).all()
    aided = window.fork()
    for frame in keyframes[100:]:
        aided.add_fix(frame.stamp_s, frame.T_odom_base, np.array([frame.stamp_s, 0.0]), np.eye(2) * 4.0)
        aided.add(frame)
        window.add(frame)
    assert np.sqrt(aided.covariance[0, 0]) < 1.0 < np.sqrt(window.covariance[0, 0])
    assert abs(aided.poses[-1, 0] - 199.0) < abs(window.poses[-1, 0] - 199.0)


def test_a_fix_that_is_far_off_hardly_pulls() -> None:
    raster, renderer = street(gaps=True)
    keyframes = drive(renderer, 81)
    pulled, free = followed(raster, keyframes[:80]), followed(raster, keyframes[:80])
    pulled.add_fix(keyframes[79].stamp_s, keyframes[79].T_odom_base, np.array([79.0, 100.0]), np.eye(2) * 4.0)
    for window in (pulled, free):
        window.add(keyframes[80])
    assert np.abs(pulled.poses[-1] - free.poses[-1]).max() < 0.05


def test_a_late_scan_goes_where_its_stamp_says() -> None:
    raster, renderer = street(gaps=True)
    keyframes = drive(renderer, 60)
    in_time, late = followed(raster, keyframes), followed(raster, [*keyframes[:50], *keyframes[51:]])
    late.add(keyframes[50])
    assert [frame.stamp_s for frame in late.keyframes] == [frame.stamp_s for frame in in_time.keyframes]
    assert late.poses[-1] == pytest.approx(in_time.poses[-1], abs=0.02)
    assert late.covariance == pytest.approx(in_time.covariance, rel=0.02, abs=1e-6)


def test_a_short_window_remembers_by_its_prior() -> None:
    raster, renderer = street(gaps=True)
    keyframes = drive(renderer, 150, Pose2(1.03, 0.0, 0.0))
    short = followed(raster, keyframes, TrackingConfig(window_keyframes=12))
    long = followed(raster, keyframes, TrackingConfig(window_keyframes=200))
    assert short.poses[-1] == pytest.approx(long.poses[-1], abs=0.1)
    assert short.scale == pytest.approx(long.scale, abs=0.005)


def test_the_pose_between_keyframes_follows_odometry_and_grows_less_certain() -> None:
    raster, renderer = street(gaps=True)
    keyframes = drive(renderer, 100, Pose2(1.03, 0.0, 0.0))
    window = followed(raster, keyframes)
    pose, covariance = window.at(keyframes[-1].T_odom_base @ Pose2(10.3, 0.0, 0.0))
    assert (pose.x, pose.y) == pytest.approx((109.0, 0.0), abs=0.35)
    assert np.linalg.eigvalsh(covariance - window.covariance).min() > 0.0
    past, _ = window.near(80.2, keyframes[80].T_odom_base @ Pose2(0.206, 0.0, 0.0))
    assert past.x == pytest.approx(80.2, abs=0.3)


def test_the_banded_solution_is_that_of_the_whole_matrix() -> None:
    raster, renderer = street(gaps=True)
    window = followed(raster, drive(renderer, 40, Pose2(1.02, 0.0, 0.001)))
    equations = window._normal_equations(len(window.keyframes))
    step, shared, covariance = equations.solve()
    matrix, gradient = equations.dense()
    inverse = np.linalg.inv(matrix)
    assert np.concatenate([shared, step]) == pytest.approx(-inverse @ gradient, abs=1e-9)
    assert covariance == pytest.approx(inverse[-3:, -3:], rel=1e-6)


def test_the_gradient_is_the_slope_of_the_cost() -> None:
    raster, renderer = street(gaps=True)
    window = followed(raster, drive(renderer, 14, Pose2(1.02, 0.01, 0.002)))
    window.poses[12] += [0.06, -0.03, 0.01]

    def cost(pose: int, axis: int, change: float) -> float:
        window.poses[pose, axis] += change
        equations: NormalEquations = window._normal_equations(len(window.keyframes), 0)  # without the map: its slope is rasterised
        window.poses[pose, axis] -= change
        return equations.cost

    gradient = window._normal_equations(len(window.keyframes), 0).gradient
    for pose, axis in ((0, 0), (5, 1), (12, 0), (12, 2), (13, 2)):
        slope = (cost(pose, axis, 1e-5) - cost(pose, axis, -1e-5)) / 2e-5
        assert gradient[3 * pose + axis] == pytest.approx(slope, rel=1e-4, abs=1e-4)
