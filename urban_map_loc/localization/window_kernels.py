# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compiled normal equations of the pose window; see `window.py` for what the factors are.

Poses follow each other as east [m], north [m], yaw [rad]; only neighbours meet in a factor, so that their part of the matrix is
`band (6, 3N)`: row k holds the k-th diagonal below the main one, `band[k, j] = matrix[j + k, j]`. Odometry's scale and turn meet every
pose: `border (3N, 2)`, and each other: `block (2, 2)`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.localization.alignment import Distances, normal_equations

SHORTEST_M = 0.01  # a step of odometry is never more certain than one of this length


@njit(cache=True, inline="always")
def _wrap(angle: float) -> float:
    return math.pi - (math.pi - angle) % (2.0 * math.pi)


@njit(cache=True)
def add_map(
    distance: Distances,
    corner: FloatArray,
    step: float,
    sigma: float,
    weight: float,
    points: FloatArray,
    first: NDArray[np.int64],
    poses: FloatArray,
    band: FloatArray,
    gradient: FloatArray,
) -> float:
    """Add what hits `points (M, 2)` (base frames; those of pose i are `first[i]` to `first[i + 1]`) say of poses `(N, 3)`.

    A hit's residual is its distance to the nearest wall, under Welsch's kernel; `weight` [1/m2] is one hit's information. Returned is
    the cost: `weight` * sigma^2 for a hit that no wall explains, 0 for one on a wall.
    """
    explained = 0.0
    matrix, slope = np.empty((3, 3)), np.empty(3)
    for i in range(first.shape[0] - 1):
        hits = points[first[i] : first[i + 1]]
        explained += normal_equations(distance, corner, step, sigma, hits, poses[i, 0], poses[i, 1], poses[i, 2], matrix, slope)
        for a in range(3):
            gradient[3 * i + a] += weight * slope[a]
            for b in range(a, 3):
                band[b - a, 3 * i + a] += weight * matrix[a, b]
    return weight * sigma * sigma * (points.shape[0] - explained)


@njit(cache=True)
def add_odometry(
    poses: FloatArray,
    odometry: FloatArray,
    shared: FloatArray,
    walk: float,
    heading_walk: float,
    band: FloatArray,
    border: FloatArray,
    block: FloatArray,
    gradient: FloatArray,
    shared_gradient: FloatArray,
) -> float:
    """Add what `odometry (N, 3)` says of consecutive poses `(N, 3)`, given `shared (2,)`: odometry's scale and turn.

    The residuals are R(yaw)^T (t' - t) - scale * step and yaw' - yaw - step's yaw - turn * length; their variances grow with
    length: `walk` [m/sqrt(m)], `heading_walk` [rad/sqrt(m)]. Returned is half the sum of their normalised squares.
    """
    cost = 0.0
    jacobian = np.zeros((3, 6))
    to_shared = np.zeros((3, 2))
    residual = np.zeros(3)
    for i in range(poses.shape[0] - 1):
        c, s = math.cos(odometry[i, 2]), math.sin(odometry[i, 2])
        x, y = odometry[i + 1, 0] - odometry[i, 0], odometry[i + 1, 1] - odometry[i, 1]
        forward, left, yaw = c * x + s * y, -s * x + c * y, odometry[i + 1, 2] - odometry[i, 2]
        length = math.hypot(x, y)
        c, s = math.cos(poses[i, 2]), math.sin(poses[i, 2])
        east, north = poses[i + 1, 0] - poses[i, 0], poses[i + 1, 1] - poses[i, 1]
        residual[0] = c * east + s * north - shared[0] * forward
        residual[1] = -s * east + c * north - shared[0] * left
        residual[2] = _wrap(poses[i + 1, 2] - poses[i, 2] - yaw - shared[1] * length)
        to_shared[0, 0], to_shared[1, 0], to_shared[2, 1] = -forward, -left, -length
        jacobian[0, 0], jacobian[0, 1], jacobian[0, 2] = -c, -s, -s * east + c * north
        jacobian[1, 0], jacobian[1, 1], jacobian[1, 2] = s, -c, -c * east - s * north
        jacobian[0, 3], jacobian[0, 4], jacobian[1, 3], jacobian[1, 4] = c, s, -s, c
        jacobian[2, 2], jacobian[2, 5] = -1.0, 1.0
        for r in range(3):
            w = 1.0 / ((heading_walk if r == 2 else walk) ** 2 * max(length, SHORTEST_M))
            cost += 0.5 * w * residual[r] ** 2
            for a in range(6):
                gradient[3 * i + a] += w * jacobian[r, a] * residual[r]
                for b in range(a, 6):
                    band[b - a, 3 * i + a] += w * jacobian[r, a] * jacobian[r, b]
                for b in range(2):
                    border[3 * i + a, b] += w * jacobian[r, a] * to_shared[r, b]
            for a in range(2):
                shared_gradient[a] += w * to_shared[r, a] * residual[r]
                for b in range(2):
                    block[a, b] += w * to_shared[r, a] * to_shared[r, b]
    return cost
