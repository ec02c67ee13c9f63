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

from urban_map_loc.area.raster import DISTANCE_STEP_M
from urban_map_loc.geometry.pose2 import FloatArray

Distances = NDArray[np.int8]
SHORTEST_M = 0.01  # a step of odometry is never more certain than one of this length


@njit(cache=True, inline="always")
def _wrap(angle: float) -> float:
    return math.pi - (math.pi - angle) % (2.0 * math.pi)


@njit(cache=True, inline="always")
def _distance_and_slope(distance: Distances, column: float, row: float, step: float) -> tuple[float, float, float, bool]:
    """Distance to the nearest wall [m], negative inside, and its slope east and north, between pixel centres."""
    c, r = math.floor(column), math.floor(row)
    if c < 1 or r < 1 or r + 2 >= distance.shape[0] or c + 2 >= distance.shape[1]:
        return 0.0, 0.0, 0.0, False
    fc, fr = column - c, row - r
    sw, se = float(distance[r, c]), float(distance[r, c + 1])
    nw, ne = float(distance[r + 1, c]), float(distance[r + 1, c + 1])
    value = (1.0 - fr) * ((1.0 - fc) * sw + fc * se) + fr * ((1.0 - fc) * nw + fc * ne)
    # Slopes over three pixels: one pixel's steps of 0.1 m are too coarse for a direction.
    w = (1.0 - fr) * float(distance[r, c - 1]) + fr * float(distance[r + 1, c - 1])
    e = (1.0 - fr) * float(distance[r, c + 2]) + fr * float(distance[r + 1, c + 2])
    s = (1.0 - fc) * float(distance[r - 1, c]) + fc * float(distance[r - 1, c + 1])
    n = (1.0 - fc) * float(distance[r + 2, c]) + fc * float(distance[r + 2, c + 1])
    scale = DISTANCE_STEP_M / (3.0 * step)
    return DISTANCE_STEP_M * value, scale * (e - w), scale * (n - s), True


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
) -> None:
    """Add what hits `points (M, 2)` (base frames; those of pose i are `first[i]` to `first[i + 1]`) say of poses `(N, 3)`.

    A hit's residual is its distance to the nearest wall, weighted by exp(-(d / sigma)^2 / 2) (Welsch's kernel) and by `weight`
    [1/m2].
    """
    for i in range(first.shape[0] - 1):
        c, s = math.cos(poses[i, 2]), math.sin(poses[i, 2])
        for k in range(first[i], first[i + 1]):
            de, dn = c * points[k, 0] - s * points[k, 1], s * points[k, 0] + c * points[k, 1]
            d, ge, gn, inside = _distance_and_slope(
                distance, (poses[i, 0] + de - corner[0]) / step, (poses[i, 1] + dn - corner[1]) / step, step
            )
            if not inside:
                continue
            w = weight * math.exp(-0.5 * (d / sigma) ** 2)
            jacobian = (ge, gn, gn * de - ge * dn)
            for a in range(3):
                gradient[3 * i + a] += w * jacobian[a] * d
                for b in range(a, 3):
                    band[b - a, 3 * i + a] += w * jacobian[a] * jacobian[b]


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
) -> None:
    """Add what `odometry (N, 3)` says of consecutive poses `(N, 3)`, given `shared (2,)`: odometry's scale and turn.

    The residuals are R(yaw)^T (t' - t) - scale * step and yaw' - yaw - step's yaw - turn * length; their variances grow with
    length: `walk` [m/sqrt(m)], `heading_walk` [rad/sqrt(m)].
    """
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
