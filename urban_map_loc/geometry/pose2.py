# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Poses in the plane, SE(2).

Convention (REP-103): x forward or east, y left or north, yaw counter-clockwise positive, 0 along x, in [rad], wrapped to
(-pi, pi]. A transform `T_a_b` maps coordinates given in frame b to frame a; `T_a_b @ T_b_c == T_a_c`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, hypot, sin

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def wrap_angle(angle: ArrayLike) -> FloatArray:
    """Wrap angles of any shape to (-pi, pi] [rad]."""
    angle = np.asarray(angle, dtype=np.float64)
    wrapped = np.pi - np.mod(np.pi - angle, 2.0 * np.pi)
    return np.asarray(wrapped)


@dataclass(frozen=True)
class Pose2:
    """A rigid transform of the plane: rotation by `yaw` [rad], then translation by (`x`, `y`) [m]."""

    x: float
    y: float
    yaw: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", float(self.x))
        object.__setattr__(self, "y", float(self.y))
        object.__setattr__(self, "yaw", float(wrap_angle(self.yaw)))

    @classmethod
    def identity(cls) -> Pose2:
        """The frame itself."""
        return cls(0.0, 0.0, 0.0)

    @classmethod
    def from_array(cls, pose: ArrayLike) -> Pose2:
        """From `(3,)`: x [m], y [m], yaw [rad]."""
        x, y, yaw = np.asarray(pose, dtype=np.float64)
        return cls(x, y, yaw)

    def as_array(self) -> FloatArray:
        """`(3,)`: x [m], y [m], yaw [rad]."""
        return np.array([self.x, self.y, self.yaw])

    def __matmul__(self, other: Pose2) -> Pose2:
        """Compose: `T_a_b @ T_b_c` is `T_a_c`."""
        c, s = cos(self.yaw), sin(self.yaw)
        return Pose2(
            self.x + c * other.x - s * other.y,
            self.y + s * other.x + c * other.y,
            self.yaw + other.yaw,
        )

    def inverse(self) -> Pose2:
        """`T_b_a` of `T_a_b`."""
        c, s = cos(self.yaw), sin(self.yaw)
        return Pose2(-c * self.x - s * self.y, s * self.x - c * self.y, -self.yaw)

    def transform(self, points: ArrayLike) -> FloatArray:
        """Map points `(N, 2)` [m] from frame b to frame a."""
        points = np.asarray(points, dtype=np.float64)
        c, s = cos(self.yaw), sin(self.yaw)
        return points @ np.array([[c, s], [-s, c]]) + np.array([self.x, self.y])

    def distance_to(self, other: Pose2) -> float:
        """Distance between the two origins [m]."""
        return hypot(self.x - other.x, self.y - other.y)

    def heading_difference(self, other: Pose2) -> float:
        """Absolute heading difference in [0, pi] [rad]."""
        return abs(float(wrap_angle(self.yaw - other.yaw)))


def yaw_of_quaternion(x: float, y: float, z: float, w: float) -> float:
    """Yaw [rad] of a unit quaternion, the rotation about z in the z-y-x order of REP-103."""
    return atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def quaternion_of_yaw(yaw: float) -> tuple[float, float, float, float]:
    """Unit quaternion (x, y, z, w) of a rotation by `yaw` [rad] about z."""
    return 0.0, 0.0, sin(yaw / 2.0), cos(yaw / 2.0)


def interpolate(start: Pose2, end: Pose2, fraction: float) -> Pose2:
    """The pose `fraction` (0 to 1) of the way from start to end: linear position, shortest rotation."""
    turn = float(wrap_angle(end.yaw - start.yaw))
    return Pose2(
        start.x + fraction * (end.x - start.x),
        start.y + fraction * (end.y - start.y),
        start.yaw + fraction * turn,
    )


def compose_all(pose: Pose2, poses: FloatArray) -> FloatArray:
    """`pose @ p` for each row of `poses (N, 3)`; yaw is wrapped."""
    out = np.empty_like(poses)
    out[:, :2] = pose.transform(poses[:, :2])
    out[:, 2] = wrap_angle(poses[:, 2] + pose.yaw)
    return out
