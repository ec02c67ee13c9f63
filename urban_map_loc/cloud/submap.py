# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Submap: the walls of the last metres, carried by odometry, which show more street than one scan does.

Squares of the odometry frame's plane vote: a scan that hits a square votes for it, a scan that looks through the very spot votes
against it. What stood in few scans, or has gone since, is therefore forgotten, as is what was last seen too many metres ago.
The squares lie in a ring buffer about the car, so that memory and time do not grow with the drive.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.config import SubmapConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2

# A ray that passes this near to where a wall was hit has looked through it: range noise, and odometry's drift over a few scans.
THROUGH_M = 0.2
# Rays say nothing about the last metre before their hit: at a grazing angle the wall itself is that near.
BEFORE_HIT_M = 1.0
# Votes are held at this many scans, so that what stood at a junction for long is forgotten as fast as anything else.
MOST_VOTES = 10
NO_CELL = np.iinfo(np.int64).min


class Submap:
    """Wall points of the last `window_m` metres within `range_m` of the car."""

    def __init__(self, config: SubmapConfig, range_m: float) -> None:
        """`range_m`: points further from the car than this are forgotten [m]."""
        self.config, self.range_m = config, range_m
        count = 2 * ceil(range_m / config.cell_m) + 2
        self._cell = np.empty((count, count, 2), dtype=np.int64)
        self._point = np.empty((count, count, 2))
        self._metre = np.empty((count, count))
        self._votes = np.empty((count, count), dtype=np.int16)
        self._scan = np.empty((count, count), dtype=np.int64)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._cell.fill(NO_CELL)
        self._scans, self._travelled_m, self._stamp_s = 0, 0.0, -np.inf
        self._last: Pose2 | None = None

    def add(self, stamp_s: float, points: FloatArray, T_odom_base: Pose2) -> None:
        """Take the wall hits `(N, 2)` [m, base frame] of a scan.

        A scan that is not newer than the last is left out: it can only be a repetition or out of order. Points that are not finite or
        out of range are left out too.
        """
        if stamp_s <= self._stamp_s:
            return
        self._travelled_m += self._last.distance_to(T_odom_base) if self._last else 0.0
        self._last, self._stamp_s = T_odom_base, stamp_s
        self._scans += 1
        points = points[np.hypot(points[:, 0], points[:, 1]) <= self.range_m]  # false for NaN
        _vote(
            np.ascontiguousarray(T_odom_base.transform(points)),
            T_odom_base.x,
            T_odom_base.y,
            self.config.cell_m,
            self._travelled_m,
            self._scans,
            self._cell,
            self._point,
            self._metre,
            self._votes,
            self._scan,
        )

    def points(self, T_odom_base: Pose2) -> FloatArray:
        """Walls `(M, 2)` [m] in the base frame of `T_odom_base`, at most one a square, within `range_m`."""
        kept = _kept(
            T_odom_base.x,
            T_odom_base.y,
            self.range_m,
            self._travelled_m - self.config.window_m,
            self.config.minimum_scans,
            self._cell,
            self._point,
            self._metre,
            self._votes,
        )
        return T_odom_base.inverse().transform(kept)

    def extended(self, scan: BuildingScan, T_odom_base: Pose2) -> BuildingScan:
        """Take a scan, and give it back with what the last metres showed besides; the scan itself where `window_m` is 0."""
        if not self.config.window_m:
            return scan
        self.add(scan.stamp_s, scan.points, T_odom_base)
        return replace(scan, points=np.concatenate([scan.points, self.points(T_odom_base)]))


@njit(cache=True)
def _vote(
    points: FloatArray,
    from_x: float,
    from_y: float,
    size: float,
    travelled: float,
    scan: int,
    cell: NDArray[np.int64],
    point: FloatArray,
    metre: FloatArray,
    votes: NDArray[np.int16],
    last_scan: NDArray[np.int64],
) -> None:
    """Votes of one scan's `points (N, 2)` [m] seen from (`from_x`, `from_y`), all in the odometry frame.

    Each square is changed at most once: those that are hit count as hit, whatever else passes them.
    """
    count = cell.shape[0]
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        a, b = floor(x / size), floor(y / size)
        p, q = a % count, b % count
        if cell[p, q, 0] != a or cell[p, q, 1] != b:
            cell[p, q, 0], cell[p, q, 1] = a, b
            votes[p, q], last_scan[p, q] = 0, 0
        point[p, q, 0], point[p, q, 1] = x, y
        metre[p, q] = travelled
        if last_scan[p, q] != scan:
            last_scan[p, q] = scan
            votes[p, q] = min(votes[p, q] + 1, MOST_VOTES)
    for i in range(points.shape[0]):
        dx, dy = points[i, 0] - from_x, points[i, 1] - from_y
        length = sqrt(dx * dx + dy * dy)
        if length <= BEFORE_HIT_M:
            continue
        dx, dy = dx / length, dy / length
        for k in range(int((length - BEFORE_HIT_M) / size)):
            along = (k + 0.5) * size
            a, b = floor((from_x + along * dx) / size), floor((from_y + along * dy) / size)
            p, q = a % count, b % count
            if last_scan[p, q] == scan or cell[p, q, 0] != a or cell[p, q, 1] != b:
                continue
            if abs(dx * (point[p, q, 1] - from_y) - dy * (point[p, q, 0] - from_x)) < THROUGH_M:
                last_scan[p, q] = scan
                votes[p, q] -= 1
                if votes[p, q] <= 0:
                    cell[p, q, 0] = NO_CELL


@njit(cache=True)
def _kept(
    from_x: float,
    from_y: float,
    range_m: float,
    oldest: float,
    needed: int,
    cell: NDArray[np.int64],
    point: FloatArray,
    metre: FloatArray,
    votes: NDArray[np.int16],
) -> FloatArray:
    """Points `(M, 2)` [m, odometry frame] of the squares with `needed` votes, hit after `oldest` [m] and near enough."""
    count = cell.shape[0]
    out = np.empty((count * count, 2))
    found = 0
    for p in range(count):
        for q in range(count):
            if cell[p, q, 0] == NO_CELL or votes[p, q] < needed or metre[p, q] < oldest:
                continue
            dx, dy = point[p, q, 0] - from_x, point[p, q, 1] - from_y
            if dx * dx + dy * dy <= range_m * range_m:
                out[found, 0], out[found, 1] = point[p, q, 0], point[p, q, 1]
                found += 1
    return out[:found].copy()
