"""A spinning lidar, or what a stereo pair measures, in a world of triangles, by open3d's ray casting."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.camera import StereoRig
from urban_map_loc.config import SimulationConfig, StereoConfig
from urban_map_loc.errors import UrbanMapLocError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.simulation.classes import BUILDING, ROAD, VEGETATION, VEHICLE
from urban_map_loc.simulation.solids import Mesh
from urban_map_loc.simulation.world import World

# Stereo matching errs alike over this many rays each way; this share of such patches has too little texture to match.
PATCH, UNMATCHED = 8, 0.2


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
    """Points `(N, 3)` [m] in the base frame (on the ground below the sensor) and the class `(N,)` of what each is on."""

    points: NDArray[np.float32]
    label: NDArray[np.uint8]


def _open3d() -> Any:
    """Import open3d, which needs libusb: the copy of the Python package serves where the system has none.

    Raises:
        UrbanMapLocError: open3d is not installed or does not load.
    """
    if find_spec("libusb_package") is not None:
        import libusb_package

        library = libusb_package.get_library_path()
        if library is not None:
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise UrbanMapLocError(f"open3d does not load ({error}); simulation needs `pip install open3d-cpu libusb-package`") from error
    return open3d


class Lidar:
    """Casts a sensor's rays into a world."""

    def __init__(self, world: World, sensor: Sensor, config: SimulationConfig) -> None:
        self._o3d = _open3d()
        self._sensor, self._config = sensor, config
        self._solid = self._scene(world.ground, world.buildings, world.things, *world.others.values())
        self._kinds = np.array([ROAD, BUILDING, VEHICLE, *world.others], dtype=np.uint8)
        self._leaves = self._scene(world.leaves)
        view = sensor.field_of_view_rad
        azimuth = view * np.arange(sensor.columns) / sensor.columns - (0.5 * view if view < 2.0 * np.pi else 0.0)
        elevation, azimuth = (grid.ravel() for grid in np.meshgrid(sensor.elevations_rad, azimuth, indexing="ij"))
        flat = np.cos(elevation)
        self._directions = np.column_stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)]).astype(np.float32)

    def scan(self, T_map_base: Pose2, rng: np.random.Generator, moving: Mesh | None = None) -> Scan:
        """One turn from a standing car (as after motion compensation), with noise from `rng`."""
        c, s = np.cos(T_map_base.yaw), np.sin(T_map_base.yaw)
        rotation = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]], dtype=np.float32)
        rays = np.empty((len(self._directions), 6), dtype=np.float32)
        rays[:, :3] = (T_map_base.x, T_map_base.y, self._config.sensor_height_m)
        rays[:, 3:] = self._directions @ rotation
        distance, cosine, what = self._cast(self._solid, rays)
        label = self._kinds[np.minimum(what, len(self._kinds) - 1)]  # no hit: any class, the ray does not come back
        if moving is not None and len(moving.triangles):
            near, near_cosine, _ = self._cast(self._scene(moving), rays)
            first = near < distance
            distance, cosine, label = np.where(first, near, distance), np.where(first, near_cosine, cosine), np.where(first, VEHICLE, label)
        chance = rng.random((2, len(rays)))
        crown, leaf_cosine, _ = self._cast(self._leaves, rays)
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
        points = self._directions[back] * noisy[:, None].astype(np.float32)
        points[:, 2] += np.float32(self._config.sensor_height_m)
        return Scan(points, label[back].astype(np.uint8))

    def _stereo_errors(self, distance: NDArray[np.floating], rng: np.random.Generator) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Ranges as matching finds them, and which it finds: half of the error is common to a patch, some patches lack texture."""
        rows, columns = len(self._sensor.elevations_rad), self._sensor.columns

        def patches(values: NDArray[np.floating]) -> NDArray[np.floating]:
            return np.repeat(np.repeat(values, PATCH, axis=0), PATCH, axis=1)[:rows, :columns].ravel()

        shape = (-(-rows // PATCH), -(-columns // PATCH))
        error = np.sqrt(0.5) * (patches(rng.standard_normal(shape)) + rng.standard_normal(rows * columns))
        near = np.minimum(distance, self._sensor.maximum_m)  # what is further is left out already
        return near + self._sensor.depth_noise_per_m * near**2 * error, patches(rng.random(shape)) >= UNMATCHED

    def _scene(self, *meshes: Mesh) -> Any:
        """A ray casting scene; each mesh has its number as geometry id."""
        scene = self._o3d.t.geometry.RaycastingScene()
        for mesh in meshes:
            vertices, triangles = mesh.vertices, mesh.triangles
            if not len(triangles):  # open3d refuses an empty mesh: a point far below the ground keeps the numbering
                vertices, triangles = np.full((3, 3), -1e6), np.array([[0, 1, 2]])
            scene.add_triangles(
                self._o3d.core.Tensor(np.ascontiguousarray(vertices, dtype=np.float32)),
                self._o3d.core.Tensor(np.ascontiguousarray(triangles, dtype=np.uint32)),
            )
        return scene

    def _cast(self, scene: Any, rays: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint32]]:
        """Distance [m] (inf: nothing), |cosine| of incidence and geometry id of each ray's first hit."""
        answer = scene.cast_rays(self._o3d.core.Tensor(rays))
        cosine = np.abs(np.einsum("ij,ij->i", answer["primitive_normals"].numpy(), rays[:, 3:]))
        return answer["t_hit"].numpy(), cosine, answer["geometry_ids"].numpy()
