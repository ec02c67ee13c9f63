# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Undoing the motion of a sweep: where its points would lie had all been measured at the cloud's stamp."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, compose_all

# The car's motion is looked up at so many times of a sweep; between them it is as good as straight.
KNOTS = 17


class Motion(Protocol):
    """Where the car was, as `localization.OdometryBuffer` knows it."""

    def poses(self, stamps_s: FloatArray) -> FloatArray | None:
        """`T_odom_base` `(K, 3)` at stamps `(K,)` [s], continued at constant velocity beyond what is known; None where nothing is."""


def deskewed(cloud: Cloud, motion: Motion) -> Cloud:
    """The cloud as the car saw it at its stamp; itself where it carries no times or the motion is not known.

    The result's stamp stays the message's, which may be the time of the first point, the last or any other: offsets count from it. Motion
    is planar, so heights stay what they are. `cloud.points (N, 3)` are given in the base frame of each point's own time.
    """
    if cloud.offset_s is None or not len(cloud.points):
        return cloud
    first, last = float(cloud.offset_s.min()), float(cloud.offset_s.max())
    offsets = np.linspace(first, last, KNOTS)
    T_odom_base = motion.poses(np.append(cloud.stamp_s + offsets, cloud.stamp_s))
    if T_odom_base is None or last <= first:
        return cloud
    moved = compose_all(Pose2.from_array(T_odom_base[-1]).inverse(), T_odom_base[:-1])
    T_stamp_knot = np.column_stack([moved[:, :2], np.cos(moved[:, 2]), np.sin(moved[:, 2])]).astype(np.float32)
    points = _moved(cloud.points, cloud.offset_s, np.float32(first), np.float32((KNOTS - 1) / (last - first)), T_stamp_knot)
    return replace(cloud, points=points, offset_s=None)


@njit(cache=True)
def _moved(
    points: NDArray[np.float32], offset_s: NDArray[np.float32], first_s: np.float32, knots_per_s: np.float32, knots: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Points `(N, 3)` [m] by transforms interpolated among `knots (K, 4)`: x, y [m], cosine and sine of the yaw."""
    out = np.empty_like(points)
    for i in range(points.shape[0]):
        at = (offset_s[i] - first_s) * knots_per_s
        k = min(max(int(at), 0), knots.shape[0] - 2)
        share = at - np.float32(k)
        rest = np.float32(1.0) - share
        c = rest * knots[k, 2] + share * knots[k + 1, 2]
        s = rest * knots[k, 3] + share * knots[k + 1, 3]
        x, y = points[i, 0], points[i, 1]
        out[i, 0] = rest * knots[k, 0] + share * knots[k + 1, 0] + c * x - s * y
        out[i, 1] = rest * knots[k, 1] + share * knots[k + 1, 1] + s * x + c * y
        out[i, 2] = points[i, 2]
    return out
