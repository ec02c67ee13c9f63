# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a simulated car records on its way: a cloud for every stamp, and odometry and fixes between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.config import SimulationConfig
from urban_map_loc.geometry.geodesy import LocalTangentPlane
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.simulation.gnss import Fixes
from urban_map_loc.simulation.lidar import Lidar, Scan, Sensor
from urban_map_loc.simulation.odometry import driven
from urban_map_loc.simulation.push_broom import PushBroom, Strip, batches, spaced
from urban_map_loc.simulation.solids import Mesh
from urban_map_loc.simulation.traffic import Traffic
from urban_map_loc.simulation.world import World

TURN_S = 0.1  # a spinning lidar turns ten times a second, though not every turn may be asked for


@dataclass(frozen=True, eq=False)
class Drive:
    """A drive through a world.

    Attributes:
        world, traffic: what there is to see.
        time_s: `(N,)` stamps of `truth` and `odometry`, `(N, 3)` poses T_map_base and T_odom_base.
        route: the true poses as they were given.
        plane: of the `map` frame.
    """

    world: World
    traffic: Traffic
    time_s: FloatArray
    truth: FloatArray
    odometry: FloatArray
    route: Trajectory
    plane: LocalTangentPlane

    def poses(self, stamps: FloatArray) -> FloatArray:
        """True poses `(M, 3)`; before its first and after its last pose the car stands."""
        return self.route.at(np.clip(stamps, self.route.time_s[0], self.route.time_s[-1]), self.plane)

    def odometry_at(self, stamps: FloatArray) -> FloatArray:
        """Odometry `(M, 3)`, headings not wrapped."""
        columns = (*self.odometry[:, :2].T, np.unwrap(self.odometry[:, 2]))
        return np.column_stack([np.interp(stamps, self.time_s, column) for column in columns])

    def vehicles(self, stamp: float) -> Mesh:
        """The moving vehicles, on the ground."""
        return self.world.terrain.lifted(self.traffic.at(stamp))


@dataclass(frozen=True, eq=False)
class Cloud:
    """A scan with the beam `(N,)` of each point and when it was measured after the stamp `(N,)` [s]; None where nothing is told."""

    points: NDArray[np.float32]
    label: NDArray[np.uint8]
    intensity: NDArray[np.float32] | None
    ring: NDArray[np.uint16] | None = None
    offset_s: NDArray[np.float32] | None = None


def one_by_one(
    drive: Drive, sensor: Sensor, stamps: FloatArray, rate_hz: float, config: SimulationConfig, seed: np.random.SeedSequence
) -> Iterator[Cloud]:
    """A scan at each of `stamps (C,)`.

    With `config.sweep` a spinning lidar's turn ends at its stamp, clockwise from straight ahead, and its points are given in the base
    frame of their own times. Cameras see everything at once.
    """
    lidar, sweep = Lidar(drive.world, sensor, config), config.sweep and sensor.field_of_view_rad >= 2.0 * np.pi
    turn_s = min(TURN_S, 1.0 / rate_hz)
    offsets = turn_s * ((-np.arange(sensor.columns)) % sensor.columns / sensor.columns - 1.0)
    for number, (stamp, pose) in enumerate(zip(stamps, drive.route.at(stamps, drive.plane), strict=True)):
        where = drive.poses(stamp + offsets) if sweep else Pose2.from_array(pose)
        scan = lidar.scan(where, _noise(seed, number), drive.vehicles(float(stamp)))
        if not sweep or scan.ray is None:
            yield Cloud(scan.points, scan.label, scan.intensity)
            continue
        ring, column = np.divmod(scan.ray, sensor.columns)
        yield Cloud(scan.points, scan.label, scan.intensity, ring.astype(np.uint16), offsets[column].astype(np.float32))


def accumulated(
    drive: Drive, sensor: PushBroom, stamps: FloatArray, config: SimulationConfig, seed: np.random.SeedSequence
) -> Iterator[Cloud]:
    """At each of `stamps (C,)` the push-broom scans of the last metres, put together by odometry."""
    lidar, strip = Lidar(drive.world, sensor, config), Strip(config.strip_behind_m)
    scan_stamps = np.arange(stamps[0], stamps[-1] + 1.0 / sensor.scan_hz, 1.0 / sensor.scan_hz)
    odometry = drive.odometry_at(scan_stamps)
    arc, arc_of_cloud = driven(odometry), driven(drive.odometry_at(stamps))
    poses, numbers = drive.poses(scan_stamps), spaced(arc, config.strip_spacing_m)
    clouds = zip(drive.odometry_at(stamps), batches(numbers, stamps, scan_stamps), strict=True)
    for number, (T_odom_base, batch) in enumerate(clouds):
        if len(batch):
            middle = float(scan_stamps[batch[len(batch) // 2]])
            strip.add(float(arc[batch[-1]]), odometry[batch], lidar.scan(poses[batch], _noise(seed, number), drive.vehicles(middle)))
        scan: Scan = strip.cloud(float(arc_of_cloud[number]), Pose2.from_array(T_odom_base))
        yield Cloud(scan.points, scan.label, scan.intensity)


def _noise(seed: np.random.SeedSequence, number: int) -> np.random.Generator:
    """Of one cloud, whatever the others draw."""
    return np.random.default_rng((*seed.generate_state(4).tolist(), number))


class Recording:
    """Writes a drive into a bag, all stamps later by `offset_s` [s]."""

    def __init__(self, bag: BagWriter, drive: Drive, fixes: Fixes, offset_s: float) -> None:
        self._bag, self._drive, self._fixes, self._offset_s = bag, drive, fixes, offset_s
        self._speed, self._turn_rate = (
            np.gradient(values, drive.time_s) for values in (driven(drive.odometry), np.unwrap(drive.odometry[:, 2]))
        )
        self._next_pose = self._next_fix = 0

    def until(self, stamp: float) -> None:
        """Write odometry and fixes up to a stamp of the route [s], in the order of their stamps."""
        times, fix_times = self._drive.time_s, self._fixes.stamp_s
        while True:
            pose_s = times[self._next_pose] if self._next_pose < len(times) else np.inf
            fix_s = fix_times[self._next_fix] if self._next_fix < len(fix_times) else np.inf
            if min(pose_s, fix_s) > stamp:
                return
            if pose_s <= fix_s:
                self._write_odometry()
            else:
                self._write_fix()

    def _write_odometry(self) -> None:
        k = self._next_pose
        T_odom_base = Pose2.from_array(self._drive.odometry[k])
        self._bag.write_odometry(self._drive.time_s[k] + self._offset_s, T_odom_base, velocity=(self._speed[k], self._turn_rate[k]))
        self._next_pose += 1

    def _write_fix(self) -> None:
        k, fixes = self._next_fix, self._fixes
        lat_deg, lon_deg = fixes.lat_lon_deg[k]
        self._bag.write_fix(fixes.stamp_s[k] + self._offset_s, lat_deg, lon_deg, fixes.covariance_m2[k])
        self._next_fix += 1

    def cloud(self, stamp: float, cloud: Cloud, labels: bool) -> None:
        """Write a cloud of a stamp of the route [s], with its points' classes where they are asked for."""
        self._bag.write_cloud(
            stamp + self._offset_s,
            cloud.points,
            intensity=cloud.intensity,
            label=cloud.label if labels else None,
            ring=cloud.ring,
            time=cloud.offset_s,
        )
