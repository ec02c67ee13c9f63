# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RobotCar's push-broom scanner, and the clouds that its scans make on the way.

The scanner sees a plane across the street. Scans of the last metres, put together by odometry as `convert robotcar` does it, are a cloud
like any other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.simulation.lidar import Scan

# The dataset's SDK, extrinsics/lms_front.txt and ins.txt: x, y, z [m], roll, pitch, yaw [rad]; axes forward, right, down.
LMS_FRONT = (1.7589, 0.2268, 1.0411, -0.0437, -1.4572, 0.0356)
INS_M = (-1.7132, 0.1181, 1.1948)
LMS_HEIGHT_M = 0.5  # above the ground, that of a bumper: the dataset does not say
FLU_FRD = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True, eq=False)
class PushBroom:
    """A scanner of one plane: angles `(A,)` [rad] about its x axis, reach [m], scans a second, and `T_base_sensor`."""

    angles_rad: FloatArray
    minimum_m: float
    maximum_m: float
    scan_hz: float
    T_base_sensor: Extrinsic
    depth_noise_per_m: float = 0.0

    def directions(self) -> FloatArray:
        """Directions `(A, 1, 3)`: one column of rays, cast from every pose."""
        fan = np.column_stack([np.cos(self.angles_rad), np.sin(self.angles_rad), np.zeros(len(self.angles_rad))])
        return (fan @ self.T_base_sensor.rotation.T)[:, None, :]

    def position(self, sensor_height_m: float) -> FloatArray:
        """Where it is mounted, whatever `sensor_height_m` says of those that can be mounted anywhere."""
        return self.T_base_sensor.translation


def _lms_front() -> Extrinsic:
    """T_base_sensor: base below the INS, which the truth is of; the sensor's axes keep the dataset's directions."""
    mounted = Extrinsic.from_xyz_rpy(LMS_FRONT)
    ahead, left, _ = FLU_FRD @ (mounted.translation - INS_M)
    return Extrinsic(FLU_FRD @ mounted.rotation, np.array([ahead, left, LMS_HEIGHT_M]))


PUSH_BROOMS = {
    # SICK LMS-151: 270 degrees, a ray every 0.5 degrees, 50 scans a second, 0.5 to 50 m (data sheet; as RobotCar ran it).
    "lms151": PushBroom(np.radians(np.arange(-135.0, 135.1, 0.5)), 0.5, 50.0, 50.0, _lms_front()),
}


class Strip:
    """The scans of the last metres, in the odometry frame."""

    def __init__(self, behind_m: float) -> None:
        self._behind_m = behind_m
        self._scans: deque[tuple[float, Scan, FloatArray]] = deque()

    def add(self, driven_m: float, T_odom_base: FloatArray, scan: Scan) -> None:
        """Add scans taken from poses `(S, 3)`; ray numbers of `scan` tell which pose each point is of. `driven_m` is that of the last."""
        assert scan.ray is not None
        pose = T_odom_base[scan.ray % len(T_odom_base)]
        c, s, (x, y) = np.cos(pose[:, 2]), np.sin(pose[:, 2]), scan.points[:, :2].astype(np.float64).T
        self._scans.append((driven_m, scan, np.column_stack([pose[:, 0] + c * x - s * y, pose[:, 1] + s * x + c * y])))

    def cloud(self, driven_m: float, T_odom_base: Pose2) -> Scan:
        """All points of the last `behind_m` metres in the base frame at `T_odom_base`."""
        while self._scans and self._scans[0][0] < driven_m - self._behind_m:
            self._scans.popleft()
        if not self._scans:
            return Scan(np.zeros((0, 3), np.float32), np.zeros(0, np.uint8))
        scans = [scan for _, scan, _ in self._scans]
        points = np.empty((sum(len(scan.points) for scan in scans), 3), np.float32)
        points[:, :2] = T_odom_base.inverse().transform(np.concatenate([xy for _, _, xy in self._scans]))
        points[:, 2] = np.concatenate([scan.points[:, 2] for scan in scans])
        bright = [scan.intensity for scan in scans if scan.intensity is not None]
        return Scan(points, np.concatenate([scan.label for scan in scans]), None, np.concatenate(bright) if bright else None)


def spaced(driven_m: FloatArray, spacing_m: float) -> NDArray[np.intp]:
    """Numbers `(K,)` of the scans to keep, those at which another `spacing_m` [m] has been driven; the first always."""
    return np.flatnonzero(np.diff(np.floor(driven_m / spacing_m + 1e-9), prepend=-1.0) > 0.0)


def batches(numbers: NDArray[np.intp], stamps: FloatArray, scan_stamps: FloatArray) -> Iterator[NDArray[np.intp]]:
    """The scans `numbers (K,)` by the cloud that they are first in: up to each of `stamps (C,)` those since the one before."""
    first = 0
    for last in np.searchsorted(scan_stamps[numbers], stamps, side="right"):
        yield numbers[first:last]
        first = max(first, int(last))
