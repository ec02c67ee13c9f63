# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops that decide which columns are walls: flat ones, as high as the sensor can see there, joined to something long."""

from __future__ import annotations

from math import atan2, pi, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.columns import EMPTY, Columns
from urban_map_loc.cloud.ground import Floats

# Flatness is measured in neighbourhoods of three sizes, each twice the last: the smallest sees past windows and bays, the largest has
# points enough far away. In each, what tells walls from foliage is this share of `wall_thickness_m`.
FINE_SHARE, COARSE_SHARE = 0.65, 1.75
# A wall may be up to exp(0.5) = 1.65 times as thick in places (corners, creepers, balconies) as long as a fifth of its columns is as thin
# as exp(-0.25) = 0.78 times that. Of clipped hedges, the likest to walls, 3 to 17 % were; of real walls' groups few were below 30 %.
FLAT_ENOUGH, CLEARLY_FLAT = -0.5, 0.25
CLEARLY_FLAT_SHARE = 0.2
# Where the sensor's view ends below `wall_height_m`, a wall must reach this share of the highest thing seen about there, and always
# more than a car's height.
REACH_SHARE = 0.75
CAR_HEIGHT_M = 1.65
# Columns that reach only this share of that may continue a wall: bushes and cars hide its ground, eaves its top.
LOW_SHARE = 0.75
# The view is told in sectors of the turn, pooled with so many on either side: a car askew sees higher to one side.
VIEW_SECTORS, VIEW_POOL = 24, 3
VIEW_POINTS = 3
# Shorter and lower things are vans, where the sensor can see higher.
VAN_LENGTH_M, VAN_HEIGHT_M = 7.0, 2.8
PART, CLEAR = 1, 2


@njit(cache=True)
def combined(fine: Columns, fine_flat: Floats, columns: Columns, flat: Floats, coarse: Columns, coarse_flat: Floats) -> Floats:
    """Mean flatness `(M,)` of each column over the three sizes; sizes with too few points count as doubtful (0), NaN where all have."""
    total, count = np.zeros(columns.cell.shape[0], dtype=np.float32), np.zeros(columns.cell.shape[0], dtype=np.float32)
    for k in range(fine.cell.shape[0]):
        if not np.isnan(fine_flat[k]):
            j = columns.slots[fine.cell[k, 0] // 2, fine.cell[k, 1] // 2]
            total[j] += fine_flat[k]
            count[j] += np.float32(1.0)
    mean = np.full(columns.cell.shape[0], np.nan, dtype=np.float32)
    for j in range(columns.cell.shape[0]):
        wide = coarse_flat[coarse.slots[columns.cell[j, 0] // 2, columns.cell[j, 1] // 2]]
        if count[j] == 0.0 and np.isnan(flat[j]) and np.isnan(wide):
            continue
        sum_j = total[j] / count[j] if count[j] > 0.0 else np.float32(0.0)
        sum_j += np.float32(0.0) if np.isnan(flat[j]) else flat[j]
        sum_j += np.float32(0.0) if np.isnan(wide) else wide
        mean[j] = sum_j / np.float32(3.0)
    return mean


@njit(cache=True)
def needed_heights(columns: Columns, size_m: float, wall_height_m: float) -> tuple[Floats, Floats]:
    """Height `(M,)` that a wall must reach at each column, since the view about there limits it; and how high the view reaches at least.

    Beams that meet something far away pass nearer places no lower than on a line from there down to the car.
    """
    n, count = columns.slots.shape[0], columns.cell.shape[0]
    rings = int(n * size_m) + 2
    seen = np.zeros((rings, VIEW_SECTORS), dtype=np.float32)
    ring, sector = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    for j in range(count):
        x, y = (columns.cell[j, 0] + 0.5 - 0.5 * n) * size_m, (columns.cell[j, 1] + 0.5 - 0.5 * n) * size_m
        ring[j] = int(sqrt(x * x + y * y))
        sector[j] = int((atan2(y, x) / (2.0 * pi) + 0.5) * VIEW_SECTORS) % VIEW_SECTORS
        if columns.moments[j, 0] >= VIEW_POINTS:
            seen[ring[j], sector[j]] = max(seen[ring[j], sector[j]], columns.high[j])
    pooled = np.zeros((rings, VIEW_SECTORS), dtype=np.float32)
    for r in range(rings):
        for s in range(VIEW_SECTORS):
            for other in range(s - VIEW_POOL, s + VIEW_POOL + 1):
                t = other % VIEW_SECTORS
                pooled[r, s] = max(pooled[r, s], seen[r, t], seen[max(r - 1, 0), t])
    needed = np.empty(count, dtype=np.float32)
    for j in range(count):
        needed[j] = min(wall_height_m, max(CAR_HEIGHT_M, REACH_SHARE * pooled[ring[j], sector[j]]))
    for s in range(VIEW_SECTORS):
        slope = np.float32(0.0)
        for r in range(rings - 1, 0, -1):
            slope = max(slope, pooled[r, s] / r)
            pooled[r, s] = slope * r
    view = np.empty(count, dtype=np.float32)
    for j in range(count):
        view[j] = pooled[ring[j], sector[j]]
    return needed, view


@njit(cache=True)
def candidates(columns: Columns, flat: Floats, needed: Floats) -> NDArray[np.uint8]:
    """Of each column `(M,)`: CLEAR where it is a wall for sure, PART where it may be part of one, else 0. Nothing that hangs is."""
    n = columns.slots.shape[0]
    kind = np.zeros(columns.cell.shape[0], dtype=np.uint8)
    for j in range(columns.cell.shape[0]):
        if not flat[j] > FLAT_ENOUGH:  # nor NaN
            continue
        a, b, low, high = columns.cell[j, 0], columns.cell[j, 1], columns.low[j], columns.high[j]
        for p in range(max(a - 1, 0), min(a + 2, n)):
            for q in range(max(b - 1, 0), min(b + 2, n)):
                k = columns.slots[p, q]
                if k != EMPTY:
                    low, high = min(low, columns.low[k]), max(high, columns.high[k])
        if low <= needed[j] and high >= LOW_SHARE * needed[j]:
            kind[j] = CLEAR if flat[j] > CLEARLY_FLAT and high >= needed[j] else PART
    return kind


@njit(cache=True)
def joined(columns: Columns, kind: NDArray[np.uint8], view: Floats, size_m: float, length_m: float) -> NDArray[np.bool_]:
    """True `(n, n)` for candidates in 8-connected groups that are walls: long, flat enough as a whole, and no van."""
    n = columns.slots.shape[0]
    wall, seen = np.zeros((n, n), dtype=np.bool_), np.zeros(columns.cell.shape[0], dtype=np.bool_)
    group = np.empty(columns.cell.shape[0], dtype=np.int64)
    for first in range(columns.cell.shape[0]):
        if kind[first] == 0 or seen[first]:
            continue
        seen[first], group[0] = True, first
        size, done, clear, high, seen_m = 1, 0, 0, np.float32(0.0), np.float32(1e9)
        low_a = high_a = columns.cell[first, 0]
        low_b = high_b = columns.cell[first, 1]
        while done < size:
            j = group[done]
            done += 1
            a, b = columns.cell[j, 0], columns.cell[j, 1]
            clear += kind[j] == CLEAR
            high, seen_m = max(high, columns.high[j]), min(seen_m, view[j])
            low_a, high_a, low_b, high_b = min(low_a, a), max(high_a, a), min(low_b, b), max(high_b, b)
            for p in range(max(a - 1, 0), min(a + 2, n)):
                for q in range(max(b - 1, 0), min(b + 2, n)):
                    k = columns.slots[p, q]
                    if k != EMPTY and kind[k] > 0 and not seen[k]:
                        seen[k], group[size] = True, k
                        size += 1
        length = size_m * sqrt((high_a - low_a + 1) ** 2 + (high_b - low_b + 1) ** 2)
        van = length < VAN_LENGTH_M and high < VAN_HEIGHT_M < seen_m
        if length >= length_m and clear >= CLEARLY_FLAT_SHARE * size and not van:
            for i in range(size):
                wall[columns.cell[group[i], 0], columns.cell[group[i], 1]] = True
    return wall
