# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A lidar, or what a stereo pair measures, in a world of triangles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.camera import StereoRig
from urban_map_loc.config import SimulationConfig, StereoConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.simulation.casting import Scene
from urban_map_loc.simulation.classes import BUILDING, REFLECTIVITY, ROAD, VEGETATION, VEHICLE
from urban_map_loc.simulation.solids import Mesh
from urban_map_loc.simulation.world import World

# Stereo matching errs alike over this many rays each way; this share of such patches has too little texture to match.
PATCH, UNMATCHED = 8, 0.2
WHITE = 100.0  # intensity of a white wall that faces the sensor, as Velodyne calibrates them: 0 to 100, retroreflectors above
BLOCK = 16384  # rays that are turned together: few enough that BLAS does it alone, whose waiting threads cost twice as much as all the rest
INTENSITY_NOISE = 0.1  # share of the intensity, 1 sigma: surfaces are uneven


class Rays(Protocol):
    """What the caster needs to know of a sensor: reach [m], noise of stereo (see `Sensor`), and where its rays go."""

    @property
    def minimum_m(self) -> float: ...  # noqa: D102

    @property
    def maximum_m(self) -> float: ...  # noqa: D102

    @property
    def depth_noise_per_m(self) -> float: ...  # noqa: D102

    def directions(self) -> FloatArray:
        """Directions `(rows, columns, 3)` of length 1 in the base frame; the rays of a column are cast at one time."""

    def position(self, sensor_height_m: float) -> FloatArray:
        """Where the rays begin `(3,)` [m] in the base frame, for a sensor that is mounted so high where it may be mounted anywhere."""


@dataclass(frozen=True, eq=False)
class Sensor:
    """Rays: elevations `(B,)` [rad], azimuth steps over the field of view about straight ahead [rad], and reach [m].

    `depth_noise_per_m` is not 0 for stereo: the standard deviation of a range is so much times its square [1/m].
    """

    elevations_rad: NDArray[np.float64]
    columns: int
    minimum_m: float
    maximum_m: float
    field_of_view_rad: float = 2.0 * np.pi
    depth_noise_per_m: float = 0.0

    def directions(self) -> FloatArray:
        """Directions `(beams, columns, 3)` of length 1 in the base frame: beam after beam, azimuths counter-clockwise."""
        view = self.field_of_view_rad
        azimuth = view * np.arange(self.columns) / self.columns - (0.5 * view if view < 2.0 * np.pi else 0.0)
        elevation, azimuth = np.meshgrid(self.elevations_rad, azimuth, indexing="ij")
        flat = np.cos(elevation)
        return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=-1)

    def position(self, sensor_height_m: float) -> FloatArray:
        """Above the origin of the base frame."""
        return np.array([0.0, 0.0, sensor_height_m])


def stereo_sensor(focal_px: float, baseline_m: float, field_of_view_rad: float, config: StereoConfig) -> Sensor:
    """A pair of cameras, every so many pixels a ray: reach and noise follow from the disparity's error."""
    rig = StereoRig(focal_px, 0.0, 0.0, baseline_m, 0.0)
    reach = rig.reach_m(config.depth_error_m, config.disparity_error_px)
    half = 0.375 * field_of_view_rad  # images are 4 wide and 3 high
    noise = config.depth_error_m / reach**2
    return Sensor(np.linspace(half, -half, 160), 320, rig.depth(np.array(config.disparities)).item(), reach, field_of_view_rad, noise)


SENSORS = {
    # Velodyne's manuals: HDL-64E's two blocks, HDL-32E, VLP-16; at 10 turns a second.
    "hdl64": Sensor(np.radians(np.concatenate([np.linspace(2.0, -8.33, 32), np.linspace(-8.83, -24.33, 32)])), 1800, 0.9, 120.0),
    "hdl32": Sensor(np.radians(np.linspace(10.67, -30.67, 32)), 1800, 0.9, 100.0),
    "vlp16": Sensor(np.radians(np.linspace(15.0, -15.0, 16)), 1800, 0.5, 100.0),
    # The wide pair of RobotCar's Bumblebee XB3 (camera models of the dataset's SDK): 983 px, 0.24 m, 66 degrees.
    "stereo": stereo_sensor(983.0, 0.24, np.radians(66.0), StereoConfig()),
}


@dataclass(frozen=True, eq=False)
class Scan:
    """What came back of the rays.

    Attributes:
        points: `(N, 3)` [m] in the base frame (on the ground below the sensor) of each ray's own time.
        label: `(N,)` class of what each is on.
        ray: `(N,)` number of the ray, row * columns + column of `Rays.directions`; None where nobody keeps count.
        intensity: `(N,)` 0 to 100; None unless the configuration asks for it.
    """

    points: NDArray[np.float32]
    label: NDArray[np.uint8]
    ray: NDArray[np.int64] | None = None
    intensity: NDArray[np.float32] | None = None


class Lidar:
    """Casts a sensor's rays into a world."""

    def __init__(self, world: World, sensor: Rays, config: SimulationConfig) -> None:
        self._sensor, self._config, self._terrain = sensor, config, world.terrain
        self._solid = Scene(world.ground, world.buildings, world.things, *world.others.values())
        self._kinds = np.array([ROAD, BUILDING, VEHICLE, *world.others], dtype=np.uint8)
        self._leaves = Scene(world.leaves)
        self._grid = sensor.directions().astype(np.float32)
        self._position = sensor.position(config.sensor_height_m)

    def scan(self, T_map_base: Pose2 | FloatArray, rng: np.random.Generator, moving: Mesh | None = None) -> Scan:
        """One turn with noise from `rng`.

        Args:
            T_map_base: of a car that stands still (as after motion compensation), or poses `(columns, 3)` at the time of each column of
                rays. A sensor with one column of rays casts it from every pose.
            rng: the noise's.
            moving: what is there this time only; it stands still for the turn.
        """
        rays, directions = self._rays(T_map_base)
        distance, cosine, what = self._solid.cast(rays)
        label = self._kinds[np.minimum(what, len(self._kinds) - 1)]  # no hit: any class, the ray does not come back
        if moving is not None and len(moving.triangles):
            near, near_cosine, _ = Scene(moving).cast(rays)
            first = near < distance
            distance, cosine, label = np.where(first, near, distance), np.where(first, near_cosine, cosine), np.where(first, VEHICLE, label)
        chance = rng.random((2, len(rays)))
        crown, leaf_cosine, _ = self._leaves.cast(rays)
        leaf = crown + rng.exponential(self._config.leaf_depth_m, len(rays))
        stopped = (leaf < distance) & (chance[0] >= self._config.leaf_gaps)
        distance = np.where(stopped, leaf, distance)
        cosine, label = np.where(stopped, np.maximum(leaf_cosine, 0.5), cosine), np.where(stopped, VEGETATION, label)
        back = (distance >= self._sensor.minimum_m) & (distance <= self._sensor.maximum_m)
        back &= (cosine >= self._config.grazing) & (chance[1] >= self._config.dropout)
        if self._sensor.depth_noise_per_m > 0.0:
            distance, matched = self._stereo_errors(distance, rng)
            back &= matched
        noisy = distance[back] + rng.normal(0.0, self._config.range_noise_m, int(back.sum()))
        points = directions[back] * noisy[:, None].astype(np.float32)
        points += self._position.astype(np.float32)
        label = label[back].astype(np.uint8)
        intensity = self._intensity(label, cosine[back], rng) if self._config.intensity else None
        return Scan(points, label, np.flatnonzero(back), intensity)

    def _rays(self, T_map_base: Pose2 | FloatArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Rays `(N, 6)` in the `map` frame, and their directions `(N, 3)` in the base frame."""
        poses = T_map_base.as_array()[None] if isinstance(T_map_base, Pose2) else np.asarray(T_map_base, float)
        rotation, translation = self._terrain.poses(poses)
        origin, turned = translation + rotation @ self._position, rotation.astype(np.float32)
        if len(poses) == 1:
            directions = self._grid.reshape(-1, 3)
            rays = np.empty((len(directions), 6), dtype=np.float32)
            rays[:, :3] = origin
            for first in range(0, len(rays), BLOCK):
                part = slice(first, first + BLOCK)
                rays[part, 3:] = directions[part] @ turned[0].T
            return rays, directions
        directions = np.broadcast_to(self._grid, (len(self._grid), len(poses), 3))
        rays = np.empty((*directions.shape[:2], 6), dtype=np.float32)
        rays[..., :3], rays[..., 3:] = origin, np.einsum("cij,rcj->rci", turned, directions)
        return rays.reshape(-1, 6), directions.reshape(-1, 3)

    def _intensity(self, label: NDArray[np.uint8], cosine: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.float32]:
        """What a rough surface sends back, its range made up for."""
        noise = 1.0 + INTENSITY_NOISE * rng.standard_normal(len(label))
        table = np.zeros(256)
        table[list(REFLECTIVITY)] = list(REFLECTIVITY.values())
        return np.clip(WHITE * table[label] * cosine * noise, 0.0, WHITE).astype(np.float32)

    def _stereo_errors(self, distance: NDArray[np.floating], rng: np.random.Generator) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Ranges as matching finds them, and which it finds: half of the error is common to a patch, some patches lack texture."""
        rows, columns = self._grid.shape[:2]

        def patches(values: NDArray[np.floating]) -> NDArray[np.floating]:
            return np.repeat(np.repeat(values, PATCH, axis=0), PATCH, axis=1)[:rows, :columns].ravel()

        shape = (-(-rows // PATCH), -(-columns // PATCH))
        error = np.sqrt(0.5) * (patches(rng.standard_normal(shape)) + rng.standard_normal(rows * columns))
        near = np.minimum(distance, self._sensor.maximum_m)  # what is further is left out already
        return near + self._sensor.depth_noise_per_m * near**2 * error, patches(rng.random(shape)) >= UNMATCHED
