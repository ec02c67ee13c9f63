# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The compiled part of `tile/from_map.py`: rays through the distance field, and what a `Scene` does to them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from urban_map_loc.area.raster import DISTANCE_STEP_M
from urban_map_loc.config import ScanEffectsConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.tile.grid import draw_points
from urban_map_loc.tile.scene import KNOTS, STRIP, SUBMAP_POSES, Scene

NOTHING = -1  # in place of a building's number
NOWHERE = (-1.0, NOTHING)
# Added to a tile's salt, so that what is decided for a building by chance is decided apart.
BARE, RELIEF = 7, (13, 29)
EAST_SALT, NORTH_SALT = 7919, 104729
# Rays that are cast as one beam of a SCAN, SUBMAP, STRIP: from one pose, from several in turn, to the left and the right.
BEAMS_TOGETHER = (1, SUBMAP_POSES, 2)
PIECE_M = 4.0  # length of the pieces of wall that stand apart from the map's outline


class Walls(NamedTuple):
    """What rays need of a `BuildingRaster`."""

    distance: NDArray[np.int8]
    building: NDArray[np.uint16]
    heights: FloatArray
    origin: FloatArray
    step: float


class RayEffects(NamedTuple):
    """The strengths that act on single rays and buildings, of `ScanEffectsConfig`; `far_dropout` is per square metre of range."""

    range_noise_m: float
    dropout: float
    far_dropout: float
    missing_buildings: float
    bare_walls: float
    simplified_m: float

    @classmethod
    def of(cls, effects: ScanEffectsConfig, range_m: float) -> RayEffects:
        """Of tiles with this range [m]."""
        strengths = RayEffects(*(getattr(effects, name) for name in cls._fields))
        return strengths._replace(far_dropout=effects.far_dropout / range_m**2)


@njit(cache=True)
def _chance(building: int, salt: int) -> float:
    """A number in [0, 1) that depends on the building and the tile alone: a building is missing for all rays or for none."""
    h = (building * 2654435761 + salt * 40503 + 12345) & 0xFFFFFFFF
    h ^= h >> 16
    h = (h * 0x45D9F3B) & 0xFFFFFFFF
    h ^= h >> 16
    return h / 4294967296.0


@njit(cache=True, fastmath=True)
def _trace(
    walls: Walls, east: float, north: float, direction: float, limit: float, height: float, rise: float, missing: float, salt: int
) -> tuple[float, int]:
    """Distance [m] along a ray to the first building that is there, and its number; NOWHERE beyond `limit`.

    A ray that starts inside a building leaves it first: maps and poses are metres off, and roofs span streets. The ray leaves at
    `height` [m] and rises by so much a metre; what is known to be lower is looked over.
    """
    de, dn = math.cos(direction), math.sin(direction)
    rows, columns = walls.distance.shape
    travelled = 0.0
    free, over = False, False
    while travelled < limit:
        column = round((east + travelled * de - walls.origin[0]) / walls.step)
        row = round((north + travelled * dn - walls.origin[1]) / walls.step)
        if row < 0 or column < 0 or row >= rows or column >= columns:
            return NOWHERE
        d = DISTANCE_STEP_M * walls.distance[row, column]
        if d < 0.0:
            index = int(walls.building[row, column])
            if walls.heights[index] < height + rise * travelled:
                over = True
            elif free and (missing <= 0.0 or _chance(index, salt) >= missing):
                # Behind a lower one that adjoins, the wall is here: distances are to the outline of both.
                return travelled if over else max(travelled + d, 0.0), index
            travelled += walls.step
        else:
            free, over = True, False
            travelled += max(d, 0.5 * walls.step)
    return NOWHERE


@njit(cache=True)
def _along(length: float, curvature: float) -> tuple[float, float, float]:
    """Pose on an arc, so far [m] from its beginning at (0, 0, 0)."""
    yaw = length * curvature
    if abs(yaw) < 1e-6:
        return length, 0.0, yaw
    return math.sin(yaw) / curvature, (1.0 - math.cos(yaw)) / curvature, yaw


@njit(cache=True)
def _obstacle(obstacles: FloatArray, x: float, y: float, direction: float, limit: float) -> tuple[float, bool]:
    """How far a ray gets from x, y [m] before an obstacle or its `limit`, and whether what stops it is taken for a wall."""
    c, s = math.cos(direction), math.sin(direction)
    wall = False
    for k in range(obstacles.shape[0]):
        px, py, hx, hy = obstacles[k, 0] - x, obstacles[k, 1] - y, obstacles[k, 2], obstacles[k, 3]
        along = c * hy - s * hx  # zero where parallel, or where there is none
        if along == 0.0:
            continue
        distance = (px * hy - py * hx) / along
        if 0.0 < distance < limit and abs(px * s - py * c) <= abs(along):
            limit, wall = distance, obstacles[k, 4] > 0.0
    return limit, wall


@njit(cache=True)
def _offset(offsets: FloatArray, bearing: float) -> tuple[float, float]:
    """How far map and world are apart [m] in this direction, between the knots."""
    position = (bearing / (2.0 * math.pi) + 0.5) * KNOTS
    low = math.floor(position)
    share, a, b = position - low, int(low) % KNOTS, (int(low) + 1) % KNOTS
    return (1.0 - share) * offsets[a, 0] + share * offsets[b, 0], (1.0 - share) * offsets[a, 1] + share * offsets[b, 1]


@njit(cache=True)
def _relief(walls: Walls, east: float, north: float, index: int, strength: float, salt: int) -> tuple[float, float]:
    """East and north [m] by which the piece of wall at a place stands before or behind the outline, along the wall's normal."""
    rows, columns = walls.distance.shape
    column, row = round((east - walls.origin[0]) / walls.step), round((north - walls.origin[1]) / walls.step)
    if row < 1 or column < 1 or row >= rows - 1 or column >= columns - 1:
        return 0.0, 0.0
    across = float(walls.distance[row, column + 1]) - float(walls.distance[row, column - 1])
    up = float(walls.distance[row + 1, column]) - float(walls.distance[row - 1, column])
    length = math.hypot(across, up)
    if length == 0.0:
        return 0.0, 0.0
    piece = salt + EAST_SALT * math.floor(east / PIECE_M) + NORTH_SALT * math.floor(north / PIECE_M)
    amount = strength * (_chance(index, piece + RELIEF[0]) + _chance(index, piece + RELIEF[1]) - 1.0) / length
    return amount * across, amount * up


@njit(cache=True, parallel=True)
def cast(
    walls: Walls,
    poses: FloatArray,
    seeds: NDArray[np.int64],
    scene: Scene,
    effects: RayEffects,
    field_of_view: float,
    points: FloatArray,
    seen: FloatArray,
) -> None:
    """First hits `(N, R, 2)` in the base frame, NaN where there is none, and how far the car's own rays see `(N, R)`."""
    rays = points.shape[1]
    points[:] = np.nan
    for i in prange(poses.shape[0]):
        np.random.seed(seeds[i] & 0x7FFFFFFF)
        salt, kind = scene.salt[i], scene.kind[i]
        cosine, sine = math.cos(poses[i, 2]), math.sin(poses[i, 2])
        together = BEAMS_TOGETHER[kind]
        for r in range(rays):
            beam, member = r // together, r % together
            bearing = (r + 0.5) * field_of_view / rays - 0.5 * field_of_view
            back = member / max(together - 1, 1)  # share of the drive that lies between this ray's pose and the car
            if kind == STRIP:
                bearing, back = (0.5 - member) * math.pi, beam * together / rays
            elif abs(bearing) > 0.5 * scene.view_rad[i]:
                seen[i, r] = 0.0
                continue
            # What a beam that was left out, or was cast elsewhere, would have seen here is taken from its neighbour.
            own = kind != STRIP and member == 0
            seen[i, r] = 0.0 if own or r == 0 or kind == STRIP else seen[i, r - 1]
            if beam % (scene.skipped[i] + 1) != 0:
                seen[i, r] = seen[i, max(r - 1, 0)]
                continue
            if np.random.random() < effects.dropout:
                continue
            x, y, turned = _along(-back * scene.drive[i, 0], scene.drive[i, 1])
            direction = turned + bearing
            rise = scene.tilt[i, 0] * math.cos(direction) + scene.tilt[i, 1] * math.sin(direction)
            limit = scene.reach_m[i]
            if rise < 0.0:
                limit = min(limit, scene.beam_height_m[i] / -rise)  # there it meets the road
            limit, wall = _obstacle(scene.obstacles[i], x, y, direction, limit)
            off_east, off_north = _offset(scene.offsets[i], direction)
            east, north = poses[i, 0] + cosine * x - sine * y + off_east, poses[i, 1] + sine * x + cosine * y + off_north
            towards = poses[i, 2] + direction
            distance, index = _trace(walls, east, north, towards, limit, scene.beam_height_m[i], rise, effects.missing_buildings, salt)
            if index < 0:
                distance = limit
            if own:
                seen[i, r] = distance
            if (index < 0 and not wall) or (index >= 0 and _chance(index, salt + BARE) < effects.bare_walls):
                continue  # trees stand before such a building: it hides what lies behind, and gives no hits
            if np.random.random() < effects.far_dropout * distance * distance:
                continue
            before_east, before_north = 0.0, 0.0
            if index >= 0 and effects.simplified_m > 0.0:
                before_east, before_north = _relief(
                    walls, east + distance * math.cos(towards), north + distance * math.sin(towards), index, effects.simplified_m, salt
                )
            distance = distance * math.sqrt(1.0 + rise * rise) + effects.range_noise_m * np.random.normal()
            if distance > 0.0:
                x, y, turned = _along(-back * scene.drive[i, 2], scene.drive[i, 3])
                points[i, r, 0] = x + distance * math.cos(turned + bearing) + cosine * before_east + sine * before_north
                points[i, r, 1] = y + distance * math.sin(turned + bearing) - sine * before_east + cosine * before_north


@njit(cache=True, parallel=True)
def draw_hits(points: FloatArray, half_m: float, resolution_m: float, tiles: NDArray[np.uint8]) -> None:
    """Set the pixels of `tiles (N, S, S)` in which points `(N, R, 2)` [m] lie."""
    for i in prange(points.shape[0]):
        draw_points(points[i], half_m, resolution_m, tiles[i])
