# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compiled alignment of wall hits with the map: what the distance field and its slope say of a pose.

The objective is the mean of exp(-(d / sigma)^2 / 2) over the hits, d the distance to the nearest wall: Welsch's robust kernel. Its
normal equations weigh each hit by that value, so that hits which no wall explains constrain nothing. In a straight street all
slopes point across, and the matrix says nothing along it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from urban_map_loc.area.raster import DISTANCE_STEP_M
from urban_map_loc.geometry.pose2 import FloatArray

Distances = NDArray[np.int8]
DAMPING = 0.5  # hits; for the heading at a lever of 10 m
CONVERGED_M = 0.01


@njit(cache=True, inline="always")
def distance_and_slope(distance: Distances, column: float, row: float, step: float) -> tuple[float, float, float, bool]:
    """Distance to the nearest wall [m], negative inside, and its slope east and north, between pixel centres; whether on the raster."""
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
def normal_equations(
    distance: Distances,
    corner: FloatArray,
    step: float,
    sigma: float,
    points: FloatArray,
    east: float,
    north: float,
    yaw: float,
    matrix: FloatArray,
    gradient: FloatArray,
) -> float:
    """Write the matrix `(3, 3)` and gradient `(3,)` of one pose's east [m], north [m], yaw [rad]; return the sum of the weights."""
    matrix[:] = 0.0
    gradient[:] = 0.0
    c, s = math.cos(yaw), math.sin(yaw)
    total = 0.0
    for k in range(points.shape[0]):
        de, dn = c * points[k, 0] - s * points[k, 1], s * points[k, 0] + c * points[k, 1]
        d, ge, gn, inside = distance_and_slope(distance, (east + de - corner[0]) / step, (north + dn - corner[1]) / step, step)
        if not inside:
            continue
        w = math.exp(-0.5 * (d / sigma) ** 2)
        total += w
        jacobian = (ge, gn, gn * de - ge * dn)
        for a in range(3):
            gradient[a] += w * jacobian[a] * d
            for b in range(3):
                matrix[a, b] += w * jacobian[a] * jacobian[b]
    return total


@njit(cache=True, parallel=True)
def align(
    distance: Distances, corner: FloatArray, step: float, sigma: float, points: FloatArray, poses: FloatArray, steps: int, longest: float
) -> FloatArray:
    """The nearest maximum of the objective from each of poses `(K, 3)`, by Gauss-Newton.

    At most `steps` of at most `longest` [m] each, a tenth of that a metre in heading. What no wall constrains stays as it was: a
    small damping, in hits, keeps it so.
    """
    out = poses.copy()
    for k in prange(poses.shape[0]):
        matrix, gradient = np.empty((3, 3)), np.empty(3)
        for _ in range(steps):
            normal_equations(distance, corner, step, sigma, points, out[k, 0], out[k, 1], out[k, 2], matrix, gradient)
            matrix[0, 0] += DAMPING
            matrix[1, 1] += DAMPING
            matrix[2, 2] += DAMPING * 100.0
            move = np.linalg.solve(matrix, gradient)
            length = max(math.hypot(move[0], move[1]), 10.0 * abs(move[2]))
            shrink = min(1.0, longest / max(length, 1e-9))
            out[k] -= shrink * move
            if length < CONVERGED_M:
                break
    return out
