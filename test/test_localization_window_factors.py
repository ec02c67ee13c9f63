# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""PoseWindow's factors one by one, against what they are by definition: no walls, a few poses, numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from towns import one_block

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import RasterConfig, TrackingConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.recent_drive import Keyframe
from urban_map_loc.localization.window import NormalEquations, PoseWindow

CONFIG = TrackingConfig()
RASTER = BuildingRaster.from_area(one_block(), RasterConfig())
FAR = Pose2(1000.0, 0.0, 0.4)  # beyond the map


def blind(poses: int, start: Pose2 = FAR, step: Pose2 = Pose2(1.0, 0.0, 0.1)) -> PoseWindow:  # noqa: B008
    """A window of keyframes without hits, a step apart: a metre, and turning."""
    odometry, keyframes = Pose2(5.0, 6.0, -1.0), []
    for k in range(poses):
        keyframes.append(Keyframe(float(k), odometry, np.zeros((0, 2)), 5.0 + k))
        odometry = odometry @ step
    return PoseWindow(RASTER, CONFIG, keyframes, start @ keyframes[0].T_odom_base.inverse(), 0.3, 0.02)


def test_without_walls_poses_are_where_odometry_has_them() -> None:
    window = blind(4, step=Pose2(1.2, 0.3, 0.1))
    T_map_odom = FAR @ window.keyframes[0].T_odom_base.inverse()
    expected = [(T_map_odom @ keyframe.T_odom_base).as_array() for keyframe in window.keyframes]
    assert window.poses == pytest.approx(np.array(expected), abs=1e-6)
    assert (window.scale, window.turn) == pytest.approx((1.0, 0.0), abs=1e-9)


def test_where_it_starts_is_known_to_what_was_asked_and_what_odometry_may_be_off() -> None:
    window = blind(4)  # three metres
    first = [0.3 + CONFIG.scale_sigma * 3.0] * 2 + [0.02 + CONFIG.turn_sigma * 3.0]
    assert np.diag(window._information) ** -0.5 == pytest.approx([CONFIG.scale_sigma, CONFIG.turn_sigma, *first])
    assert window._information == pytest.approx(np.diag(np.diag(window._information)))


def test_walls_are_seen_from_afar_in_the_first_step_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    window, asked = blind(3), []
    window.covariance = np.diag([9.0, 16.0, 0.01])
    window.poses[2] += [0.5, 0.5, 0.0]
    whole = window._normal_equations

    def noted(count: int, maps: int | None = None, sigma_m: float | None = None) -> NormalEquations:
        asked.append(sigma_m)
        return whole(count, maps, sigma_m)

    monkeypatch.setattr(window, "_normal_equations", noted)
    window.solve()
    assert len(asked) > 1
    assert asked == pytest.approx([np.hypot(CONFIG.wall_sigma_m, 4.0)] + [CONFIG.wall_sigma_m] * (len(asked) - 1))


@pytest.mark.parametrize(("stamp_s", "place"), [(-1.0, 1), (0.5, 1), (1.5, 2), (2.0, 3), (9.0, 4)])
def test_a_late_keyframe_goes_where_its_stamp_says_but_never_first(stamp_s: float, place: int) -> None:
    window = blind(4)
    T_odom_base = window.keyframes[place - 1].T_odom_base @ Pose2(0.5, 0.1, 0.05)
    late = Keyframe(stamp_s, T_odom_base, np.zeros((0, 2)), 0.0)
    before = Pose2.from_array(window.poses[place - 1])
    window.add(late)
    assert window.keyframes[place] is late
    assert Pose2.from_array(window.poses[place]).distance_to(before @ Pose2(0.5, 0.1, 0.05)) < 0.01


def test_the_pose_at_a_past_stamp_is_from_the_nearest_keyframe_on() -> None:
    window = blind(4)
    T_odom_base = window.keyframes[1].T_odom_base @ Pose2(0.2, 0.3, 0.1)
    for stamp_s, nearest in ((1.2, 1), (1.7, 2)):
        window.poses[nearest, :2] += [0.0, 0.2 * nearest]
        pose, covariance = window.near(stamp_s, T_odom_base)
        step = window.keyframes[nearest].T_odom_base.inverse() @ T_odom_base
        assert pose.distance_to(Pose2.from_array(window.poses[nearest]) @ step) < 1e-6
        assert covariance == pytest.approx(window.at(T_odom_base)[1])


def test_the_matrix_is_the_gradients_slope_where_nothing_is_off() -> None:
    window = blind(5, step=Pose2(1.2, 0.3, 0.1))
    window._forget_oldest()
    at = window.poses[2]
    window.add_fix(3.0, window.keyframes[2].T_odom_base, at[:2].copy(), np.diag([2e-5, 5e-5]))

    def gradient(unknown: int, change: float) -> np.ndarray:
        values = window._shared if unknown < 2 else window.poses.reshape(-1)
        values[unknown if unknown < 2 else unknown - 2] += change
        found = window._normal_equations(4).dense()[1]
        values[unknown if unknown < 2 else unknown - 2] -= change
        return found

    matrix, rest = window._normal_equations(4).dense()
    assert rest == pytest.approx(0.0, abs=1e-6)
    slope = np.array([(gradient(k, 1e-5) - gradient(k, -1e-5)) / 2e-5 for k in range(14)])
    assert matrix == pytest.approx(slope, rel=1e-5, abs=1e-6 * np.abs(matrix).max())


def test_a_fix_pulls_along_the_slope_of_cauchys_kernel() -> None:
    window = blind(3)
    free = window._normal_equations(3)
    information, arm = np.array([[0.5, 0.1], [0.1, 0.25]]), Pose2(0.4, -0.2, 0.3)
    at = Pose2.from_array(window.poses[1]) @ arm
    position = np.array([at.x + 3.0, at.y - 5.0])
    window.add_fix(1.2, window.keyframes[1].T_odom_base @ arm, position, np.linalg.inv(information))
    pulled = window._normal_equations(3)

    def cost(pose: np.ndarray) -> float:
        there = Pose2.from_array(pose) @ arm
        off = np.array([there.x, there.y]) - position
        return float(0.5 * CONFIG.fix_kernel**2 * np.log1p(off @ information @ off / CONFIG.fix_kernel**2))

    slope = [(cost(window.poses[1] + h) - cost(window.poses[1] - h)) / 2e-5 for h in np.eye(3) * 1e-5]
    assert (pulled.gradient - free.gradient)[3:6] == pytest.approx(slope, rel=1e-5)
    assert np.delete(pulled.gradient - free.gradient, [3, 4, 5]) == pytest.approx(0.0, abs=1e-9)


def test_headings_go_on_across_the_half_turn() -> None:
    window = blind(5, start=Pose2(1000.0, 0.0, np.pi - 0.15))
    assert np.abs(np.diff(window.poses[:, 2])).max() > 6.0
    assert window._normal_equations(5).cost == pytest.approx(0.0, abs=1e-9)


def test_hits_on_the_walls_cost_nothing_at_any_pose() -> None:
    wall = np.column_stack([np.full(15, 10.0), np.linspace(-5.0, 5.0, 15)])
    frames = [Keyframe(float(k), Pose2(float(k), 0.0, 0.0), wall - [float(k), 0.0], float(k)) for k in range(3)]
    window = PoseWindow(RASTER, CONFIG, frames, Pose2.identity(), 0.3, 0.02)
    unexplained = CONFIG.hit_weight * CONFIG.wall_sigma_m**2
    assert window._normal_equations(3).cost < 0.1 * unexplained * 15


def test_fixes_at_poses_that_do_not_count_change_nothing_and_others_do() -> None:
    window = blind(4)
    free = window._normal_equations(2).gradient
    for metre in (3, 0):  # the first is at a pose that is not among the first two
        pose = window.poses[metre]
        window.add_fix(float(metre), window.keyframes[metre].T_odom_base, pose[:2] + [2.0, 0.0], np.eye(2))
    change = window._normal_equations(2).gradient - free
    assert change[0] < -0.1
    assert change[3:] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("axis", "walk"), [(0, CONFIG.odometry_walk), (1, CONFIG.odometry_walk), (2, CONFIG.heading_walk)])
@pytest.mark.parametrize("metres", [1.0, 4.0])
def test_odometry_is_a_random_walk_of_its_variance_a_metre(axis: int, walk: float, metres: float) -> None:
    keyframes = [Keyframe(s, Pose2(s, 0.0, 0.0), np.zeros((0, 2)), s) for s in (0.0, metres)]
    window = PoseWindow(RASTER, CONFIG, keyframes, Pose2(1000.0, 0.0, 0.0), 0.3, 0.02)
    window.poses[1, axis] += 0.01
    assert window._normal_equations(2).cost == pytest.approx(0.5 * 0.01**2 / (walk**2 * metres), rel=1e-6)


def test_the_prior_takes_the_short_way_between_headings() -> None:
    window = blind(2, start=Pose2(1000.0, 0.0, np.pi - 0.01))
    window._mean[4] = -np.pi + 0.02
    before = window._information[4, 4]
    assert window._normal_equations(1).cost == pytest.approx(0.5 * before * 0.03**2, rel=1e-6)


def test_beyond_the_newest_keyframe_a_certain_pose_grows_uncertain_as_odometry_does() -> None:
    window = blind(2)
    window.covariance = np.zeros((3, 3))
    pose, covariance = window.at(window.keyframes[-1].T_odom_base @ Pose2(4.0, 0.0, 0.0))
    along = CONFIG.odometry_walk**2 * 4.0 + (CONFIG.scale_sigma * 4.0) ** 2
    assert covariance == pytest.approx(np.diag([along, along, CONFIG.heading_walk**2 * 4.0 + (CONFIG.turn_sigma * 4.0) ** 2]))
    assert pose.distance_to(Pose2.from_array(window.poses[-1])) == pytest.approx(4.0)


def test_an_uncertain_heading_becomes_an_uncertain_place_across_it() -> None:
    window = blind(2)
    window.covariance = np.diag([0.0, 0.0, 0.1**2])
    pose, covariance = window.at(window.keyframes[-1].T_odom_base @ Pose2(10.0, 0.0, 0.0))
    along = np.array([np.cos(pose.yaw), np.sin(pose.yaw)])
    across = np.array([-along[1], along[0]])
    own = CONFIG.odometry_walk**2 * 10.0 + (CONFIG.scale_sigma * 10.0) ** 2
    assert across @ covariance[:2, :2] @ across == pytest.approx(own + 1.0)
    assert along @ covariance[:2, :2] @ along == pytest.approx(own)
    assert across @ covariance[:2, 2] == pytest.approx(0.1)


def test_where_the_prior_then_is_follows_from_all_that_left_with_the_oldest_pose() -> None:
    """Walls that were seen from it, but not those seen from the next, which still speaks for itself."""
    start, odometry = Pose2(1.0, 0.4, 0.02), [Pose2(float(k), 0.0, 0.0) for k in range(3)]
    wall = np.column_stack([np.full(15, 10.0), np.linspace(-5.0, 5.0, 15)])
    frames = [Keyframe(float(k), T, wall - [T.x, 0.0], float(k)) for k, T in enumerate(odometry)]
    window = PoseWindow(RASTER, CONFIG, frames, start, 0.3, 0.02)
    window.poses[:2] += [[0.2, -0.1, 0.01], [-0.1, 0.2, 0.0]]
    matrix, gradient = window._normal_equations(2, maps=1).dense()
    assert np.abs(gradient[[0, 1, 5, 6, 7]]).min() > 0.01
    expected = np.concatenate([[window.scale, window.turn], window.poses[:2].ravel()]) - np.linalg.solve(matrix, gradient)
    covariance = np.linalg.inv(matrix)
    window._forget_oldest()
    kept = [0, 1, 5, 6, 7]
    assert window._mean == pytest.approx(expected[kept], abs=1e-9)
    assert np.diag(np.linalg.inv(window._information))[2:] == pytest.approx(np.diag(covariance)[[5, 6, 7]], rel=1e-6)


def test_odometry_of_a_standing_car_is_as_uncertain_as_of_a_centimetre() -> None:
    standing = [Keyframe(float(s), Pose2.identity(), np.zeros((0, 2)), 0.0) for s in (0, 1)]
    window = PoseWindow(RASTER, CONFIG, standing, Pose2(1000.0, 0.0, 0.0), 0.3, 0.02)
    window.poses[1, 0] += 0.01
    assert window._normal_equations(2).cost == pytest.approx(0.5 * 0.01**2 / (CONFIG.odometry_walk**2 * 0.01), rel=1e-6)


def test_odometrys_scale_carries_a_late_keyframe() -> None:
    window = blind(3)
    window._shared = np.array([1.1, 0.0])
    window._mean[0] = 1.1
    expected = Pose2.from_array(window.poses[-1]) @ Pose2(2.2, 0.55, 0.2)
    found = []
    window.solve = lambda: found.append(window.poses[-1].copy())  # type: ignore[method-assign]
    window.add(Keyframe(9.0, window.keyframes[-1].T_odom_base @ Pose2(2.0, 0.5, 0.2), np.zeros((0, 2)), 3.0))
    assert Pose2.from_array(found[0]).distance_to(expected) < 1e-9


def test_what_leaves_the_window_stays_as_its_marginal() -> None:
    window = blind(4, step=Pose2(2.0, 0.0, 0.1))
    matrix, _ = window._normal_equations(2, maps=1).dense()
    kept = [0, 1, 5, 6, 7]  # scale, turn, the second pose
    marginal = np.linalg.inv(matrix)[np.ix_(kept, kept)]
    window._forget_oldest()
    walks = np.array([CONFIG.scale_walk, CONFIG.turn_walk, 0.0, 0.0, 0.0]) ** 2 * 2.0  # two metres were driven
    assert np.linalg.inv(window._information) == pytest.approx(marginal + np.diag(walks), rel=1e-6, abs=1e-12)
    assert len(window.keyframes) == len(window.poses) == 3
    assert (window.scale, window.turn) == pytest.approx((1.0, 0.0), abs=1e-6)
