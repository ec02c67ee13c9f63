# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compiled kernels that score poses against the map.

A point set is `points (M, 2)` with the `origins (M, 2)` its rays started from, both in the base frame [m]: zeros for a single
scan, earlier sensor positions for the recent drive. `distance (H, W)` is `BuildingRaster`'s, in steps of 0.1 m; `hit (256,)` is
the hit value of each of its values (plus 128) and `deep` the value below which a pixel lies deep inside a building. `building
(H, W)` are the buildings' numbers, and `high (65536,)` says which of these hide what is behind them.

The score of a pose is the mean over points of exp(-(d / sigma)^2 / 2), d the distance to the nearest wall, minus a penalty
for each ray that has already passed deep through a building at 35, 60 or 80 % of its length.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.localization.alignment import Distances

HitValues = NDArray[np.float64]
Buildings = NDArray[np.uint16]
HighBuildings = NDArray[np.bool_]


@njit(cache=True, inline="always")
def _hit_value(distance: Distances, hit: HitValues, column: float, row: float) -> float:
    """Hit value between pixel centres (bilinear); 0 outside."""
    c, r = math.floor(column), math.floor(row)
    if c < 0 or r < 0 or r + 1 >= distance.shape[0] or c + 1 >= distance.shape[1]:
        return 0.0
    fc, fr = column - c, row - r
    south = (1.0 - fc) * hit[int(distance[r, c]) + 128] + fc * hit[int(distance[r, c + 1]) + 128]
    north = (1.0 - fc) * hit[int(distance[r + 1, c]) + 128] + fc * hit[int(distance[r + 1, c + 1]) + 128]
    return (1.0 - fr) * south + fr * north


@njit(cache=True, inline="always")
def _passes_through(
    distance: Distances, building: Buildings, high: HighBuildings, deep: int, column0: float, row0: float, column1: float, row1: float
) -> bool:
    for share in (0.35, 0.6, 0.8):
        c = int(column0 + share * (column1 - column0) + 0.5)
        r = int(row0 + share * (row1 - row0) + 0.5)
        if 0 <= c < distance.shape[1] and 0 <= r < distance.shape[0] and distance[r, c] < deep and high[building[r, c]]:
            return True
    return False


@njit(cache=True)
def score_pose(
    distance: Distances,
    building: Buildings,
    high: HighBuildings,
    hit: HitValues,
    deep: int,
    corner: FloatArray,
    step: float,
    penalty: float,
    points: FloatArray,
    origins: FloatArray,
    east: float,
    north: float,
    yaw: float,
) -> float:
    """Score of one pose; see the module's docstring."""
    c, s = math.cos(yaw) / step, math.sin(yaw) / step
    column, row = (east - corner[0]) / step, (north - corner[1]) / step
    total = 0.0
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        column1, row1 = column + c * x - s * y, row + s * x + c * y
        total += _hit_value(distance, hit, column1, row1)
        x, y = origins[i, 0], origins[i, 1]
        if _passes_through(distance, building, high, deep, column + c * x - s * y, row + s * x + c * y, column1, row1):
            total -= penalty
    return total / max(points.shape[0], 1)


@njit(cache=True, parallel=True)
def score_poses(
    distance: Distances,
    building: Buildings,
    high: HighBuildings,
    hit: HitValues,
    deep: int,
    corner: FloatArray,
    step: float,
    penalty: float,
    points: FloatArray,
    origins: FloatArray,
    poses: FloatArray,
) -> FloatArray:
    """Scores `(K,)` of poses `(K, 3)`."""
    out = np.empty(poses.shape[0])
    for k in prange(poses.shape[0]):
        out[k] = score_pose(
            distance, building, high, hit, deep, corner, step, penalty, points, origins, poses[k, 0], poses[k, 1], poses[k, 2]
        )
    return out


@njit(cache=True, parallel=True)
def coarse_hits(
    distance: Distances,
    hit: HitValues,
    corner: FloatArray,
    step: float,
    points: FloatArray,
    positions: FloatArray,
    headings: FloatArray,
) -> NDArray[np.float32]:
    """Mean hit value `(P, H)` of points `(M, 2)` seen from every position `(P, 2)` in every heading `(H,)`, nearest pixel.

    Turned points become offsets in the flattened raster, which all positions share; positions whose points could leave the raster
    score 0.
    """
    rows, columns = distance.shape
    count = points.shape[0]
    offsets = np.empty((headings.shape[0], count), dtype=np.int32)
    reach = 0
    for h in range(headings.shape[0]):
        c, s = math.cos(headings[h]) / step, math.sin(headings[h]) / step
        for i in range(count):
            dc = round(c * points[i, 0] - s * points[i, 1])
            dr = round(s * points[i, 0] + c * points[i, 1])
            reach = max(reach, abs(dc), abs(dr))
            offsets[h, i] = dr * columns + dc
    flat = distance.ravel()
    value = (255.0 * hit).astype(np.int32)
    out = np.zeros((positions.shape[0], headings.shape[0]), dtype=np.float32)
    for p in prange(positions.shape[0]):
        column = round((positions[p, 0] - corner[0]) / step)
        row = round((positions[p, 1] - corner[1]) / step)
        if column < reach or row < reach or column + reach >= columns or row + reach >= rows:
            continue
        base = row * columns + column
        for h in range(headings.shape[0]):
            total = 0
            for i in range(count):
                total += value[int(flat[base + offsets[h, i]]) + 128]
            out[p, h] = total / (255.0 * count)
    return out


@njit(cache=True)
def distinct(poses: FloatArray, order: NDArray[np.int64], count: int, metres: float, radians: float) -> NDArray[np.int64]:
    """At most `count` of the indices `order` into poses `(K, 3)`, in that order, none near an earlier one in place and heading."""
    kept = np.empty(min(count, order.shape[0]), dtype=np.int64)
    found = 0
    for i in order:
        near = False
        for j in kept[:found]:
            de, dn = poses[i, 0] - poses[j, 0], poses[i, 1] - poses[j, 1]
            turn = abs(math.pi - (math.pi - poses[i, 2] + poses[j, 2]) % (2.0 * math.pi))
            if de * de + dn * dn < metres * metres and turn < radians:
                near = True
                break
        if not near:
            kept[found] = i
            found += 1
            if found == kept.shape[0]:
                break
    return kept[:found]
