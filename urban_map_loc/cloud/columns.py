# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops that gather the points above the ground in columns, and measure how flat these are.

Columns are squares of the base frame's plane, as in `ground.py`. Only those that hold points are kept: `slots (n, n)` has the number of
each in the other arrays, or EMPTY. All lengths [m].
"""

from __future__ import annotations

from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.ground import GROUND_CELL_M, Floats, Plane, cell_of

Ints = NDArray[np.int32]

EMPTY = np.int32(-1)
# Fewer points about a column do not tell how flat it is.
FLATNESS_POINTS = 6
# Thinner than any sensor's noise is no flatter.
LEAST_THICKNESS_M = 0.03
# For the lean of walls: columns at least so high [m, 1 sigma], flat ones, that lean no more than walls seen from a car on a steep hill.
LEAN_HEIGHT_M = 0.5
LEAN_THICKNESS_M = 0.06
LEAN_MOST = 0.3
# What leans otherwise by more than the last of these is no wall, approached in steps; so many walls say as much as the belief that
# the car stands upright.
LEAN_SIGMAS = (0.3, 0.2, 0.1, 0.1)
LEAN_BELIEF = 20.0


class Columns(NamedTuple):
    """Columns of one size.

    slots: `(n, n)` number of each column, EMPTY where it holds no point.
    cell: `(M, 2)` where each column is.
    moments: `(M, 10)` count, sums of x, y, h, xx, xy, yy, xh, yh, hh about the column's centre; h is the height above the ground.
    low, high: `(M,)` heights of the lowest and the highest point.
    """

    slots: Ints
    cell: Ints
    moments: Floats
    low: Floats
    high: Floats


@njit(cache=True)
def gather(
    points: Floats, plane: Plane, ground: Floats, range_m: float, size_m: float, minimum_range_m: float, clearance_m: float
) -> Columns:
    """Columns of the points `(N, 3)` that are at least `clearance_m` above the ground."""
    n, cells = int(np.ceil(2.0 * range_m / size_m)), ground.shape[0]
    most = min(points.shape[0], n * n)
    slots, cell = np.full((n, n), EMPTY, dtype=np.int32), np.empty((most, 2), dtype=np.int32)
    moments, low, high = np.empty((most, 10), dtype=np.float32), np.empty(most, dtype=np.float32), np.empty(most, dtype=np.float32)
    shift, scale, size = np.float32(range_m), np.float32(1.0 / size_m), np.float32(size_m)
    ground_scale, half, one = np.float32(1.0 / GROUND_CELL_M), np.float32(0.5), np.float32(1.0)
    nearest, clearance = np.float32(minimum_range_m * minimum_range_m), np.float32(clearance_m)
    level, along_x, along_y = np.float32(plane[0]), np.float32(plane[1]), np.float32(plane[2])
    used = 0
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < nearest:
            continue
        u, v = x + shift, y + shift
        above = ground[cell_of(u, ground_scale, cells), cell_of(v, ground_scale, cells)]
        h = points[i, 2] - level - along_x * x - along_y * y - above
        if h < clearance:
            continue
        a, b = cell_of(u, scale, n), cell_of(v, scale, n)
        k = slots[a, b]
        if k == EMPTY:
            k = used
            used += 1
            slots[a, b] = k
            cell[k, 0], cell[k, 1] = a, b
            moments[k] = np.float32(0.0)
            low[k], high[k] = h, h
        dx, dy = u - (a + half) * size, v - (b + half) * size
        sums = moments[k]
        sums[0] += one
        sums[1] += dx
        sums[2] += dy
        sums[3] += h
        sums[4] += dx * dx
        sums[5] += dx * dy
        sums[6] += dy * dy
        sums[7] += dx * h
        sums[8] += dy * h
        sums[9] += h * h
        low[k], high[k] = min(low[k], h), max(high[k], h)
    return Columns(slots, cell[:used], moments[:used], low[:used], high[:used])


@njit(cache=True)
def coarser(columns: Columns, size_m: float) -> Columns:
    """Columns of twice the size; `size_m`: side of the given ones."""
    n, most = (columns.slots.shape[0] + 1) // 2, columns.cell.shape[0]
    slots, cell = np.full((n, n), EMPTY, dtype=np.int32), np.empty((most, 2), dtype=np.int32)
    moments, low, high = np.zeros((most, 10), dtype=np.float32), np.empty(most, dtype=np.float32), np.empty(most, dtype=np.float32)
    used = 0
    for k in range(most):
        a, b = columns.cell[k, 0] // 2, columns.cell[k, 1] // 2
        j = slots[a, b]
        if j == EMPTY:
            j = used
            used += 1
            slots[a, b] = j
            cell[j, 0], cell[j, 1] = a, b
            low[j], high[j] = columns.low[k], columns.high[k]
        dx, dy = (columns.cell[k, 0] % 2 - 0.5) * size_m, (columns.cell[k, 1] % 2 - 0.5) * size_m
        _add(columns.moments[k], np.float32(dx), np.float32(dy), moments[j])
        low[j], high[j] = min(low[j], columns.low[k]), max(high[j], columns.high[k])
    return Columns(slots, cell[:used], moments[:used], low[:used], high[:used])


@njit(cache=True, inline="always")
def _add(sums: Floats, dx: float, dy: float, total: Floats) -> None:
    """Add the moments of a column whose centre is (dx, dy) from that of `total`."""
    count = sums[0]
    total[0] += count
    total[1] += sums[1] + count * dx
    total[2] += sums[2] + count * dy
    total[3] += sums[3]
    total[4] += sums[4] + (sums[1] + sums[1] + count * dx) * dx
    total[5] += sums[5] + dx * sums[2] + dy * sums[1] + count * dx * dy
    total[6] += sums[6] + (sums[2] + sums[2] + count * dy) * dy
    total[7] += sums[7] + dx * sums[3]
    total[8] += sums[8] + dy * sums[3]
    total[9] += sums[9]


@njit(cache=True)
def _about(columns: Columns, j: int, size_m: float, total: Floats) -> None:
    """Into `total (10,)`: number of points in the 3 x 3 columns about column j, and, from 4 on, their central second moments."""
    total[:] = np.float32(0.0)
    n, a, b = columns.slots.shape[0], columns.cell[j, 0], columns.cell[j, 1]
    for p in range(max(a - 1, 0), min(a + 2, n)):
        for q in range(max(b - 1, 0), min(b + 2, n)):
            k = columns.slots[p, q]
            if k != EMPTY:
                _add(columns.moments[k], np.float32((p - a) * size_m), np.float32((q - b) * size_m), total)
    count = total[0]
    x, y, h = total[1] / count, total[2] / count, total[3] / count
    total[4] = total[4] / count - x * x
    total[5] = total[5] / count - x * y
    total[6] = total[6] / count - y * y
    total[7] = total[7] / count - x * h
    total[8] = total[8] / count - y * h
    total[9] = total[9] / count - h * h


@njit(cache=True)
def _across(total: Floats, lean_x: float, lean_y: float) -> tuple[float, float, float, float]:
    """Seen along the lean: the least variance of the points, its direction x, y, and the greatest variance."""
    xx = total[4] - 2.0 * lean_x * total[7] + lean_x * lean_x * total[9]
    xy = total[5] - lean_x * total[8] - lean_y * total[7] + lean_x * lean_y * total[9]
    yy = total[6] - 2.0 * lean_y * total[8] + lean_y * lean_y * total[9]
    middle, spread = 0.5 * (xx + yy), sqrt((0.5 * (xx - yy)) ** 2 + xy * xy)
    least = max(0.0, middle - spread)
    x, y = xy, least - xx
    norm = sqrt(x * x + y * y)
    if norm < 1e-9:
        return (least, 1.0, 0.0, middle + spread) if xx < yy else (least, 0.0, 1.0, middle + spread)
    return least, x / norm, y / norm, middle + spread


@njit(cache=True)
def wall_lean(columns: Columns, size_m: float) -> tuple[float, float]:
    """By how much walls lean along x and y per metre of height: all alike, since walls are plumb and only the car stands askew.

    Each flat column tells the lean across its plane; the common lean is the robust least squares solution.
    """
    total = np.zeros(10, dtype=np.float32)
    found = np.empty((columns.cell.shape[0], 3))
    count = 0
    for j in range(columns.cell.shape[0]):
        _about(columns, j, size_m, total)
        if total[0] < 2 * FLATNESS_POINTS or total[9] < LEAN_HEIGHT_M**2:
            continue
        own_x, own_y = total[7] / total[9], total[8] / total[9]
        least, x, y, greatest = _across(total, own_x, own_y)
        across = x * own_x + y * own_y
        if least < LEAN_THICKNESS_M**2 and greatest > 4.0 * least and abs(across) < LEAN_MOST:
            found[count, 0], found[count, 1], found[count, 2] = x, y, across
            count += 1
    lean_x = lean_y = 0.0
    for sigma in LEAN_SIGMAS:
        xx = yy = LEAN_BELIEF
        xy = right_x = right_y = 0.0
        for i in range(count):
            x, y, across = found[i]
            weight = 1.0 / (1.0 + ((across - x * lean_x - y * lean_y) / sigma) ** 2) ** 2
            xx += weight * x * x
            xy += weight * x * y
            yy += weight * y * y
            right_x += weight * x * across
            right_y += weight * y * across
        determinant = xx * yy - xy * xy
        lean_x = (yy * right_x - xy * right_y) / determinant
        lean_y = (xx * right_y - xy * right_x) / determinant
    return lean_x, lean_y


@njit(cache=True)
def flatness(columns: Columns, size_m: float, lean: tuple[float, float], thickness_m: float) -> Floats:
    """Of each column `(M,)`: logarithm of how many times thinner than `thickness_m` the points about it are; NaN where they are few.

    Thickness is their standard deviation [m] across the main direction, seen along walls.
    """
    total = np.zeros(10, dtype=np.float32)
    flat = np.full(columns.cell.shape[0], np.nan, dtype=np.float32)
    for j in range(columns.cell.shape[0]):
        _about(columns, j, size_m, total)
        if total[0] >= FLATNESS_POINTS:
            least = _across(total, lean[0], lean[1])[0]
            flat[j] = log(thickness_m / max(sqrt(least), LEAST_THICKNESS_M))
    return flat
