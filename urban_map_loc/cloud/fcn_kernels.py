# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops of the fully convolutional segmentation: a cloud to features of columns, and columns back to points.

Columns are squares of the base frame's plane, as in `columns.py`: column (a, b) spans x from `a * size_m - range_m` and y from
`b * size_m - range_m`. Heights are above the ground that was followed from the car (`ground.py`), so that neither the sensor's height
nor a slope is seen. All lengths [m].
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.columns import Columns
from urban_map_loc.cloud.ground import GROUND_CELL_M, Floats, Plane, cell_of

# Upper edges of the bands of height: under windows, cars, people and hedges, storeys.
BAND_TOPS_M = (0.8, 1.5, 2.2, 3.5, 6.0)
BANDS = len(BAND_TOPS_M) + 1
# Features beside the points in each band: those of a column's own points,
(ON_GROUND, HIGHEST, LOWEST, MEAN_X, MEAN_Y, SPREAD_XX, SPREAD_XY, SPREAD_YY, DISTANCE) = range(BANDS, BANDS + 9)
# and those of what is about it: how flat it is in three sizes (`columns.flatness`), how high the sensor sees (`walls.needed_heights`), and
# whether the extraction by shape takes it for a wall.
(FLAT_FINE, FLAT, FLAT_COARSE, VIEW, WALL) = range(BANDS + 9, BANDS + 14)
FEATURES = BANDS + 14
HIGHEST_M = 12.0  # what is higher is so high
FAR_M = 50.0  # the distance that is 1


@njit(cache=True, inline="always")
def _band(height: float) -> int:
    band = 0
    while band < len(BAND_TOPS_M) and height >= BAND_TOPS_M[band]:
        band += 1
    return band


@njit(cache=True)
def column_features(
    points: Floats, plane: Plane, ground: Floats, range_m: float, size_m: float, minimum_range_m: float, clearance_m: float
) -> Floats:
    """Features `(FEATURES, n, n)` of points `(N, 3)`, each within about -1 to 2; 0 where a column holds no point.

    Those of what is about a column are left at 0.
    """
    n, cells = int(np.ceil(2.0 * range_m / size_m)), ground.shape[0]
    shift, scale, size = np.float32(range_m), np.float32(1.0 / size_m), np.float32(size_m)
    ground_scale, half = np.float32(1.0 / GROUND_CELL_M), np.float32(0.5)
    counts = np.zeros((n, n, BANDS + 1), dtype=np.float32)
    moments = np.zeros((n, n, 5), dtype=np.float32)
    top, bottom = np.zeros((n, n), dtype=np.float32), np.full((n, n), HIGHEST_M, dtype=np.float32)
    level, along_x, along_y = np.float32(plane[0]), np.float32(plane[1]), np.float32(plane[2])
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < minimum_range_m * minimum_range_m:
            continue
        u, v = x + shift, y + shift
        height = points[i, 2] - level - along_x * x - along_y * y - ground[cell_of(u, ground_scale, cells), cell_of(v, ground_scale, cells)]
        a, b = cell_of(u, scale, n), cell_of(v, scale, n)
        if height < clearance_m:
            counts[a, b, ON_GROUND] += np.float32(1.0)
            continue
        counts[a, b, _band(height)] += np.float32(1.0)
        dx, dy = u * scale - a - half, v * scale - b - half
        m = moments[a, b]
        m[0] += dx
        m[1] += dy
        m[2] += dx * dx
        m[3] += dx * dy
        m[4] += dy * dy
        top[a, b] = max(top[a, b], height)
        bottom[a, b] = min(bottom[a, b], height)
    return _scaled(counts, moments, top, bottom, size)


@njit(cache=True)
def _scaled(counts: Floats, moments: Floats, top: Floats, bottom: Floats, size: float) -> Floats:
    """The features from the columns' sums."""
    n = top.shape[0]
    out = np.zeros((FEATURES, n, n), dtype=np.float32)
    for a in range(n):
        for b in range(n):
            above = counts[a, b, :BANDS].sum()
            if above + counts[a, b, ON_GROUND] == 0.0:
                continue
            for band in range(BANDS + 1):
                if counts[a, b, band] > 0.0:
                    out[band, a, b] = 0.25 * log(1.0 + counts[a, b, band])
            distance = sqrt((a + 0.5 - 0.5 * n) ** 2 + (b + 0.5 - 0.5 * n) ** 2)
            out[DISTANCE, a, b] = distance * size / FAR_M
            if above == 0.0:
                continue
            m = moments[a, b]
            mx, my = m[0] / above, m[1] / above
            out[HIGHEST, a, b] = min(top[a, b], HIGHEST_M) / 6.0
            out[LOWEST, a, b] = bottom[a, b] / 6.0
            out[MEAN_X, a, b], out[MEAN_Y, a, b] = mx, my
            out[SPREAD_XX, a, b] = 6.0 * (m[2] / above - mx * mx)
            out[SPREAD_XY, a, b] = 6.0 * (m[3] / above - mx * my)
            out[SPREAD_YY, a, b] = 6.0 * (m[4] / above - my * my)
    return out


@njit(cache=True)
def spread(columns: Columns, values: Floats, halves: int, channel: Floats) -> None:
    """Put the values `(M,)` of columns into the grid `channel (n, n)`, whose columns are `2 ** halves` times as large; NaN is put as 0.

    Of several in one column the greatest counts; columns that are larger than the grid's (`halves` below 0) are put into all of theirs.
    """
    n = channel.shape[0]
    put = np.zeros((n, n), dtype=np.bool_)
    parts = 1 << max(-halves, 0)
    for k in range(columns.cell.shape[0]):
        if np.isnan(values[k]):
            continue
        a, b = (columns.cell[k, 0] >> max(halves, 0)) * parts, (columns.cell[k, 1] >> max(halves, 0)) * parts
        for p in range(a, min(a + parts, n)):
            for q in range(b, min(b + parts, n)):
                channel[p, q] = max(channel[p, q], values[k]) if put[p, q] else values[k]
                put[p, q] = True


@njit(cache=True)
def count_in_columns(
    points: Floats,
    chosen: NDArray[np.bool_],
    plane: Plane,
    ground: Floats,
    range_m: float,
    size_m: float,
    minimum_range_m: float,
    clearance_m: float,
) -> Floats:
    """Points above the ground in each band of each column `(2, BANDS, n, n)`: all, and those of `chosen (N,)`."""
    n, cells = int(np.ceil(2.0 * range_m / size_m)), ground.shape[0]
    shift, scale, ground_scale = np.float32(range_m), np.float32(1.0 / size_m), np.float32(1.0 / GROUND_CELL_M)
    out = np.zeros((2, BANDS, n, n), dtype=np.float32)
    level, along_x, along_y = np.float32(plane[0]), np.float32(plane[1]), np.float32(plane[2])
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < minimum_range_m * minimum_range_m:
            continue
        u, v = x + shift, y + shift
        height = points[i, 2] - level - along_x * x - along_y * y - ground[cell_of(u, ground_scale, cells), cell_of(v, ground_scale, cells)]
        if height >= clearance_m:
            a, b = cell_of(u, scale, n), cell_of(v, scale, n)
            out[0, _band(height), a, b] += np.float32(1.0)
            out[1, _band(height), a, b] += np.float32(chosen[i])
    return out


@njit(cache=True)
def points_in_columns(
    points: Floats,
    columns: NDArray[np.bool_],
    plane: Plane,
    ground: Floats,
    range_m: float,
    size_m: float,
    minimum_range_m: float,
    clearance_m: float,
) -> NDArray[np.bool_]:
    """True `(N,)` for the points above the ground whose band of their column is true in `columns (BANDS, n, n)`."""
    n, cells = columns.shape[1], ground.shape[0]
    mask = np.zeros(points.shape[0], dtype=np.bool_)
    shift, scale, ground_scale = np.float32(range_m), np.float32(1.0 / size_m), np.float32(1.0 / GROUND_CELL_M)
    level, along_x, along_y = np.float32(plane[0]), np.float32(plane[1]), np.float32(plane[2])
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < minimum_range_m * minimum_range_m:
            continue
        u, v = x + shift, y + shift
        height = points[i, 2] - level - along_x * x - along_y * y - ground[cell_of(u, ground_scale, cells), cell_of(v, ground_scale, cells)]
        if height >= clearance_m:
            mask[i] = columns[_band(height), cell_of(u, scale, n), cell_of(v, scale, n)]
    return mask
