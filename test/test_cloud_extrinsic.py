# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Sensor to base frame."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
import pytest

from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.errors import ConfigurationError


@pytest.mark.parametrize(
    ("rpy", "point", "expected"),
    [
        ((0, 0, pi / 2), (1, 0, 0), (0, 1, 0)),
        ((0, pi / 2, 0), (1, 0, 0), (0, 0, -1)),
        ((pi / 2, 0, 0), (0, 1, 0), (0, 0, 1)),
        ((pi / 2, 0, pi / 2), (0, 1, 0), (0, 0, 1)),
        ((0, pi / 2, pi / 2), (1, 0, 0), (0, 0, -1)),
    ],
)
def test_rotations(rpy: tuple[float, ...], point: tuple[float, ...], expected: tuple[float, ...]) -> None:
    moved = Extrinsic.from_xyz_rpy([0, 0, 0, *rpy]).apply(np.array([point], np.float32))
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, [expected], atol=1e-6)


def test_rotation_first_then_translation() -> None:
    moved = Extrinsic.from_xyz_rpy([10, 20, 30, 0, 0, pi / 2]).apply(np.array([[1, 2, 3]], np.float32))
    np.testing.assert_allclose(moved, [[8, 21, 33]], atol=1e-5)


def test_identity_copies_nothing() -> None:
    points = np.zeros((5, 3), np.float32)
    assert Extrinsic.from_xyz_rpy([0.0] * 6).apply(points) is points


def test_quaternion_equals_rpy() -> None:
    yaw = 0.7
    a = Extrinsic.from_xyz_rpy([1, 2, 3, 0, 0, yaw])
    b = Extrinsic.from_quaternion([1, 2, 3], [0, 0, 2 * sin(yaw / 2), 2 * cos(yaw / 2)])
    np.testing.assert_allclose(a.rotation, b.rotation, atol=1e-12)
    np.testing.assert_allclose(a.translation, b.translation)


@pytest.mark.parametrize("bad", [[0.0] * 5, [np.nan] * 6])
def test_bad_numbers(bad: list[float]) -> None:
    with pytest.raises(ConfigurationError, match="six finite numbers"):
        Extrinsic.from_xyz_rpy(bad)


def test_zero_quaternion() -> None:
    with pytest.raises(ConfigurationError, match="quaternion"):
        Extrinsic.from_quaternion([0, 0, 0], [0, 0, 0, 0])
