"""Compiled loops of the geometric building extraction.

Columns and ground cells are squares of the base frame's plane: cell (a, b) spans x from `a * size - range_m` and y from
`b * size - range_m`. All lengths [m].
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Side of the cells in which the ground is estimated: wide enough to hold ground beside every wall and car.
GROUND_CELL_M = 2.0
# A cell's ground may lie this much below or above what the cells nearer to the car predict: slopes of 25 %, kerbs, ramps.
GROUND_STEP_M = 0.6
# Where the sensor's view ends below `wall_height_m`, a wall must reach this share of the highest thing seen at that distance,
# and always more than a car's height.
REACH_SHARE = 0.8
CAR_HEIGHT_M = 1.65
# The neighbourhood of a wall's column holds at least so many points.
COLUMN_POINTS = 6
# Corners, bays and creepers make a wall thicker in places: columns up to `CORNER` times too thick join thin ones, as long as the
# thin ones are at least `STRONG_SHARE` of the group.
WEAK, STRONG = 1, 2
CORNER = 1.6
STRONG_SHARE = 0.5


@njit(cache=True, inline="always")
def _index(from_edge: float, scale: float, count: int) -> int:
    """Cell along one axis of a point `from_edge` [m] from the grid's edge; rounding at the far edge stays inside."""
    return min(int(from_edge * scale), count - 1)


@njit(cache=True)
def follow_ground(points: Floats, range_m: float, minimum_range_m: float) -> Floats:
    """Ground height `(G, G)` of every ground cell, base frame, from the car outwards.

    The second lowest point of a cell is its ground where it continues the cells nearer to the car; else their mean is carried on.
    """
    n = int(np.ceil(2.0 * range_m / GROUND_CELL_M))
    scale = np.float32(1.0 / GROUND_CELL_M)
    shift = np.float32(range_m)
    nothing = np.float32(1e9)
    lowest = np.full((n, n), nothing, dtype=np.float32)
    second = np.full((n, n), nothing, dtype=np.float32)
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < minimum_range_m * minimum_range_m:
            continue
        a, b = _index(x + shift, scale, n), _index(y + shift, scale, n)
        if z < lowest[a, b]:
            second[a, b] = lowest[a, b]
            lowest[a, b] = z
        elif z < second[a, b]:
            second[a, b] = z
    ground = np.empty((n, n), dtype=np.float32)
    centre = 0.5 * (n - 1)
    start = _ground_at_car(second, centre)
    for ring in range((n + 1) // 2):
        low, high = int(np.ceil(centre - ring - 0.5)), int(np.floor(centre + ring + 0.5))
        for a in range(low, high + 1):
            edge = a in (low, high)
            for b in range(low, high + 1):
                if not edge and b != low and b != high:
                    continue
                total, count = np.float32(0.0), 0
                for p in range(max(a - 1, low + 1), min(a + 1, high - 1) + 1):
                    for q in range(max(b - 1, low + 1), min(b + 1, high - 1) + 1):
                        total += ground[p, q]
                        count += 1
                predicted = total / count if count > 0 else start
                z = second[a, b]
                ground[a, b] = z if abs(z - predicted) < GROUND_STEP_M else predicted
    return ground


@njit(cache=True)
def _ground_at_car(second: Floats, centre: float) -> float:
    """The median height of the cells within 10 m, or of all where those are empty."""
    for reach in (10.0 / GROUND_CELL_M, 1e9):
        near = [
            second[a, b]
            for a in range(second.shape[0])
            for b in range(second.shape[1])
            if second[a, b] < 1e8 and max(abs(a - centre), abs(b - centre)) <= reach
        ]
        if len(near) > 0:
            return float(np.median(np.array(near)))
    return 0.0


@njit(cache=True)
def column_statistics(
    points: Floats, ground: Floats, range_m: float, size_m: float, minimum_range_m: float, clearance_m: float
) -> tuple[Floats, Floats, Floats]:
    """Of the points above the ground in each column: moments `(n, n, 6)`, height of the highest and of the lowest `(n, n)`.

    Moments: count, sums of x, y, xx, xy, yy about the column's centre.
    """
    n, cells = int(np.ceil(2.0 * range_m / size_m)), ground.shape[0]
    moments = np.zeros((n, n, 6), dtype=np.float32)
    top = np.zeros((n, n), dtype=np.float32)
    bottom = np.full((n, n), 1e9, dtype=np.float32)
    shift, scale, size = np.float32(range_m), np.float32(1.0 / size_m), np.float32(size_m)
    ground_scale, half = np.float32(1.0 / GROUND_CELL_M), np.float32(0.5)
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < minimum_range_m * minimum_range_m:
            continue
        u, v = x + shift, y + shift
        height = points[i, 2] - ground[_index(u, ground_scale, cells), _index(v, ground_scale, cells)]
        if height < clearance_m:
            continue
        a, b = _index(u, scale, n), _index(v, scale, n)
        dx, dy = u - (a + half) * size, v - (b + half) * size
        cell = moments[a, b]
        cell[0] += np.float32(1.0)
        cell[1] += dx
        cell[2] += dy
        cell[3] += dx * dx
        cell[4] += dx * dy
        cell[5] += dy * dy
        top[a, b] = max(top[a, b], height)
        bottom[a, b] = min(bottom[a, b], height)
    return moments, top, bottom


@njit(cache=True)
def wall_columns(
    moments: Floats,
    top: Floats,
    bottom: Floats,
    size_m: float,
    wall_height_m: float,
    thickness_m: float,
    length_m: float,
) -> NDArray[np.bool_]:
    """True `(n, n)` for the columns of walls: thin, high, not hanging, joined to others over at least `length_m`."""
    n = top.shape[0]
    needed = _needed_height(top, moments, size_m, wall_height_m)
    wall = np.zeros((n, n), dtype=np.uint8)
    for a in range(1, n - 1):
        for b in range(1, n - 1):
            if moments[a, b, 0] == 0.0:
                continue
            reach = needed[_ring(a, b, n, size_m)]
            if top[a - 1 : a + 2, b - 1 : b + 2].max() < reach or bottom[a - 1 : a + 2, b - 1 : b + 2].min() > reach:
                continue
            thickness = _thickness(moments, a, b, size_m)
            wall[a, b] = STRONG if thickness < thickness_m else WEAK if thickness < CORNER * thickness_m else 0
    kept: NDArray[np.bool_] = _long_enough(wall, length_m / size_m)
    return kept


@njit(cache=True)
def _ring(a: int, b: int, n: int, size_m: float) -> int:
    """Index of the ring, 1 m wide, that the column's centre lies in."""
    x, y = (a + 0.5 - 0.5 * n) * size_m, (b + 0.5 - 0.5 * n) * size_m
    return int(sqrt(x * x + y * y))


@njit(cache=True)
def _needed_height(top: Floats, moments: Floats, size_m: float, wall_height_m: float) -> Floats:
    """Height that a wall's column must reach in each ring: what the sensor can see there limits it."""
    n = top.shape[0]
    rings = int(n * size_m) + 2
    seen = np.zeros(rings, dtype=np.float32)
    for a in range(n):
        for b in range(n):
            if moments[a, b, 0] >= 3.0:
                ring = _ring(a, b, n, size_m)
                seen[ring] = max(seen[ring], top[a, b])
    for ring in range(rings):
        seen[ring] = min(wall_height_m, max(CAR_HEIGHT_M, REACH_SHARE * seen[ring]))
    return seen


@njit(cache=True)
def _thickness(moments: Floats, a: int, b: int, size_m: float) -> float:
    """Standard deviation [m] across the main direction of the points in the 3 x 3 columns about (a, b), seen from above."""
    k = sx = sy = sxx = sxy = syy = 0.0
    for da in range(-1, 2):
        for db in range(-1, 2):
            cell = moments[a + da, b + db]
            if cell[0] > 0.0:
                ox, oy = da * size_m, db * size_m
                k += cell[0]
                sx += cell[1] + cell[0] * ox
                sy += cell[2] + cell[0] * oy
                sxx += cell[3] + 2.0 * ox * cell[1] + cell[0] * ox * ox
                sxy += cell[4] + ox * cell[2] + oy * cell[1] + cell[0] * ox * oy
                syy += cell[5] + 2.0 * oy * cell[2] + cell[0] * oy * oy
    if k < COLUMN_POINTS:
        return 1e9
    xx, xy, yy = sxx / k - (sx / k) ** 2, sxy / k - sx * sy / (k * k), syy / k - (sy / k) ** 2
    spread = sqrt((0.5 * (xx - yy)) ** 2 + xy * xy)
    return sqrt(max(0.0, 0.5 * (xx + yy) - spread))


@njit(cache=True)
def _long_enough(wall: NDArray[np.uint8], length: float) -> NDArray[np.bool_]:
    """Of the columns in `wall`, those of 8-connected groups whose bounding box's diagonal is at least `length` columns."""
    n = wall.shape[0]
    kept = np.zeros((n, n), dtype=np.bool_)
    seen = np.zeros((n, n), dtype=np.bool_)
    stack = np.empty((n * n, 2), dtype=np.int32)
    for a in range(1, n - 1):
        for b in range(1, n - 1):
            if wall[a, b] == 0 or seen[a, b]:
                continue
            seen[a, b] = True
            stack[0, 0], stack[0, 1] = a, b
            size, next_one, strong = 1, 0, 0
            low_a = high_a = a
            low_b = high_b = b
            while next_one < size:
                p, q = stack[next_one, 0], stack[next_one, 1]
                next_one += 1
                strong += wall[p, q] == STRONG
                low_a, high_a, low_b, high_b = min(low_a, p), max(high_a, p), min(low_b, q), max(high_b, q)
                for r in range(max(p - 1, 0), min(p + 2, n)):
                    for s in range(max(q - 1, 0), min(q + 2, n)):
                        if wall[r, s] > 0 and not seen[r, s]:
                            seen[r, s] = True
                            stack[size, 0], stack[size, 1] = r, s
                            size += 1
            if sqrt((high_a - low_a + 1) ** 2 + (high_b - low_b + 1) ** 2) >= length and strong >= STRONG_SHARE * size:
                for i in range(size):
                    kept[stack[i, 0], stack[i, 1]] = True
    return kept


@njit(cache=True)
def mask_points(
    points: Floats, ground: Floats, walls: NDArray[np.bool_], range_m: float, size_m: float, minimum_range_m: float, clearance_m: float
) -> NDArray[np.bool_]:
    """True `(N,)` for the points above the ground in the columns `walls`."""
    n, cells = walls.shape[0], ground.shape[0]
    mask = np.zeros(points.shape[0], dtype=np.bool_)
    shift, scale, ground_scale = np.float32(range_m), np.float32(1.0 / size_m), np.float32(1.0 / GROUND_CELL_M)
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < minimum_range_m * minimum_range_m:
            continue
        u, v = x + shift, y + shift
        if walls[_index(u, scale, n), _index(v, scale, n)]:
            mask[i] = points[i, 2] - ground[_index(u, ground_scale, cells), _index(v, ground_scale, cells)] >= clearance_m
    return mask
