# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""SE(2): exact cases and group properties."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transforms3d.euler import euler2quat

from urban_map_loc.geometry.pose2 import Pose2, compose_all, interpolate, quaternion_of_yaw, wrap_angle, yaw_of_quaternion

metres = st.floats(-1e4, 1e4)
poses = st.builds(Pose2, metres, metres, st.floats(-10.0, 10.0))


def close(a: Pose2, b: Pose2) -> bool:
    return a.distance_to(b) < 1e-6 and a.heading_difference(b) < 1e-9


def test_a_quarter_turn_left_turns_forward_into_left() -> None:
    T_a_b = Pose2(1.0, 2.0, pi / 2)
    np.testing.assert_allclose(T_a_b.transform([[1.0, 0.0], [0.0, 1.0]]), [[1.0, 3.0], [0.0, 2.0]], atol=1e-12)


def test_a_relative_pose_is_composed_not_subtracted() -> None:
    start, end = Pose2(5.0, 5.0, pi / 2), Pose2(5.0, 8.0, pi / 2)
    assert close(start.inverse() @ end, Pose2(3.0, 0.0, 0.0))


@given(poses, poses, poses)
def test_composition_is_associative(a: Pose2, b: Pose2, c: Pose2) -> None:
    assert close((a @ b) @ c, a @ (b @ c))


@given(poses)
def test_the_inverse_undoes(pose: Pose2) -> None:
    assert close(pose @ pose.inverse(), Pose2.identity())
    assert close(pose.inverse() @ pose, Pose2.identity())


@given(poses, poses)
def test_composing_rows_is_composing_poses(a: Pose2, b: Pose2) -> None:
    assert close(Pose2.from_array(compose_all(a, b.as_array()[None])[0]), a @ b)


@given(st.floats(-100.0, 100.0))
def test_wrapped_angles_lie_in_the_half_open_turn(angle: float) -> None:
    wrapped = float(wrap_angle(angle))
    assert -pi < wrapped <= pi + 1e-12
    assert np.cos(wrapped) == pytest.approx(np.cos(angle), abs=1e-9)
    assert np.sin(wrapped) == pytest.approx(np.sin(angle), abs=1e-9)


@given(st.floats(-3.1, 3.1))
def test_yaw_survives_its_quaternion(yaw: float) -> None:
    assert yaw_of_quaternion(*quaternion_of_yaw(yaw)) == pytest.approx(yaw, abs=1e-9)


@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1))
def test_yaw_is_the_rotation_about_z_whatever_roll_and_pitch(yaw: float, pitch: float, roll: float) -> None:
    w, x, y, z = euler2quat(yaw, pitch, roll, "rzyx")
    assert np.cos(yaw_of_quaternion(x, y, z, w) - yaw) == pytest.approx(1.0, abs=1e-9)


def test_the_quaternion_of_a_quarter_turn() -> None:
    assert quaternion_of_yaw(pi / 2) == pytest.approx((0.0, 0.0, 0.5**0.5, 0.5**0.5), abs=1e-12)
    assert yaw_of_quaternion(0.0, 0.0, 0.0, 1.0) == 0.0


def test_interpolation_takes_the_short_way_round() -> None:
    half = interpolate(Pose2(0.0, 0.0, pi - 0.1), Pose2(2.0, 0.0, -pi + 0.1), 0.5)
    assert close(half, Pose2(1.0, 0.0, pi))


@given(poses, poses)
def test_interpolation_begins_at_the_start_and_ends_at_the_end(a: Pose2, b: Pose2) -> None:
    assert close(interpolate(a, b, 0.0), a)
    assert close(interpolate(a, b, 1.0), b)
    assert interpolate(a, b, 0.25).distance_to(a) == pytest.approx(0.25 * a.distance_to(b), abs=1e-6)
