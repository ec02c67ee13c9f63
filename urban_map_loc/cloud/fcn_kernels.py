"""Compiled loops of the fully convolutional segmentation: a cloud to features of columns, and columns back to points.

Columns are squares of the base frame's plane: column (a, b) spans x from `a * size_m - range_m` and y from `b * size_m - range_m`.
Heights are above the ground that `ground_heights` found, so that neither the sensor's height nor a slope is seen. All lengths [m].
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.ground import GROUND_CELL_M

Floats = NDArray[np.float32]

# Upper edges of the bands of height: under windows, cars, people and hedges, storeys.
BAND_TOPS_M = (0.8, 1.5, 2.2, 3.5, 6.0)
BANDS = len(BAND_TOPS_M) + 1
# Features beside the points in each band. Thickness is that of the points in the 3 x 3 columns about it, seen from above; reach is the
# highest thing seen at that distance.
(ON_GROUND, HIGHEST, LOWEST, MEAN_X, MEAN_Y, SPREAD_XX, SPREAD_XY, SPREAD_YY, THICKNESS, REACH, DISTANCE) = range(BANDS, BANDS + 11)
FEATURES = BANDS + 11
HIGHEST_M = 12.0  # what is higher is so high
THICKEST_M = 0.5  # what is thicker is no wall
FAR_M = 50.0  # the distance that is 1
FEWEST = 4  # points that have a thickness


@njit(cache=True, inline="always")
def _index(from_edge: float, scale: float, count: int) -> int:
    """Cell along one axis of a point `from_edge` [m] from the grid's edge; rounding at the far edge stays inside."""
    return min(int(from_edge * scale), count - 1)


@njit(cache=True, inline="always")
def _band(height: float) -> int:
    band = 0
    while band < len(BAND_TOPS_M) and height >= BAND_TOPS_M[band]:
        band += 1
    return band


@njit(cache=True)
def column_features(points: Floats, ground: Floats, range_m: float, size_m: float, minimum_range_m: float, clearance_m: float) -> Floats:
    """Features `(FEATURES, n, n)` of points `(N, 3)`, each within about -1 to 2; 0 where a column holds no point."""
    n, cells = int(np.ceil(2.0 * range_m / size_m)), ground.shape[0]
    shift, scale, size = np.float32(range_m), np.float32(1.0 / size_m), np.float32(size_m)
    ground_scale, half = np.float32(1.0 / GROUND_CELL_M), np.float32(0.5)
    counts = np.zeros((n, n, BANDS + 1), dtype=np.float32)
    moments = np.zeros((n, n, 5), dtype=np.float32)
    top, bottom = np.zeros((n, n), dtype=np.float32), np.full((n, n), HIGHEST_M, dtype=np.float32)
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < minimum_range_m * minimum_range_m:
            continue
        u, v = x + shift, y + shift
        height = points[i, 2] - ground[_index(u, ground_scale, cells), _index(v, ground_scale, cells)]
        a, b = _index(u, scale, n), _index(v, scale, n)
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
    highest = _highest_in_rings(top, size)
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
            out[REACH, a, b] = min(highest[int(distance * size)], HIGHEST_M) / 6.0
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
            out[THICKNESS, a, b] = min(_thickness(counts, moments, a, b) * size / THICKEST_M, 1.0)
    return out


@njit(cache=True)
def _highest_in_rings(top: Floats, size: float) -> Floats:
    """Height of the highest column in each ring of 1 m: what the sensor's upper edge leaves to be seen there."""
    n = top.shape[0]
    highest = np.zeros(int(n * size) + 2, dtype=np.float32)
    for a in range(n):
        for b in range(n):
            ring = int(sqrt((a + 0.5 - 0.5 * n) ** 2 + (b + 0.5 - 0.5 * n) ** 2) * size)
            highest[ring] = max(highest[ring], top[a, b])
    return highest


@njit(cache=True)
def _thickness(counts: Floats, moments: Floats, a: int, b: int) -> float:
    """Standard deviation across the main direction, seen from above, of the points in the 3 x 3 columns about (a, b) [columns]."""
    n = counts.shape[0]
    k = sx = sy = sxx = sxy = syy = 0.0
    for p in range(max(a - 1, 0), min(a + 2, n)):
        for q in range(max(b - 1, 0), min(b + 2, n)):
            count = counts[p, q, :BANDS].sum()
            if count > 0.0:
                m, ox, oy = moments[p, q], float(p - a), float(q - b)
                k += count
                sx += m[0] + count * ox
                sy += m[1] + count * oy
                sxx += m[2] + 2.0 * ox * m[0] + count * ox * ox
                sxy += m[3] + ox * m[1] + oy * m[0] + count * ox * oy
                syy += m[4] + 2.0 * oy * m[1] + count * oy * oy
    if k < FEWEST:
        return 1e9
    xx, xy, yy = sxx / k - (sx / k) ** 2, sxy / k - sx * sy / (k * k), syy / k - (sy / k) ** 2
    return sqrt(max(0.0, 0.5 * (xx + yy) - sqrt((0.5 * (xx - yy)) ** 2 + xy * xy)))


@njit(cache=True)
def count_in_columns(
    points: Floats, chosen: NDArray[np.bool_], ground: Floats, range_m: float, size_m: float, minimum_range_m: float, clearance_m: float
) -> Floats:
    """Points above the ground in each band of each column `(2, BANDS, n, n)`: all, and those of `chosen (N,)`."""
    n, cells = int(np.ceil(2.0 * range_m / size_m)), ground.shape[0]
    shift, scale, ground_scale = np.float32(range_m), np.float32(1.0 / size_m), np.float32(1.0 / GROUND_CELL_M)
    out = np.zeros((2, BANDS, n, n), dtype=np.float32)
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < minimum_range_m * minimum_range_m:
            continue
        u, v = x + shift, y + shift
        height = points[i, 2] - ground[_index(u, ground_scale, cells), _index(v, ground_scale, cells)]
        if height >= clearance_m:
            a, b = _index(u, scale, n), _index(v, scale, n)
            out[0, _band(height), a, b] += np.float32(1.0)
            out[1, _band(height), a, b] += np.float32(chosen[i])
    return out


@njit(cache=True)
def points_in_columns(
    points: Floats, columns: NDArray[np.bool_], ground: Floats, range_m: float, size_m: float, minimum_range_m: float, clearance_m: float
) -> NDArray[np.bool_]:
    """True `(N,)` for the points above the ground whose band of their column is true in `columns (BANDS, n, n)`."""
    n, cells = columns.shape[1], ground.shape[0]
    mask = np.zeros(points.shape[0], dtype=np.bool_)
    shift, scale, ground_scale = np.float32(range_m), np.float32(1.0 / size_m), np.float32(1.0 / GROUND_CELL_M)
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < minimum_range_m * minimum_range_m:
            continue
        u, v = x + shift, y + shift
        height = points[i, 2] - ground[_index(u, ground_scale, cells), _index(v, ground_scale, cells)]
        if height >= clearance_m:
            mask[i] = columns[_band(height), _index(u, scale, n), _index(v, scale, n)]
    return mask
