# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What each ray of a scan saw: the nearest wall, how far it is free of buildings, and where it met road surface.

Rays are those of the tile: sectors of the horizontal field of view, counter-clockwise from its right edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.cloud import BUILDING, OTHER, ROAD
from urban_map_loc.config import TileConfig
from urban_map_loc.tile.from_cloud import ROAD_STEP_M, road_steps


@dataclass(frozen=True, eq=False)
class RaysSeen:
    """Attributes.

    hits: `(K, 2)` x, y [m] of the nearest building point of each ray that has one, in the order of the rays.
    seen_m: `(sectors,)` [m] how far each ray is known to be free of buildings: to its hit, else to the farthest ground it met.
    road: `(sectors, steps)` 1 where road surface was seen along each ray, in steps of `ROAD_STEP_M`.
    """

    hits: NDArray[np.float64]
    seen_m: NDArray[np.float64]
    road: NDArray[np.uint8]


def along_rays(points: NDArray[np.float32], kinds: NDArray[np.uint8], tile: TileConfig, minimum_range_m: float) -> RaysSeen:
    """What the rays of `tile` saw of points `(N, 3)` [m, base frame] of the kinds `(N,)`, beyond `minimum_range_m` [m].

    Where a beam met the ground, no building stood before that. Between two neighbouring returns from road surface along a ray, and
    between the car and the first of them, the surface is taken to be road: beams are metres apart far out.
    """
    steps = road_steps(tile.range_m)
    hits, seen, ground = _gather(points, kinds, tile.sectors, tile.field_of_view_rad, minimum_range_m, tile.range_m, steps)
    return RaysSeen(hits, seen, _filled(ground, seen))


@njit(cache=True, inline="always")
def _bearing(y: np.float32, x: np.float32) -> np.float32:
    """Angle of (x, y) [rad] in [-pi, pi], to 1e-4 rad, a hundredth of a ray: several times as fast as atan2.

    Polynomial of Abramowitz and Stegun, Handbook of Mathematical Functions, 4.4.49, on the first octant.
    """
    ax, ay = abs(x), abs(y)
    low, high = min(ax, ay), max(ax, ay)
    t = low / high if high > np.float32(0.0) else np.float32(0.0)
    s = t * t
    angle = t * (
        np.float32(0.9998660)
        + s * (np.float32(-0.3302995) + s * (np.float32(0.1801410) + s * (np.float32(-0.0851330) + s * np.float32(0.0208351))))
    )
    if ay > ax:
        angle = np.float32(0.5 * pi) - angle
    if x < 0:
        angle = np.float32(pi) - angle
    return -angle if y < 0 else angle


@njit(cache=True)
def _gather(
    points: NDArray[np.float32], kinds: NDArray[np.uint8], sectors: int, field_of_view: float, minimum_m: float, range_m: float, steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Nearest building points `(K, 2)`, free distance `(sectors,)` [m], and kind of ground met `(sectors, steps)`, OTHER where none."""
    nearest = np.full(sectors, -1, dtype=np.int64)
    hit = np.full(sectors, np.float32(range_m * range_m), dtype=np.float32)
    farthest = np.zeros(sectors, dtype=np.float32)
    ground = np.zeros((sectors, steps), dtype=np.uint8)
    scale, half = np.float32(sectors / field_of_view), np.float32(0.5 * field_of_view)
    low, high, per_step = np.float32(minimum_m * minimum_m), np.float32(range_m * range_m), np.float32(1.0 / ROAD_STEP_M)
    for i in range(points.shape[0]):
        kind = kinds[i]
        if kind == OTHER:
            continue
        x, y = points[i, 0], points[i, 1]
        squared = x * x + y * y
        if not low <= squared <= high:
            continue
        bearing = _bearing(y, x)
        if abs(bearing) > half:
            continue
        ray = min(sectors - 1, int((bearing + half) * scale))
        if kind == BUILDING:
            if nearest[ray] < 0 or squared < hit[ray]:
                nearest[ray], hit[ray] = i, squared
        else:
            farthest[ray] = max(farthest[ray], squared)
            step = min(steps - 1, int(sqrt(squared) * per_step))
            ground[ray, step] = max(ground[ray, step], kind)
    chosen = nearest[nearest >= 0]
    hits = np.empty((chosen.size, 2))
    for k in range(chosen.size):
        hits[k, 0], hits[k, 1] = points[chosen[k], 0], points[chosen[k], 1]
    seen = np.empty(sectors)
    for ray in range(sectors):
        seen[ray] = sqrt(hit[ray] if nearest[ray] >= 0 else farthest[ray])
    return hits, seen, ground


@njit(cache=True)
def _filled(ground: NDArray[np.uint8], seen: NDArray[np.float64]) -> NDArray[np.uint8]:
    """1 `(sectors, steps)` from one return of road to the next, if no other ground lies between and no wall before."""
    sectors, steps = ground.shape
    road = np.zeros((sectors, steps), dtype=np.uint8)
    for ray in range(sectors):
        begin, on_road = 0, True
        for step in range(min(steps, int(seen[ray] / ROAD_STEP_M) + 1)):
            if ground[ray, step] == OTHER:
                continue
            if on_road and ground[ray, step] == ROAD:
                road[ray, begin : step + 1] = 1
            on_road = ground[ray, step] == ROAD
            begin = step
    return road
