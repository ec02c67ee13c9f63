# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""OdometryBuffer: jumps that no car makes are told from fast driving and from gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.odometry import OdometryBuffer

CONFIG = FusionConfig()


def buffer(*moves: tuple[float, Pose2]) -> tuple[OdometryBuffer, list[bool]]:
    out = OdometryBuffer(CONFIG)
    return out, [out.add(stamp_s, pose) for stamp_s, pose in moves]


@pytest.mark.parametrize(
    ("after_s", "pose", "steady"),
    [
        (0.02, Pose2(1.0, 0.0, 0.0), True),
        (0.02, Pose2(8.0, 0.0, 0.0), False),  # 400 m/s
        (0.1, Pose2(4.0, 0.0, 0.0), True),
        (0.1, Pose2(30.0, 0.0, 0.0), False),
        (0.02, Pose2(0.0, 0.0, 1.5), False),  # a quarter turn between two messages
        (0.1, Pose2(0.5, 0.0, 0.15), True),
        (2.0, Pose2(60.0, 0.0, 1.0), True),  # messages were lost; odometry was not
    ],
)
def test_what_a_car_can_do_is_steady(after_s: float, pose: Pose2, steady: bool) -> None:
    held, answers = buffer((10.0, Pose2.identity()), (10.0 + after_s, pose))
    assert answers == [True, steady]
    assert held.at(10.0 + after_s) == pose


@given(st.floats(0.0, 45.0), st.floats(-0.6, 0.6), st.floats(0.01, 0.2))
def test_driving_is_never_taken_for_a_jump(speed: float, turn_rate: float, period_s: float) -> None:
    pose, moves = Pose2(5.0, 5.0, 3.0), []
    for k in range(30):
        moves.append((k * period_s, pose))
        pose = pose @ Pose2(speed * period_s, 0.0, turn_rate * period_s)
    assert all(buffer(*moves)[1])


def test_after_a_jump_what_was_before_is_forgotten() -> None:
    held, _ = buffer((1.0, Pose2.identity()), (1.1, Pose2(500.0, 0.0, 0.0)))
    assert held.at(1.1) == Pose2(500.0, 0.0, 0.0)
    earlier = held.at(1.05)
    assert not isinstance(earlier, str)
    assert earlier.x == pytest.approx(500.0)
    assert np.isfinite(earlier.yaw)


def test_the_newest_pose_is_known_or_the_reason_why_not() -> None:
    held, _ = buffer()
    assert "no odometry yet" in str(held.newest)
    held.add(1.0, Pose2(1.0, 2.0, 3.0))
    assert held.newest == Pose2(1.0, 2.0, 3.0)


def test_a_little_after_the_newest_pose_the_car_goes_on_as_it_did() -> None:
    """Odometry that comes 0.3 s late must not leave the scan 3 m behind."""
    held, _ = buffer(*((1.0 + 0.05 * k, Pose2(0.5 * k, 3.0, 0.0)) for k in range(10)))
    late = held.at(1.45 + 0.3)
    assert not isinstance(late, str)
    assert (late.x, late.y, late.yaw) == pytest.approx((4.5 + 3.0, 3.0, 0.0))
    assert "has odom stopped" in str(held.at(1.45 + CONFIG.odometry_timeout_s + 0.01))
    alone, _ = buffer((1.0, Pose2(2.0, 0.0, 0.0)))
    assert alone.at(1.2) == Pose2(2.0, 0.0, 0.0)


def steps(k: float) -> float:
    """How far the car has come after k of 29 messages: twice as fast from the tenth on."""
    return k + max(0.0, k - 10.0)


TURNING = tuple((1.0 + 0.02 * k, Pose2(0.1 * steps(k), -0.04 * steps(k), 3.0 + 0.01 * steps(k))) for k in range(30))  # over the half turn


def test_the_poses_of_a_sweep_go_on_before_and_after_what_is_known() -> None:
    held, _ = buffer(*TURNING)
    stamps = np.array([0.9, 1.0, 1.21, 1.58, 1.58 + 0.2])
    found = held.poses(stamps)
    assert found is not None
    came = np.array([steps((stamp_s - 1.0) / 0.02) for stamp_s in stamps])
    assert found[:, 0] == pytest.approx(0.1 * came)
    assert found[:, 1] == pytest.approx(-0.04 * came)
    assert np.cos(found[:, 2] - 3.0 - 0.01 * came) == pytest.approx(1.0)


def test_a_sweep_far_from_all_odometry_has_no_poses() -> None:
    held, _ = buffer(*TURNING)
    limit = CONFIG.odometry_timeout_s
    assert held.poses(np.array([1.0 - limit - 0.01, 1.1])) is None
    assert held.poses(np.array([1.1, 1.58 + limit + 0.01])) is None
    assert held.poses(np.array([1.0 - limit + 0.01, 1.58 + limit - 0.01])) is not None
    assert buffer(TURNING[0])[0].poses(np.array([1.0])) is None


def test_what_comes_before_the_first_pose_is_told_how_far_odometry_reaches() -> None:
    held, _ = buffer(*TURNING)
    assert "reaches back 0.6 s only" in str(held.at(1.0 - CONFIG.odometry_timeout_s - 0.01))
    assert held.at(1.0 - CONFIG.odometry_timeout_s + 0.01) == TURNING[0][1]


def test_two_poses_shortly_after_one_another_are_enough_to_go_on() -> None:
    held, _ = buffer((1.0, Pose2(0.0, 0.0, 0.0)), (1.05, Pose2(0.5, 0.0, 0.0)))
    late = held.at(1.15)
    assert not isinstance(late, str)
    assert late.x == pytest.approx(1.5)


@pytest.mark.parametrize("period_s", [0.02, 0.045, 0.3])
@pytest.mark.parametrize("late_s", [-1.0, -0.31, -0.02, 0.0, 0.01, 0.25])
def test_a_sweep_is_where_its_neighbours_say_and_goes_on_at_the_last_moments_speed(period_s: float, late_s: float) -> None:
    random = np.random.default_rng(3)
    times = 1.0 + period_s * np.arange(70)
    east = np.cumsum(random.uniform(0.0, 0.5, 70))
    held, _ = buffer(*((float(t), Pose2(float(x), 0.0, 0.0)) for t, x in zip(times, east, strict=True)))
    sweep = times[-1] + late_s + np.array([-0.05, 0.0, 0.03])
    before = np.flatnonzero(times <= times[-1] - 0.1).max()
    speed = (east[-1] - east[before]) / (times[-1] - times[before])
    expected = np.where(sweep > times[-1], east[-1] + speed * (sweep - times[-1]), np.interp(sweep, times, east))
    found = held.poses(sweep)
    assert found is not None
    assert found[:, 0] == pytest.approx(expected, abs=1e-9)
    alone = [held.at(float(stamp_s)) for stamp_s in sweep]
    assert [pose.x for pose in alone if isinstance(pose, Pose2)] == pytest.approx(expected, abs=1e-9)


def test_two_poses_are_enough_for_a_sweep() -> None:
    held, _ = buffer((1.0, Pose2.identity()), (1.1, Pose2(1.0, 0.0, 0.0)))
    found = held.poses(np.array([0.95, 1.05, 1.15]))
    assert found is not None
    assert found[:, 0] == pytest.approx([-0.5, 0.5, 1.5])


def test_a_jump_is_one_after_a_long_drive_as_well() -> None:
    drove = [(1.0 + 0.1 * k, Pose2(0.5 * k, 0.0, 0.0)) for k in range(100)]
    _, steady = buffer(*drove, (drove[-1][0] + 0.1, Pose2(90.0, 0.0, 0.0)))
    assert steady == [True] * 100 + [False]


def test_what_comes_out_of_order_changes_nothing() -> None:
    held, steady = buffer((1.0, Pose2.identity()), (2.0, Pose2(4.0, 0.0, 0.0)), (1.5, Pose2(90.0, 0.0, 0.0)), (2.0, Pose2(9.0, 0.0, 0.0)))
    assert steady == [True] * 4
    assert held.newest == Pose2(4.0, 0.0, 0.0)
    middle = held.at(1.25)
    assert not isinstance(middle, str)
    assert middle.x == pytest.approx(1.0)


def test_reasons_tell_by_how_much_odometry_and_clouds_are_apart() -> None:
    held, _ = buffer(*((1.0 + 0.5 * k, Pose2(float(k), 0.0, 0.0)) for k in range(4)))
    assert "newest odometry is 0.75 s older" in str(held.at(3.25))
    assert "reaches back 1.5 s only" in str(held.at(0.3))


def test_only_so_many_seconds_are_kept() -> None:
    seconds = int(CONFIG.odometry_buffer_s) + 5
    held, _ = buffer(*((float(k), Pose2(float(k), 0.0, 0.0)) for k in range(seconds)))
    assert f"reaches back {CONFIG.odometry_buffer_s:.1f} s" in str(held.at(0.0))
