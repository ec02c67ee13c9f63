# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a scan may have suffered, drawn at random for many tiles at once: `ScanEffectsConfig` in numbers that renderers read.

Both renderers, on numba and on PyTorch, take the same `Scene`, so that they draw the same tiles. Each effect draws from a
generator of its own: to switch one off leaves the others as they were.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.config import ScanEffectsConfig, TileConfig
from urban_map_loc.geometry.pose2 import FloatArray

Number = TypeVar("Number", bound=np.generic)

SCAN, SUBMAP, STRIP = 0, 1, 2
SUBMAP_POSES = 5  # their rays are interleaved: ray k is cast from pose k modulo this, so that a submap costs no more than a scan
NARROWEST_RAD, WIDEST_RAD = math.radians(60.0), math.radians(110.0)  # stereo cameras
LEVEL_BEAM_HEIGHT_M = 1.8  # a planar scanner on a car: where it tilts, it sees the ground or looks over what is low
ALONGSIDE_M = 45.0  # obstacles stand this far ahead and behind at most
FREE_LANE_M = 2.0  # and never nearer to the car's axis than this
BEND = 0.01  # 1/m, 1 sigma: a street's bends
# Knots of the displacement of walls, around the car: buildings beside each other have been moved by different amounts.
KNOTS = 16


class Scene(NamedTuple):
    """What becomes of N tiles, apart from the noise of single rays.

    Attributes:
        salt: `(N,)` int64 decides which buildings are missing, bare, simplified.
        reach_m: `(N,)` the sensor's range [m].
        skipped: `(N,)` int64 beams left out after each one kept.
        view_rad: `(N,)` field of view [rad], centred forward.
        tilt: `(N, 2)` how fast beams forward and leftward rise [m/m].
        beam_height_m: `(N,)` height [m] at which beams leave: what is lower is looked over.
        kind: `(N,)` int64 SCAN, SUBMAP or STRIP.
        drive: `(N, 4)` of submaps and strips: length [m] and curvature [1/m] as driven, and as odometry has them.
        offsets: `(N, KNOTS, 2)` how far map and world are apart [m], by bearing around the car, in the `map` frame.
        obstacles: `(N, M, 5)` x, y of the middle [m], x, y of half the length [m] in the base frame, and 1 for what is taken for a wall,
            0 for what only hides. Of length 0 where there are fewer.
        map_shift: `(N, 2)` how far the whole map is off [m], in the `map` frame.
    """

    salt: NDArray[np.int64]
    reach_m: FloatArray
    skipped: NDArray[np.int64]
    view_rad: FloatArray
    tilt: FloatArray
    beam_height_m: FloatArray
    kind: NDArray[np.int64]
    drive: FloatArray
    offsets: FloatArray
    obstacles: FloatArray
    map_shift: FloatArray

    def part(self, part: slice) -> Scene:
        """The scene of some of the tiles."""
        return Scene._make(values[part] for values in self)


EVERY_TILE = slice(None)


def draw_scene(tile: TileConfig, effects: ScanEffectsConfig, count: int, seed: int, stretch: int = 1) -> Scene:
    """The scene of `count` tiles; so many consecutive ones as a `stretch` of a drive share the sensor and the map's errors."""
    world, sensor, beams, view, tilt, kind, drive, moved, vehicles, vegetation, extra, shift = np.random.default_rng(seed).spawn(12)
    drives = -(-count // stretch)

    def shared(values: NDArray[Number]) -> NDArray[Number]:
        return np.repeat(values, stretch, axis=0)[:count]

    narrow = np.minimum(tile.field_of_view_rad, view.uniform(NARROWEST_RAD, WIDEST_RAD, drives))
    kinds = shared(np.digitize(kind.random(drives), [1.0 - effects.submaps - effects.strips, 1.0 - effects.strips]))
    height = max(tile.sensor_height_m, LEVEL_BEAM_HEIGHT_M) if effects.tilt_rad > 0.0 else tile.sensor_height_m
    obstacles = [
        _obstacles(vehicles, count, effects.vehicles, aside_m=(2.5, 6.0), length_m=(3.0, 12.0), across=0.0, wall=0.0),
        _obstacles(vegetation, count, effects.vegetation, aside_m=(7.0, 20.0), length_m=(1.0, 10.0), across=0.5, wall=0.0),
        _obstacles(extra, count, effects.extra_walls, aside_m=(4.0, 40.0), length_m=(1.5, 12.0), across=0.5, wall=1.0),
    ]
    angle, distance = shift.uniform(0.0, 2.0 * np.pi, drives), effects.map_shift_m * shift.random(drives)
    return Scene(
        salt=shared(world.integers(0, 2**31, drives)),
        reach_m=shared(tile.range_m * (1.0 - effects.range_cut * sensor.random(drives))),
        skipped=shared(beams.integers(0, effects.skipped_beams + 1, drives)),
        view_rad=shared(np.where(view.random(drives) < effects.narrow_views, narrow, tile.field_of_view_rad)),
        tilt=effects.tilt_rad * tilt.standard_normal((count, 2)),
        beam_height_m=np.full(count, height),
        kind=kinds,
        drive=_drives(drive, kinds, effects),
        offsets=effects.moved_building_m * moved.standard_normal((count, KNOTS, 2)),
        obstacles=np.concatenate(obstacles, axis=1),
        map_shift=shared(np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)),
    )


def _drives(random: np.random.Generator, kind: NDArray[np.int64], effects: ScanEffectsConfig) -> FloatArray:
    """Arcs backwards from the car: length and curvature, true and as odometry has them, `(N, 4)`."""
    longest = np.array([0.0, effects.submap_m, effects.strip_m])[kind]
    length, curvature = longest * random.uniform(0.5, 1.0, len(kind)), random.normal(0.0, BEND, len(kind))
    scale, bend = effects.odometry_drift * random.standard_normal((2, len(kind)))
    return np.stack([length, curvature, length * (1.0 + scale), curvature + 0.1 * bend], axis=1)


def _obstacles(
    random: np.random.Generator,
    count: int,
    mean: float,
    *,
    aside_m: tuple[float, float],
    length_m: tuple[float, float],
    across: float,
    wall: float,
) -> FloatArray:
    """Straight obstacles `(count, M, 5)` beside the road, as in `Scene`, a share of them `across` it."""
    number = random.poisson(mean * random.uniform(0.0, 2.0, count))  # some streets are green, and some are bare
    shape = (count, int(number.max(initial=0)))
    x, y = random.uniform(-ALONGSIDE_M, ALONGSIDE_M, shape), random.uniform(*aside_m, shape)
    direction = random.normal(0.0, 0.15, shape) + 0.5 * np.pi * (random.random(shape) < across)
    half = 0.5 * random.uniform(*length_m, shape)
    half = np.minimum(half, (y - FREE_LANE_M) / np.maximum(np.abs(np.sin(direction)), 0.01))
    half *= np.arange(shape[1]) < number[:, None]
    y *= random.choice([-1.0, 1.0], shape)
    return np.stack([x, y, half * np.cos(direction), half * np.sin(direction), np.full(shape, wall)], axis=-1)
