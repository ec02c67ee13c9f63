# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Drives kept in memory as scans, odometry and truth, so that they can be started anywhere and often, and changed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.bags.reader import BagReader, CloudRecord
from urban_map_loc.cloud.decode import decode
from urban_map_loc.cloud.scan import BuildingScan, scan_of_cloud
from urban_map_loc.config import CloudConfig, TileConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.geometry.pose2 import Pose2, compose_all
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.simulation.drive import simulate

FloatArray = NDArray[np.float64]
PIECE_S = 60.0  # simulated drives are made and extracted in pieces: their clouds would fill the disk


@dataclass(frozen=True, eq=False)
class Drive:
    """What a car sends, and where it really was.

    Attributes:
        scans: one a cloud; without points where the cloud showed too little.
        odometry_s: `(M,)` stamps [s].
        odometry: `(M, 3)` T_odom_base: x, y [m], yaw [rad].
        truth: the true poses.
    """

    scans: list[BuildingScan]
    odometry_s: FloatArray
    odometry: FloatArray
    truth: Trajectory

    @property
    def start_s(self) -> float:
        """Stamp of the first scan [s]."""
        return self.scans[0].stamp_s

    @property
    def end_s(self) -> float:
        """Stamp of the last scan [s]."""
        return self.scans[-1].stamp_s

    def between(self, start_s: float, end_s: float) -> Drive:
        """The part from one stamp to another [s]."""
        inside = (self.odometry_s >= start_s - 0.5) & (self.odometry_s <= end_s + 0.5)
        scans = [scan for scan in self.scans if start_s <= scan.stamp_s <= end_s]
        return Drive(scans, self.odometry_s[inside], self.odometry[inside], self.truth)

    def records(self) -> Iterator[BuildingScan | tuple[float, Pose2]]:
        """Scans and odometry in the order in which a localizer wants them: a scan after the odometry of its stamp."""
        k = 0
        for scan in self.scans:
            while k < len(self.odometry_s):
                yield float(self.odometry_s[k]), Pose2.from_array(self.odometry[k])
                k += 1
                if self.odometry_s[k - 1] >= scan.stamp_s:
                    break
            yield scan

    def distorted(self, scale: float, turn_rad_m: float) -> Drive:
        """With odometry that is wrong by a scale (1 = right) and turns by so much a metre [rad/m]."""
        moved = [self.odometry[0]]
        for before, after in zip(self.odometry[:-1], self.odometry[1:], strict=True):
            step = Pose2.from_array(before).inverse() @ Pose2.from_array(after)
            turn = turn_rad_m * float(np.hypot(step.x, step.y))
            moved.append((Pose2.from_array(moved[-1]) @ Pose2(scale * step.x, scale * step.y, step.yaw + turn)).as_array())
        return replace(self, odometry=np.array(moved))

    def then(self, other: Drive) -> Drive:
        """This drive and then, without a break in odometry or time, another one: as if the car had been carried there."""
        shift = self.end_s + 0.1 - other.start_s
        last, first = (Pose2.from_array(d.odometry_at(s)) for d, s in ((self, self.end_s), (other, other.start_s)))
        before, after = self.odometry_s <= self.end_s, other.odometry_s >= other.start_s
        scans = [BuildingScan(scan.stamp_s + shift, scan.points) for scan in other.scans]
        columns = [np.concatenate([getattr(self.truth, c), getattr(other.truth, c)]) for c in ("lat_deg", "lon_deg", "yaw_enu_rad")]
        times = np.concatenate([self.truth.time_s, other.truth.time_s + shift])
        kept = np.concatenate([self.truth.time_s <= self.end_s + 0.05, other.truth.time_s + shift > self.end_s + 0.05])
        return Drive(
            [*self.scans, *scans],
            np.concatenate([self.odometry_s[before], other.odometry_s[after] + shift]),
            np.concatenate([self.odometry[before], compose_all(last @ first.inverse(), other.odometry[after])]),
            Trajectory(times[kept], *(column[kept] for column in columns)),
        )

    def odometry_at(self, stamp_s: float) -> FloatArray:
        """Odometry `(3,)` at a stamp."""
        yaw = np.unwrap(self.odometry[:, 2])
        return np.array([np.interp(stamp_s, self.odometry_s, column) for column in (*self.odometry[:, :2].T, yaw)])

    def seen(self, keep: Callable[[FloatArray, FloatArray], NDArray[np.bool_]], area: AreaMap) -> Drive:
        """With the hits only that `keep` says of their places `(N, 2)` and the car's pose `(3,)` in `map`."""
        scans = []
        for scan in self.scans:
            pose = self.truth.at(np.array([scan.stamp_s]), area.plane)[0]
            known = len(scan.points) > 0 and bool(np.isfinite(pose).all())
            kept = keep(Pose2.from_array(pose).transform(scan.points), pose) if known else np.zeros(len(scan.points), dtype=bool)
            scans.append(BuildingScan(scan.stamp_s, np.ascontiguousarray(scan.points[kept])))
        return replace(self, scans=scans)

    def save(self, path: Path) -> None:
        """Keep it as one file of arrays."""
        arrays = {c: getattr(self.truth, c) for c in ("time_s", "lat_deg", "lon_deg", "yaw_enu_rad")}
        arrays |= {"stamp_s": np.array([s.stamp_s for s in self.scans]), "count": np.array([len(s.points) for s in self.scans])}
        arrays |= {"points": np.concatenate([s.points for s in self.scans]).astype(np.float32)}
        np.savez_compressed(path, odometry_s=self.odometry_s, odometry=self.odometry, **arrays)

    @classmethod
    def load(cls, path: Path) -> Drive:
        """The inverse of `save`."""
        with np.load(path, allow_pickle=False) as kept:
            parts = np.split(kept["points"].astype(np.float64), np.cumsum(kept["count"])[:-1])
            scans = [BuildingScan(float(s), np.ascontiguousarray(p)) for s, p in zip(kept["stamp_s"], parts, strict=True)]
            truth = Trajectory(*(kept[c] for c in ("time_s", "lat_deg", "lon_deg", "yaw_enu_rad")))
            return cls(scans, kept["odometry_s"], kept["odometry"], truth)


def of_bag(bag: BagReader, cloud_config: CloudConfig, tile_config: TileConfig) -> Drive:
    """A bag's clouds extracted, its odometry and its truth."""
    scans, stamps, poses = [], [], []
    for record in bag.records():
        if not isinstance(record, CloudRecord):
            stamps.append(record.stamp_s)
            poses.append(record.T_odom_base.as_array())
            continue
        try:
            scans.append(scan_of_cloud(decode(record.message), cloud_config, tile_config))
        except CloudError:
            scans.append(BuildingScan(record.stamp_s, np.zeros((0, 2))))
    truth = bag.truth()
    assert truth is not None, f"{bag.path} has no truth"
    return Drive(scans, np.array(stamps), np.array(poses), truth)


def simulated(area: AreaMap, route: Trajectory, sensor: str, seed: int, start_s: float, duration_s: float, rate_hz: float) -> Drive:
    """A simulated drive, made and extracted piece by piece; its odometry is the truth: `distorted` makes it wrong."""
    scans: list[BuildingScan] = []
    folder = Path(tempfile.mkdtemp())
    for piece in np.arange(0.0, duration_s, PIECE_S):
        length_s = min(PIECE_S, duration_s - piece)
        simulate(area, route, folder / "piece", sensor, seed, rate_hz=rate_hz, start_s=start_s + piece, duration_s=length_s)
        scans += of_bag(BagReader(folder / "piece"), CloudConfig(), TileConfig()).scans
        shutil.rmtree(folder / "piece")
    shutil.rmtree(folder)
    times = np.arange(scans[0].stamp_s - 0.2, scans[-1].stamp_s + 0.2, 0.05)
    poses = route.at(np.clip(times, route.time_s[0], route.time_s[-1]), area.plane)
    inside = np.isfinite(poses).all(axis=1)
    return Drive(scans, times[inside], poses[inside], Trajectory.from_poses(times[inside], poses[inside], area.plane))
