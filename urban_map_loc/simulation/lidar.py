"""A spinning lidar in a world of triangles, by open3d's ray casting."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.config import SimulationConfig
from urban_map_loc.errors import UrbanMapLocError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.simulation.solids import Mesh
from urban_map_loc.simulation.world import World

# SemanticKITTI's classes of what a ray can meet.
ROAD, BUILDING, VEHICLE, VEGETATION = 40, 50, 10, 70
BEHIND_LEAF_M = 0.35  # mean depth in leaves at which a ray returns


@dataclass(frozen=True, eq=False)
class Sensor:
    """A lidar's beams: elevations `(B,)` [rad], azimuth steps a turn, and reach [m]."""

    elevations_rad: NDArray[np.float64]
    columns: int
    minimum_m: float
    maximum_m: float


SENSORS = {
    # Velodyne's manuals: HDL-64E's two blocks, HDL-32E, VLP-16; at 10 turns a second.
    "hdl64": Sensor(np.radians(np.concatenate([np.linspace(2.0, -8.33, 32), np.linspace(-8.83, -24.33, 32)])), 1800, 0.9, 120.0),
    "hdl32": Sensor(np.radians(np.linspace(10.67, -30.67, 32)), 1800, 0.9, 100.0),
    "vlp16": Sensor(np.radians(np.linspace(15.0, -15.0, 16)), 1800, 0.5, 100.0),
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
        self._solid = self._scene(world.ground, world.buildings, world.things)
        self._leaves = self._scene(world.leaves)
        azimuth = 2.0 * np.pi * np.arange(sensor.columns) / sensor.columns
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
        kinds = np.array([ROAD, BUILDING, VEHICLE, VEHICLE], dtype=np.uint8)
        distance, cosine, what = self._cast(self._solid, rays)
        label = kinds[np.minimum(what, 3)]
        if moving is not None and len(moving.triangles):
            near, near_cosine, _ = self._cast(self._scene(moving), rays)
            first = near < distance
            distance, cosine, label = np.where(first, near, distance), np.where(first, near_cosine, cosine), np.where(first, VEHICLE, label)
        chance = rng.random((2, len(rays)))
        crown, leaf_cosine, _ = self._cast(self._leaves, rays)
        leaf = crown + rng.exponential(BEHIND_LEAF_M, len(rays))
        stopped = (leaf < distance) & (chance[0] >= self._config.leaf_gaps)
        distance = np.where(stopped, leaf, distance)
        cosine, label = np.where(stopped, np.maximum(leaf_cosine, 0.5), cosine), np.where(stopped, VEGETATION, label)
        back = (distance >= self._sensor.minimum_m) & (distance <= self._sensor.maximum_m)
        back &= (cosine >= self._config.grazing) & (chance[1] >= self._config.dropout)
        noisy = distance[back] + rng.normal(0.0, self._config.range_noise_m, int(back.sum()))
        points = self._directions[back] * noisy[:, None].astype(np.float32)
        points[:, 2] += np.float32(self._config.sensor_height_m)
        return Scan(points, label[back].astype(np.uint8))

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
