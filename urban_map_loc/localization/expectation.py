# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the map says should be seen from a pose, and how much of it is.

The score of `kernels.py` asks how much of what is seen is in the map; fences, lorries and new buildings spoil it at the right place. This
asks the other way round: of the walls that the map has in sight, how many are there? What hides them says little, and what the map
does not know nothing. What spoils this is a wall of the map that is gone; few places have both troubles at once.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from urban_map_loc.area.raster import DISTANCE_STEP_M
from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.localization.alignment import Distances
from urban_map_loc.localization.kernels import Buildings, HighBuildings

# A ray is followed by this share of the distance to the nearest wall, and at least half a pixel.
STRIDE, LEAST_STRIDE_M = 0.9, 0.25
NOTHING_HIT = -1.0


def rays_of(scan: BuildingScan, field_of_view_rad: float) -> FloatArray:
    """What each ray of a scan says, `(R, 5)` as `rays_to` has them; those without a hit too, where it is known how far they are free."""
    azimuth = np.arctan2(scan.points[:, 1], scan.points[:, 0])
    hits = rays_to(scan.points, np.zeros_like(scan.points))
    if scan.seen_m is None:
        return hits
    count = len(scan.seen_m)
    step = field_of_view_rad / count
    free = scan.seen_m > 0.0
    free[np.clip(((azimuth + 0.5 * field_of_view_rad) / step).astype(np.int64), 0, count - 1)] = False
    middle = (np.flatnonzero(free) + 0.5) * step - 0.5 * field_of_view_rad
    nothing = np.zeros((len(middle), 2))
    return np.concatenate([hits, np.column_stack([nothing, middle, np.full(len(middle), NOTHING_HIT), scan.seen_m[free]])])


def rays_to(points: FloatArray, origins: FloatArray) -> FloatArray:
    """Rays `(R, 5)` in the base frame that end at hits `(R, 2)` [m] and begin at `origins (R, 2)` [m].

    Columns: origin x, y [m], azimuth [rad], range of the wall hit [m] or NOTHING_HIT, how far it is free of buildings [m].
    """
    way = points - origins
    metres = np.hypot(way[:, 0], way[:, 1])
    return np.column_stack([origins, np.arctan2(way[:, 1], way[:, 0]), metres, metres])


@njit(cache=True, parallel=True)
def expected(
    distance: Distances,
    building: Buildings,
    high: HighBuildings,
    corner: FloatArray,
    step: float,
    rays: FloatArray,
    poses: FloatArray,
    reach_m: float,
    near_m: float,
    near_share: float,
) -> NDArray[np.int64]:
    """Of the rays that meet a wall of the map within `reach_m`: those that were seen to, those seen to pass, those hidden before it.

    `(K, 3)` for poses `(K, 3)`. A hit is on the wall within `near_m` and `near_share` of its distance. Low buildings are no obstacle.
    """
    out = np.zeros((poses.shape[0], 3), dtype=np.int64)
    for k in prange(poses.shape[0]):
        turn_c, turn_s = math.cos(poses[k, 2]), math.sin(poses[k, 2])
        for i in range(rays.shape[0]):
            east = poses[k, 0] + turn_c * rays[i, 0] - turn_s * rays[i, 1]
            north = poses[k, 1] + turn_s * rays[i, 0] + turn_c * rays[i, 1]
            c, s = math.cos(poses[k, 2] + rays[i, 2]) / step, math.sin(poses[k, 2] + rays[i, 2]) / step
            column, row = (east - corner[0]) / step + 0.5, (north - corner[1]) / step + 0.5
            metres, wall = 0.0, -1.0
            while metres < reach_m:
                q, r = math.floor(column + c * metres), math.floor(row + s * metres)
                if q < 0 or r < 0 or r >= distance.shape[0] or q >= distance.shape[1]:
                    break
                gap = DISTANCE_STEP_M * distance[r, q]
                if gap < 0.0 and high[building[r, q]]:
                    wall = metres
                    break
                metres += max(LEAST_STRIDE_M, STRIDE * gap)
            if wall < 0.0:
                continue
            near = near_m + near_share * wall
            if rays[i, 3] >= 0.0 and abs(rays[i, 3] - wall) <= near:
                out[k, 0] += 1
            elif rays[i, 4] > wall + near:
                out[k, 1] += 1
            elif rays[i, 3] >= 0.0:
                out[k, 2] += 1
    return out
