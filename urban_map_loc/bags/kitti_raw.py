# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A drive of KITTI's raw data (`2011_09_30_drive_0027_sync`): velodyne or pictures, and oxts for motion and truth."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from urban_map_loc.bags.kitti_calibration import raw_stereo_calibration, rigid_calibration, text_of
from urban_map_loc.bags.kitti_drive import KittiDrive, chosen_sensor, lidar, numbered, stereo
from urban_map_loc.bags.kitti_stereo import KittiPairs
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.geometry.trajectory import Trajectory

# Columns of an oxts packet: degrees, radians (yaw 0 = east, counter-clockwise), m/s forward and to the left, rad/s about up.
OXTS_COLUMNS = 30
LAT, LON, YAW, FORWARD, LEFTWARD, TURNING = 0, 1, 5, 8, 9, 22
# T_velo_imu of the recording car, to a few millimetres on all days; used where calib_imu_to_velo.txt is not there.
T_VELO_IMU = Extrinsic(np.eye(3), np.array([-0.81, 0.32, -0.80]))
STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,9}))?")


def is_raw(source: Path) -> bool:
    """Whether a folder is laid out as the raw data's drives."""
    return any((source / name).is_dir() for name in ("velodyne_points", "image_02", "oxts"))


def read_raw(source: Path, sensor: str) -> KittiDrive:
    """The drive in a folder with velodyne_points, or image_02 and image_03, and oxts; calib_*.txt in it or beside it.

    Odometry is what oxts measures of the car's speed and turning, added up: it drifts, but comes from the same unit as the truth.

    Raises:
        BagError: a file is missing or damaged.
    """
    velodyne = numbered(source / "velodyne_points" / "data", ".bin")
    images = numbered(source / "image_02" / "data", ".png")
    sensor = chosen_sensor(sensor, source, velodyne, images)
    folder = source / ("velodyne_points" if sensor == "velodyne" else "image_02")
    times = _timestamps(folder / "timestamps.txt")
    numbers = list(velodyne if sensor == "velodyne" else images)
    if numbers[-1] >= len(times):
        raise BagError(f"{folder / 'timestamps.txt'} ends at {len(times) - 1}, there is a frame {numbers[-1]}; copy it again")
    stamps_s = {n: times[n] for n in numbers}
    if np.any(np.diff(list(stamps_s.values())) <= 0.0):
        raise BagError(f"{folder / 'timestamps.txt'}: times do not increase; copy it again")
    missing: list[str] = []
    used = [f"clouds of {sensor}"]
    if sensor == "velodyne":
        cloud = lidar(velodyne, {})
    else:
        pairs = KittiPairs(source, folders=("image_02/data", "image_03/data"), calibration=raw_stereo_calibration(_calibration(source)))
        cloud = stereo(pairs, stamps_s)
    odometry, truth = None, None
    if packets := numbered(source / "oxts" / "data", ".txt"):
        odometry, truth = _oxts(packets, _timestamps(source / "oxts" / "timestamps.txt"), _T_imu_velo(source, missing))
        used += ["odometry and truth of oxts"]
    else:
        missing.append("no oxts: no odometry, which `localize` needs, and no truth")
    return KittiDrive(source, stamps_s, cloud, odometry, truth, used, missing)


def _oxts(packets: dict[int, Path], times: list[float], T_imu_velo: Extrinsic) -> tuple[tuple[FloatArray, FloatArray], Trajectory]:
    """Odometry and truth of the velodyne."""
    if max(packets) >= len(times):
        raise BagError(f"oxts/timestamps.txt ends at {len(times) - 1}, there is a packet {max(packets)}; copy it again")
    rows = np.array([_packet(path) for path in packets.values()])
    stamps = np.array([times[n] for n in packets])
    fresh = np.concatenate([[True], np.diff(stamps) > 0.0])
    rows, stamps = rows[fresh], stamps[fresh]
    T_velo = Pose2(T_imu_velo.translation[0], T_imu_velo.translation[1], float(np.arctan2(*T_imu_velo.rotation[1::-1, 0])))
    poses, pose = [], Pose2.identity()
    for k, row in enumerate(rows):
        if k:
            elapsed_s, mean = stamps[k] - stamps[k - 1], (row + rows[k - 1]) / 2.0
            turn = mean[TURNING] * elapsed_s
            # The mean direction of travel over the step is that of half the turn.
            forward = Pose2(0.0, 0.0, turn / 2.0) @ Pose2(mean[FORWARD] * elapsed_s, mean[LEFTWARD] * elapsed_s, turn / 2.0)
            pose = pose @ forward
        poses.append((T_velo.inverse() @ pose @ T_velo).as_array())
    plane = LocalTangentPlane(GeoPoint(float(rows[0, LAT]), float(rows[0, LON])))
    imu = np.column_stack([plane.to_enu(rows[:, LAT], rows[:, LON]), rows[:, YAW]])
    truth = np.array([(Pose2.from_array(p) @ T_velo).as_array() for p in imu])
    return (stamps, np.array(poses)), Trajectory.from_poses(stamps, truth, plane)


def _packet(path: Path) -> list[float]:
    try:
        values = [float(v) for v in text_of(path).split()]
    except ValueError as error:
        raise BagError(f"{path} is damaged ({error}); copy it again") from error
    if len(values) != OXTS_COLUMNS or not np.isfinite(values).all() or abs(values[LAT]) > 90.0 or abs(values[LON]) > 180.0:
        raise BagError(f"{path} is damaged, {OXTS_COLUMNS} numbers expected; copy it again")
    return values


def _T_imu_velo(source: Path, missing: list[str]) -> Extrinsic:
    folder = _calibration(source)
    if (folder / "calib_imu_to_velo.txt").is_file():
        return rigid_calibration(folder / "calib_imu_to_velo.txt").inverse()
    missing.append("no calib_imu_to_velo.txt: the velodyne is taken to sit where it sat on the recording car")
    return T_VELO_IMU.inverse()


def _calibration(source: Path) -> Path:
    """The folder of calib_*.txt: the day's, which is the drive's parent, as unpacked; or the drive's own."""
    return source if any(source.glob("calib_*.txt")) else source.resolve().parent


def _timestamps(path: Path) -> list[float]:
    """Stamps [s] of lines such as `2011-09-30 12:40:25.062134784`, taken for UTC."""
    stamps = []
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if not line.strip():
            continue
        match = STAMP.fullmatch(line.strip())
        try:
            whole = datetime.strptime(match[1] if match else "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        except ValueError:  # a 13th month
            match = None
        if match is None:
            raise BagError(f"{path}: line {number} is no time; copy it again")
        stamps.append(whole.timestamp() + float(f"0.{match[2] or 0}"))
    return stamps
