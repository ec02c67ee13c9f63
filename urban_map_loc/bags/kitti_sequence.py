# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A sequence of KITTI's odometry benchmark, with SemanticKITTI's labels beside it where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from urban_map_loc.bags.kitti import STAMP_OFFSET_S, numbers_of, velodyne_poses
from urban_map_loc.bags.kitti_drive import KittiDrive, chosen_sensor, lidar, numbered, stereo
from urban_map_loc.bags.kitti_stereo import KittiPairs
from urban_map_loc.config import ConversionConfig
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.geometry.trajectory import Trajectory


def is_sequence(source: Path) -> bool:
    """Whether a folder is laid out as the odometry benchmark's sequences."""
    return (source / "velodyne").is_dir() or (source / "image_2").is_dir()


def read_sequence(source: Path, sensor: str, trajectory: Path | None, config: ConversionConfig) -> KittiDrive:
    """The drive in a folder with velodyne, or image_2 and image_3, and calib.txt; optional: labels, times.txt, poses.

    Without times.txt frames come at `frame_rate_hz`, by their numbers. Odometry is `trajectory` (rows of KITTI's poses), else
    odometry_cam0.txt or poses.txt of the folder, else poses/NN.txt of the benchmark, which is its truth. The benchmark gives no
    position on the earth; truth.csv of the folder, a row a frame, is taken over.

    Raises:
        BagError: a file is missing or damaged.
    """
    velodyne, images = numbered(source / "velodyne", ".bin"), numbered(source / "image_2", ".png")
    sensor = chosen_sensor(sensor, source, velodyne, images)
    numbers = list(velodyne if sensor == "velodyne" else images)
    missing: list[str] = []
    poses, found = _poses(source, trajectory, missing)
    rows = max(numbers[-1] + 1, 0 if poses is None else len(poses))
    times = _times(source / "times.txt", rows, config, missing)
    for name, count in ((source / "times.txt", len(times)), (found, len(times) if poses is None else len(poses))):
        if count <= numbers[-1]:
            raise BagError(f"{name} ends at frame {count - 1}, {source} has a frame {numbers[-1]}; give one sequence's files")
    stamps_s = {n: float(times[n]) for n in numbers}
    labels = numbered(source / "labels", ".label")
    if sensor == "velodyne" and not labels:
        missing.append("no labels/*.label: building points are told by their shape")
    used = [f"clouds of {sensor}"] + (["labels"] if labels and sensor == "velodyne" else [])
    used += [f"odometry of {found}"] if poses is not None else []
    cloud = lidar(velodyne, labels) if sensor == "velodyne" else stereo(KittiPairs(source), stamps_s)
    truth = _truth(source / "truth.csv", times, missing)
    used += ["truth of truth.csv"] if truth is not None else []
    odometry = None if poses is None else (times[: len(poses)], poses[: len(times)])
    return KittiDrive(source, stamps_s, cloud, odometry, truth, used, missing)


def _times(path: Path, rows: int, config: ConversionConfig, missing: list[str]) -> FloatArray:
    if path.is_file():
        times: FloatArray = numbers_of(path, 1)[:, 0] + STAMP_OFFSET_S
        if np.any(np.diff(times) <= 0.0):
            raise BagError(f"{path}: times do not increase; copy it again")
        return times
    missing.append(f"no times.txt: frames are stamped by their numbers, {config.frame_rate_hz:g} a second")
    return np.arange(rows) / config.frame_rate_hz + STAMP_OFFSET_S


def _poses(source: Path, trajectory: Path | None, missing: list[str]) -> tuple[FloatArray | None, Path]:
    """Poses of the velodyne and their file."""
    beside = source.resolve().parent.parent / "poses" / f"{source.resolve().name}.txt"
    candidates = [trajectory] if trajectory else [source / "odometry_cam0.txt", source / "poses.txt", beside]
    for path in candidates:
        if path == trajectory or path.is_file():
            return velodyne_poses(path, source / "calib.txt"), path
    missing.append("no poses: `localize` needs odometry; give rows of KITTI's poses with --odometry")
    return None, candidates[-1]


def _truth(path: Path, times: FloatArray, missing: list[str]) -> Trajectory | None:
    if not path.is_file():
        missing.append("no truth.csv: the benchmark gives no position on the earth")
        return None
    truth = Trajectory.read_csv(path)
    if len(truth) != len(times):
        raise BagError(f"{path} has {len(truth)} rows for {len(times)} frames; give the truth of this sequence")
    return Trajectory(times, truth.lat_deg, truth.lon_deg, truth.yaw_enu_rad)
