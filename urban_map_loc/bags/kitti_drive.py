# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""KITTI's lidar and camera drives to bags: the odometry benchmark's layout, with SemanticKITTI's labels, and the raw data's.

`base_link` is the velodyne (x forward, y left, z up), 1.73 m above the road. Clouds are the .bin files' float32 x, y, z and intensity, bit
for bit. The formats are those of the two development kits' readme files (Geiger et al. 2013, IJRR 32(11)).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.bags.conversion import Converted, Progress, Span, convert_in_parts
from urban_map_loc.bags.kitti_stereo import KittiPairs
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.config import ConversionConfig
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.reading import require_size


class Frame(NamedTuple):
    """A cloud `(N, 3)` [m] with intensity and label `(N,)`, None where there are none."""

    points: NDArray[np.float32]
    intensity: NDArray[np.float32] | None = None
    label: NDArray[np.uint32] | None = None


@dataclass
class KittiDrive:
    """A drive, as either layout gives it.

    Attributes:
        source: its folder.
        stamps_s: stamp of each frame that has a cloud, by its number, increasing.
        cloud: makes a frame's cloud.
        odometry: stamps `(N,)` [s] and `T_odom_base (N, 3)`, None where there is none.
        truth: true poses, None where they are not known.
        used: what was found, for the report.
        missing: what was not.
    """

    source: Path
    stamps_s: dict[int, float]
    cloud: Callable[[int], Frame]
    odometry: tuple[FloatArray, FloatArray] | None
    truth: Trajectory | None
    used: list[str]
    missing: list[str]


def write_drive(
    drive: KittiDrive,
    out: Path,
    span: Span,
    sensor: str,
    config: ConversionConfig,
    progress: Progress | None = None,
) -> Converted:
    """Write a bag of a drive.

    Raises:
        BagError: a file is damaged, or nothing lies in the span.
        CloudError: a stereo pair shows nothing.
        OutputError: `out` cannot be written.
        KeyboardInterrupt: with a word on how to go on.
    """
    stamps = np.array([round(s * 1e6) for s in drive.stamps_s.values()], np.int64)
    numbers = np.array(list(drive.stamps_s), np.int64)
    first, last = int(stamps[0]), int(stamps[-1])
    begin = first + round(span.start_s * 1e6)
    end = last + 1 if span.end_s is None else min(last + 1, first + round(span.end_s * 1e6))
    if not begin < end:
        raise BagError(f"{drive.source} lasts {(last - first) * 1e-6:.1f} s, none of it between start and end; choose others")
    if span.rate_hz is not None:
        period = np.floor((stamps - begin + 500) / (1e6 / span.rate_hz))
        kept = np.concatenate([[True], np.diff(period) > 0.0])
        stamps, numbers = stamps[kept], numbers[kept]

    def write(bag: BagWriter, part_begin: int, part_end: int) -> None:
        chosen = slice(*np.searchsorted(stamps, [part_begin, part_end]).tolist())
        clouds = ((drive.stamps_s[n], 1, n) for n in numbers[chosen].tolist())
        for stamp_s, is_cloud, which in heapq.merge(_poses_between(drive, part_begin, part_end), clouds):
            if is_cloud:
                frame = drive.cloud(which)
                bag.write_cloud(stamp_s, frame.points, intensity=frame.intensity, label=frame.label)
            elif drive.odometry is not None:
                bag.write_odometry(stamp_s, Pose2.from_array(drive.odometry[1][which]), velocity=_velocity(*drive.odometry, which))

    plan = {"source": str(drive.source.resolve()), "span": asdict(span), "sensor": sensor, "used": drive.used}
    count = convert_in_parts(out, plan, begin, end, config.part_s, write, drive.truth, progress)
    return Converted(count, drive.used, drive.missing)


def _poses_between(drive: KittiDrive, begin_us: int, end_us: int) -> Iterator[tuple[float, int, int]]:
    if drive.odometry is not None:
        stamps_us = np.rint(drive.odometry[0] * 1e6)
        for k in np.flatnonzero((stamps_us >= begin_us) & (stamps_us < end_us)).tolist():
            yield float(drive.odometry[0][k]), 0, k


def _velocity(stamps_s: FloatArray, poses: FloatArray, k: int) -> tuple[float, float]:
    """Forward [m/s] and turning [rad/s] since the pose before."""
    if not k:
        return 0.0, 0.0
    step = Pose2.from_array(poses[k - 1]).inverse() @ Pose2.from_array(poses[k])
    elapsed_s = float(stamps_s[k] - stamps_s[k - 1])
    return step.x / elapsed_s, step.yaw / elapsed_s


def numbered(folder: Path, suffix: str) -> dict[int, Path]:
    """The files of a folder named by a number, in its order."""
    files = {int(f.stem): f for f in folder.glob(f"*{suffix}") if f.stem.isdecimal()} if folder.is_dir() else {}
    return dict(sorted(files.items()))


def lidar(files: dict[int, Path], labels: dict[int, Path]) -> Callable[[int], Frame]:
    """Makes clouds of .bin files, with the labels of those frames that have them."""

    def cloud(number: int) -> Frame:
        path = files[number]
        rows: NDArray[np.float32] = _values(path, "<f4", 4)
        if number not in labels:
            return Frame(rows[:, :3], rows[:, 3])
        label: NDArray[np.uint32] = _values(labels[number], "<u4", 1)[:, 0]
        if len(label) != len(rows):
            raise BagError(f"{labels[number]} has {len(label)} labels for the {len(rows)} points of {path}; copy both again")
        return Frame(rows[:, :3], rows[:, 3], label)

    return cloud


def stereo(pairs: KittiPairs, stamps_s: dict[int, float]) -> Callable[[int], Frame]:
    """Makes clouds of image pairs."""
    return lambda number: Frame(pairs.cloud(number, stamps_s[number]).points)


def chosen_sensor(sensor: str, source: Path, velodyne: dict[int, Path], images: dict[int, Path]) -> str:
    """Velodyne or stereo.

    Raises:
        BagError: what is wanted is not there.
    """
    there = [name for name, files in (("velodyne", velodyne), ("stereo", images)) if files]
    if sensor == "auto" and there:
        return there[0]
    if sensor not in there:
        raise BagError(
            f"{source} has no {'clouds or pictures' if sensor == 'auto' else sensor}, only {', '.join(there) or 'neither'}; copy it"
        )
    return sensor


def _values(path: Path, kind: str, columns: int) -> NDArray[Any]:
    require_size(path, "largest_cloud_mb", BagError)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BagError(f"{path} cannot be read ({error.strerror or error}); copy it again") from error
    if len(content) % (4 * columns):
        raise BagError(f"{path}: {len(content)} bytes are no whole number of {4 * columns}-byte points; copy it again")
    return np.frombuffer(content, kind).reshape(-1, columns)
