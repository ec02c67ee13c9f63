# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""KITTI odometry to a bag: a real lidar's building points, or clouds of stereo pairs, a real odometry, GPS/IMU truth."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.bags.kitti_calibration import square, text_of, velodyne_calibration
from urban_map_loc.bags.kitti_stereo import KittiPairs
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.reading import require_bytes

RANGES_FILE = "building_range.npz"
BUILDING_LABEL = 50  # SemanticKITTI
POINT_HEIGHT_M = 1.0  # the ranges are horizontal: any height above the ground will do
STAMP_OFFSET_S = 1.0  # KITTI's times begin at 0, which ROS takes for an unset stamp


def convert_kitti(source: Path, out: Path, stereo: Path | None = None) -> int:
    """Write a bag of the folder's frames: clouds, odometry and truth, all of the velodyne (= `base_link`).

    Args:
        source: folder with building_range.npz, truth.csv, odometry_cam0.txt, times.txt and calib.txt.
        out: bag to write.
        stereo: folder with image_2, image_3 and calib.txt of the same sequence: clouds of these pairs in place of the labelled ranges.

    Returns:
        The number of clouds.

    Raises:
        BagError: a file is missing, damaged or of another length than the others.
        CloudError: a stereo pair shows nothing.
        OutputError: `out` cannot be written.
    """
    times = numbers_of(source / "times.txt", 1)[:, 0] + STAMP_OFFSET_S
    odometry = kitti_odometry(source)
    truth = Trajectory.read_csv(source / "truth.csv")
    pairs = None if stereo is None else KittiPairs(stereo)
    ranges = None if stereo is not None else _ranges(source / RANGES_FILE)
    if not len(times) == len(odometry) == len(truth) == (len(times) if ranges is None else len(ranges)):
        counted = "" if ranges is None else f"{len(ranges)} ranges, "
        raise BagError(f"{source}: {counted}{len(times)} times, {len(odometry)} odometry and {len(truth)} truth rows differ; copy it again")
    if pairs is not None and max(pairs.files) >= len(times):
        raise BagError(f"{pairs.source} has a frame {max(pairs.files)}, {source} ends at {len(times) - 1}; give one sequence's folders")
    clouds = 0
    with BagWriter(out) as bag:
        for frame, (time_s, pose) in enumerate(zip(times.tolist(), odometry, strict=True)):
            bag.write_odometry(time_s, Pose2.from_array(pose))
            if ranges is not None:
                points = sector_points(ranges[frame])
                bag.write_cloud(time_s, points, label=np.full(len(points), BUILDING_LABEL))
            elif pairs is not None and frame in pairs.files:
                bag.write_cloud(time_s, pairs.cloud(frame, time_s).points)
            else:
                continue
            clouds += 1
        bag.write_truth(Trajectory(times, truth.lat_deg, truth.lon_deg, truth.yaw_enu_rad))
    return clouds


def sector_points(ranges_m: NDArray[np.floating]) -> NDArray[np.float32]:
    """Points `(N, 3)` [m] of horizontal ranges `(K,)` [m], sector k centred at 360 k / K degrees; 0 = no point."""
    angle = 2.0 * np.pi * np.arange(len(ranges_m)) / len(ranges_m)
    seen = ranges_m > 0.0
    x, y = ranges_m * np.cos(angle), ranges_m * np.sin(angle)
    return np.column_stack([x, y, np.full(len(ranges_m), POINT_HEIGHT_M)])[seen].astype(np.float32)


def kitti_odometry(source: Path) -> NDArray[np.float64]:
    """Planar poses `(N, 3)` of the velodyne relative to its first pose, from the left camera's SLAM trajectory.

    Raises:
        BagError: odometry_cam0.txt or calib.txt is missing or damaged.
    """
    return velodyne_poses(source / "odometry_cam0.txt", source / "calib.txt")


def velodyne_poses(trajectory: Path, calibration: Path) -> NDArray[np.float64]:
    """Planar poses `(N, 3)` of the velodyne relative to its first pose, from rows of KITTI's poses (3x4, of the left camera).

    Raises:
        BagError: a file is missing or damaged.
    """
    T_cam0_cam = numbers_of(trajectory, 12).reshape(-1, 3, 4)
    T_cam_velo = square(velodyne_calibration(calibration))
    T_velo0_velo = np.linalg.inv(T_cam_velo) @ np.stack([square(T) for T in T_cam0_cam]) @ T_cam_velo
    yaw = np.arctan2(T_velo0_velo[:, 1, 0], T_velo0_velo[:, 0, 0])
    return np.column_stack([T_velo0_velo[:, :2, 3], yaw])


def numbers_of(path: Path, columns: int) -> NDArray[np.float64]:
    """The numbers `(rows, columns)` of a text file.

    Raises:
        BagError: it is missing or holds something else.
    """
    try:
        table = np.array([line.split() for line in text_of(path).splitlines() if line.strip()], dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != columns or not np.isfinite(table).all():
            raise ValueError(f"shape {table.shape}")
    except ValueError as error:
        raise BagError(f"{path} is damaged, {columns} numbers a row expected ({error}); copy it again") from error
    return table


def _ranges(path: Path) -> NDArray[np.float32]:
    try:
        with zipfile.ZipFile(path) as packed:
            require_bytes(sum(entry.file_size for entry in packed.infolist()), f"{path}, unpacked,", "largest_cloud_mb", BagError)
        with np.load(path, allow_pickle=False) as archive:
            ranges = archive["ranges_m"]
            if not isinstance(ranges, np.ndarray):
                raise ValueError("ranges_m is no array")
    except FileNotFoundError as error:
        raise BagError(f"{path} does not exist; give the folder of a sequence with building_range.npz") from error
    except (OSError, KeyError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise BagError(f"{path} is damaged ({error}); copy it again") from error
    if ranges.ndim != 2:
        raise BagError(f"{path}: ranges_m has shape {ranges.shape}, not (frames, sectors); copy it again")
    clean: NDArray[np.float32] = np.nan_to_num(ranges, nan=0.0, posinf=0.0)
    return clean
