# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Push-broom scans to clouds: scans of a plane across the road, put together by odometry over the last metres driven."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.bags.robotcar_scans import Scan
from urban_map_loc.bags.robotcar_tables import Odometry
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.config import ConversionConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2


class ScannerFile(NamedTuple):
    """A scan that is used: which scanner's, when, and how far odometry had driven [m] at which pose `(3,)`."""

    scanner: str
    stamp_us: int
    metre: float
    T_odom_base: FloatArray


class _PlacedScan(NamedTuple):
    file: ScannerFile
    points: NDArray[np.float32]
    intensity: NDArray[np.float32]


class PushBroom:
    """Strips of scans. A strip is a function of its stamp alone, so any part of a drive can be made without the parts before."""

    def __init__(
        self, stamps_us: dict[str, NDArray[np.int64]], T_base: dict[str, Extrinsic], odometry: Odometry, config: ConversionConfig
    ) -> None:
        """Choose the scans that are used: one for each `strip_spacing_m` driven and scanner.

        Args:
            stamps_us: stamps of each scanner's files, sorted.
            T_base: where each scanner is, with the dataset's axes.
            odometry: the car's poses.
            config: length and spacing of strips.
        """
        self.config, self.odometry, self.T_base = config, odometry, T_base
        # Turning in place moves a scan too: a radian counts as far as the wall that it sweeps over, some 10 m off.
        steps = np.diff(odometry.poses, axis=0)
        turned_m = np.abs(np.angle(np.exp(1j * steps[:, 2]))) * 10.0
        self._driven_m = np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])
        moved_m = np.concatenate([[0.0], np.cumsum(np.maximum(np.hypot(steps[:, 0], steps[:, 1]), turned_m))])
        chosen: list[ScannerFile] = []
        for scanner, stamps in stamps_us.items():
            poses = odometry.at(stamps)
            known = np.isfinite(poses[:, 0])
            stamps, poses = stamps[known], poses[known]
            # The first scan of each square of the distance moved: which ones these are depends on no other choice.
            square = np.floor(self._at(stamps, moved_m) / config.strip_spacing_m)
            first = np.concatenate([[True], np.diff(square) > 0.0])[: len(stamps)]
            metres = self.driven_m(stamps)
            chosen += [ScannerFile(scanner, int(stamps[k]), float(metres[k]), poses[k]) for k in np.flatnonzero(first).tolist()]
        self.files = sorted(chosen, key=lambda f: (f.stamp_us, f.scanner))

    def _at(self, stamps_us: NDArray[np.int64], values: FloatArray) -> FloatArray:
        origin = float(self.odometry.stamps_us[0])
        return np.interp(stamps_us.astype(np.float64) - origin, self.odometry.stamps_us.astype(np.float64) - origin, values)

    def driven_m(self, stamps_us: NDArray[np.int64]) -> FloatArray:
        """Metres driven until stamps `(N,)` [us]."""
        return self._at(stamps_us, self._driven_m)

    def clouds(
        self, stamps_us: NDArray[np.int64], read: Callable[[str, int], Scan | None]
    ) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
        """Stamp [us], points `(N, 3)` [m, base frame of that moment] and intensity `(N,)` of the strip at each of the stamps, sorted.

        Stamps at which no scan is near enough are left out.

        Args:
            stamps_us: when to make clouds.
            read: a scanner's points at a stamp; None where they cannot be had.
        """
        poses, metres = self.odometry.at(stamps_us), self.driven_m(stamps_us)
        strip: deque[_PlacedScan] = deque()
        following = self._first_needed(stamps_us, metres)
        for stamp_us, pose, metre in zip(stamps_us.tolist(), poses, metres.tolist(), strict=True):
            if not np.isfinite(pose[0]):
                continue
            while following < len(self.files) and self._begun(self.files[following], stamp_us, metre):
                file = self.files[following]
                following += 1
                scan = read(file.scanner, file.stamp_us) if self._recent(file, stamp_us, metre) else None
                if scan is not None:
                    strip.append(self._placed(file, scan))
            while strip and not self._recent(strip[0].file, stamp_us, metre):
                strip.popleft()
            if strip:
                yield stamp_us, *_in_base(strip, pose)

    def _begun(self, file: ScannerFile, stamp_us: int, metre: float) -> bool:
        ahead_m = self.config.strip_ahead_m
        return file.stamp_us <= stamp_us or (ahead_m > 0.0 and file.metre <= metre + ahead_m and self._near_in_time(file, stamp_us))

    def _recent(self, file: ScannerFile, stamp_us: int, metre: float) -> bool:
        return file.metre >= metre - self.config.strip_behind_m and self._near_in_time(file, stamp_us)

    def _near_in_time(self, file: ScannerFile, stamp_us: int) -> bool:
        return abs(file.stamp_us - stamp_us) <= self.config.strip_limit_s * 1e6

    def _first_needed(self, stamps_us: NDArray[np.int64], metres: FloatArray) -> int:
        if not len(stamps_us):
            return len(self.files)
        return next((k for k, f in enumerate(self.files) if self._recent(f, int(stamps_us[0]), float(metres[0]))), len(self.files))

    def _placed(self, file: ScannerFile, scan: Scan) -> _PlacedScan:
        """The scan in the odometry frame, heights as they are above base_link: the drive is taken for flat."""
        reach = np.hypot(scan.points[:, 0], scan.points[:, 1])
        kept = (reach > 0.0) & (reach <= self.config.lms_range_m)  # 0: no return; false for NaN
        points = self.T_base[file.scanner].apply(scan.points[kept]).astype(np.float64)
        points[:, :2] = Pose2.from_array(file.T_odom_base).transform(points[:, :2])
        # Within a strip of some ten metres float32 holds a hundredth of a millimetre, kilometres from odometry's origin it would not.
        points[:, :2] -= file.T_odom_base[:2]
        intensity = np.zeros(len(points), np.float32) if scan.intensity is None else scan.intensity[kept]
        return _PlacedScan(file, points.astype(np.float32), intensity)


def _in_base(strip: deque[_PlacedScan], pose: FloatArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    c, s = np.float32(np.cos(pose[2])), np.float32(np.sin(pose[2]))
    moved = np.concatenate([p.points + np.append(p.file.T_odom_base[:2] - pose[:2], 0.0).astype(np.float32) for p in strip])
    x, y = moved[:, 0].copy(), moved[:, 1].copy()
    moved[:, 0], moved[:, 1] = c * x + s * y, c * y - s * x
    return moved, np.concatenate([p.intensity for p in strip])
