# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ground: a plane under the car, then cell by cell outwards.

Heights are counted from the plane `z = plane[0] + plane[1] x + plane[2] y`, so that a car that stands askew on its springs or its
slope, or a sensor whose tilt nobody told us, costs nothing. Cells are squares of the base frame's plane: cell (a, b) spans x from
`a * size - range_m` and y from `b * size - range_m`. All lengths [m].
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Plane = NDArray[np.float64]

# Side of the cells in which the ground is estimated: wide enough to hold ground beside every wall and car.
GROUND_CELL_M = 2.0
# A cell's ground may lie this much below or above what the cells nearer to the car predict (kerbs, ramps), and by `GROUND_SLOPE` more
# for every metre on which no ground was seen.
GROUND_STEP_M = 0.6
GROUND_SLOPE = 0.1
# The plane is fitted to the ground this far about the car, or to all where that shows fewer cells (cameras see none under them).
LEVEL_REACH_M = 16.0
LEVEL_CELLS = 12
# So many points are enough for the plane.
LEVEL_POINTS = 30_000
# What stands on the ground is taken for noise of ever smaller size; what lies below it, for twice that, for there is less of it.
LEVEL_SIGMAS_M = (2.0, 1.0, 0.5, 0.25, 0.15, 0.15)
# As much as so many cells at 1 m say that the car is level: few cells must not tilt the world.
LEVEL_BELIEF = 20.0
NOTHING = np.float32(1e9)


@njit(cache=True, inline="always")
def cell_of(from_edge: float, scale: float, count: int) -> int:
    """Cell along one axis of a point `from_edge` [m] from the grid's edge; rounding at the far edge stays inside."""
    return min(int(from_edge * scale), count - 1)


@njit(cache=True)
def _second_lowest(points: Floats, plane: Plane, range_m: float, minimum_range_m: float, stride: int) -> Floats:
    """Second lowest height `(n, n)` of every `stride`-th point in each cell: one stray point below the ground does no harm."""
    n = int(np.ceil(2.0 * range_m / GROUND_CELL_M))
    scale, shift = np.float32(1.0 / GROUND_CELL_M), np.float32(range_m)
    nearest = np.float32(minimum_range_m * minimum_range_m)
    level, along_x, along_y = np.float32(plane[0]), np.float32(plane[1]), np.float32(plane[2])
    lowest = np.full((n, n), NOTHING, dtype=np.float32)
    second = np.full((n, n), NOTHING, dtype=np.float32)
    for i in range(0, points.shape[0], stride):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < nearest:
            continue
        height = points[i, 2] - level - along_x * x - along_y * y
        a, b = cell_of(x + shift, scale, n), cell_of(y + shift, scale, n)
        if height < lowest[a, b]:
            second[a, b] = lowest[a, b]
            lowest[a, b] = height
        elif height < second[a, b]:
            second[a, b] = height
    return second


def level_plane(points: Floats, range_m: float, minimum_range_m: float) -> Plane:
    """The plane `(3,)` of the ground about the car, of points `(N, 3)` in the base frame; zeros where there is none.

    Iteratively reweighted least squares with Geman-McClure's weights, whose scale shrinks: first everything counts, in the end
    only what lies on the plane.
    """
    stride = max(1, len(points) // LEVEL_POINTS) | 1  # odd: an even one would meet the same beams again and again
    second = _second_lowest(points, np.zeros(3), range_m, minimum_range_m, stride)
    middles = (np.arange(len(second)) + 0.5) * GROUND_CELL_M - range_m
    x, y = np.meshgrid(middles, middles, indexing="ij")
    there = second < NOTHING
    near = there & (x * x + y * y < LEVEL_REACH_M**2)
    if near.sum() >= LEVEL_CELLS:
        there = near
    if not there.any():
        return np.zeros(3)
    rows, heights = np.column_stack([np.ones(there.sum()), x[there], y[there]]), second[there].astype(np.float64)
    plane = np.array([np.median(heights), 0.0, 0.0])
    belief = np.diag([1e-6, LEVEL_BELIEF, LEVEL_BELIEF])
    for sigma in LEVEL_SIGMAS_M:
        error = heights - rows @ plane
        weight = 1.0 / (1.0 + (error / np.where(error > 0.0, sigma, 2.0 * sigma)) ** 2) ** 2
        plane = np.linalg.solve(belief + rows.T @ (weight[:, None] * rows), rows.T @ (weight * heights))
    return plane


@njit(cache=True)
def follow_ground(points: Floats, plane: Plane, range_m: float, minimum_range_m: float) -> Floats:
    """Ground height above `plane` `(G, G)` of every ground cell, followed from the car outwards.

    The second lowest point of a cell is its ground where it continues the cells nearer to the car; else their mean is carried on.
    """
    second = _second_lowest(points, plane, range_m, minimum_range_m, 1)
    n = second.shape[0]
    centre = 0.5 * (n - 1)
    ground = np.zeros((n, n), dtype=np.float32)
    unseen = np.zeros((n, n), dtype=np.float32)  # metres since ground was last seen
    for ring in range((n + 1) // 2):
        low, high = int(np.ceil(centre - ring - 0.5)), int(np.floor(centre + ring + 0.5))
        for a in range(low, high + 1):
            edge = a in (low, high)
            for b in range(low, high + 1):
                if not edge and b != low and b != high:
                    continue
                total, weight, gap = np.float32(0.0), np.float32(0.0), np.float32(1e9)
                for p in range(max(a - 1, low + 1), min(a + 1, high - 1) + 1):
                    for q in range(max(b - 1, low + 1), min(b + 1, high - 1) + 1):
                        w = np.float32(1.0) / (np.float32(1.0) + unseen[p, q])
                        total += w * ground[p, q]
                        weight += w
                        gap = min(gap, unseen[p, q])
                predicted = total / weight if weight > 0.0 else np.float32(0.0)
                gap = gap if weight > 0.0 else np.float32(0.0)
                if abs(second[a, b] - predicted) < GROUND_STEP_M + GROUND_SLOPE * gap:
                    ground[a, b] = second[a, b]
                else:
                    ground[a, b], unseen[a, b] = predicted, gap + np.float32(GROUND_CELL_M)
    return ground
