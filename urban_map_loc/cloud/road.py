# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops that find the road surface: flat ground that can be driven to without crossing a kerb.

Ground points are averaged in small cells. Cells that stand above a neighbour by a kerb, or are rough, are barriers. The road is what is
reached from ahead of and behind the car by a disc that keeps clear of them: it does not slip through the gaps that noise leaves in a kerb.
All lengths [m]; cells as in `ground.py`.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.ground import GROUND_CELL_M, NOTHING, Floats, Plane, cell_of

ROAD_CELL_M = 0.4
# A cell that is higher than another within `KERB_REACH` cells by this, and by so much more for each metre between them (the road's
# camber), stands on a kerb; one whose points scatter more than asphalt's under any lidar [1 sigma] is grass or rubbish.
KERB_M, CAMBER, ROUGH_M = 0.038, 0.02, 0.03
KERB_REACH = 2
# A barrier is not alone: so many of the 3 x 3 cells about it are, or half of those that were measured, where beams are sparse.
BARRIER_CELLS = 3
# The disc's radius, in cells.
CLEARANCE = 2.3
# From cell to cell the disc moves at most so far over what was not measured, which is less than a barrier and the clearance about it are
# wide, and never up or down a kerb; straight away from the car, where beams meet the ground ever more sparsely, over this share of the
# distance. On such gaps the road rises no more than this, beside a kerb's height.
STEP = 3
BEAM_GAP = 0.4
GAP_SLOPE = 0.005
# The road is there where the car is: this wide, this far ahead and behind.
LANE_HALF_M, LANE_REACH_M = 1.2, 9.0


@njit(cache=True)
def road_cells(
    points: Floats, plane: Plane, ground: Floats, range_m: float, minimum_range_m: float, clearance_m: float
) -> NDArray[np.bool_]:
    """True `(R, R)` for the cells of road surface about the car, of points `(N, 3)` in the base frame."""
    height, rough = _surface(points, plane, ground, range_m, minimum_range_m, clearance_m)
    barrier = _barriers(height, rough)
    free = _free(height, barrier)
    n = height.shape[0]
    reached = _reached(height, free, range_m)
    road = np.zeros((n, n), dtype=np.bool_)
    span = int(CLEARANCE)
    for a in range(n):
        for b in range(n):
            if not reached[a, b]:
                continue
            for p in range(max(a - span, 0), min(a + span + 1, n)):
                for q in range(max(b - span, 0), min(b + span + 1, n)):
                    near = (p - a) ** 2 + (q - b) ** 2 <= CLEARANCE * CLEARANCE
                    if near and height[p, q] < NOTHING and not barrier[p, q]:
                        road[p, q] = True
    return road


@njit(cache=True)
def _surface(
    points: Floats, plane: Plane, ground: Floats, range_m: float, minimum_range_m: float, clearance_m: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Mean height `(n, n)` above the plane of each cell's ground points, NOTHING where there are none, and whether they are rough."""
    n, cells = int(np.ceil(2.0 * range_m / ROAD_CELL_M)), ground.shape[0]
    shift, scale, ground_scale = np.float32(range_m), np.float32(1.0 / ROAD_CELL_M), np.float32(1.0 / GROUND_CELL_M)
    nearest, clearance = np.float32(minimum_range_m * minimum_range_m), np.float32(clearance_m)
    level, along_x, along_y = np.float32(plane[0]), np.float32(plane[1]), np.float32(plane[2])
    sums = np.zeros((n, n, 3), dtype=np.float32)
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < nearest:
            continue
        u, v = x + shift, y + shift
        h = points[i, 2] - level - along_x * x - along_y * y
        if h - ground[cell_of(u, ground_scale, cells), cell_of(v, ground_scale, cells)] < clearance:
            cell = sums[cell_of(u, scale, n), cell_of(v, scale, n)]
            cell[0] += np.float32(1.0)
            cell[1] += h
            cell[2] += h * h
    height, rough = np.full((n, n), NOTHING, dtype=np.float32), np.zeros((n, n), dtype=np.bool_)
    for a in range(n):
        for b in range(n):
            count = sums[a, b, 0]
            if count > 0.0:
                mean = sums[a, b, 1] / count
                height[a, b], rough[a, b] = mean, sums[a, b, 2] / count - mean * mean > ROUGH_M * ROUGH_M
    return height, rough


@njit(cache=True)
def _barriers(height: Floats, rough: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells that stand on a kerb or are rough, and have others of their kind beside them."""
    n = height.shape[0]
    raised = rough.copy()
    for a in range(n):
        for b in range(n):
            if height[a, b] == NOTHING or raised[a, b]:
                continue
            for p in range(max(a - KERB_REACH, 0), min(a + KERB_REACH + 1, n)):
                for q in range(max(b - KERB_REACH, 0), min(b + KERB_REACH + 1, n)):
                    step = height[a, b] - height[p, q]
                    if step > KERB_M and step > KERB_M + CAMBER * ROAD_CELL_M * sqrt((p - a) ** 2 + (q - b) ** 2):
                        raised[a, b] = True
    barrier = np.zeros((n, n), dtype=np.bool_)
    for a in range(1, n - 1):
        for b in range(1, n - 1):
            if not raised[a, b]:
                continue
            measured = others = 0
            for p in range(a - 1, a + 2):
                for q in range(b - 1, b + 2):
                    measured += height[p, q] < NOTHING
                    others += raised[p, q]
            barrier[a, b] = others > 1 and (others >= BARRIER_CELLS or 2 * others >= measured)
    return barrier


@njit(cache=True)
def _free(height: Floats, barrier: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Measured cells that are no nearer to a barrier than the disc is wide."""
    n, span = height.shape[0], int(CLEARANCE)
    free = height < NOTHING
    for a in range(n):
        for b in range(n):
            if not barrier[a, b]:
                continue
            for p in range(max(a - span, 0), min(a + span + 1, n)):
                for q in range(max(b - span, 0), min(b + span + 1, n)):
                    if (p - a) ** 2 + (q - b) ** 2 <= CLEARANCE * CLEARANCE:
                        free[p, q] = False
    return free


@njit(cache=True)
def _reached(height: Floats, free: NDArray[np.bool_], range_m: float) -> NDArray[np.bool_]:
    """Free cells that the disc reaches from the lane that the car is on."""
    n = height.shape[0]
    reached, waiting = np.zeros((n, n), dtype=np.bool_), np.empty((n * n, 2), dtype=np.int32)
    size = done = 0
    for a in range(n):
        for b in range(n):
            x, y = (a + 0.5) * ROAD_CELL_M - range_m, (b + 0.5) * ROAD_CELL_M - range_m
            if free[a, b] and abs(y) < LANE_HALF_M and abs(x) < LANE_REACH_M:
                reached[a, b] = True
                waiting[size, 0], waiting[size, 1] = a, b
                size += 1
    while done < size:
        a, b = waiting[done, 0], waiting[done, 1]
        done += 1
        for p in range(max(a - STEP, 0), min(a + STEP + 1, n)):
            for q in range(max(b - STEP, 0), min(b + STEP + 1, n)):
                if free[p, q] and not reached[p, q] and abs(height[p, q] - height[a, b]) < KERB_M + CAMBER * ROAD_CELL_M * STEP:
                    reached[p, q] = True
                    waiting[size, 0], waiting[size, 1] = p, q
                    size += 1
        # Straight away from the car to the next cell that a beam met.
        x, y = a + 0.5 - range_m / ROAD_CELL_M, b + 0.5 - range_m / ROAD_CELL_M
        distance = sqrt(x * x + y * y)
        for k in range(1, int(BEAM_GAP * distance) + 1):
            p, q = int(a + 0.5 + k * x / distance), int(b + 0.5 + k * y / distance)
            if not (0 <= p < n and 0 <= q < n):
                break
            if height[p, q] < NOTHING and (p != a or q != b):
                rise = abs(height[p, q] - height[a, b])
                if free[p, q] and not reached[p, q] and rise < KERB_M + GAP_SLOPE * ROAD_CELL_M * k:
                    reached[p, q] = True
                    waiting[size, 0], waiting[size, 1] = p, q
                    size += 1
                break
    return reached
