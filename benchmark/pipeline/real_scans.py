# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Real building ranges, one a degree, and the tiles that several kinds of sensor would make of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.bags.kitti import BUILDING_LABEL, kitti_odometry
from urban_map_loc.cloud.cloud import BUILDING, OTHER
from urban_map_loc.cloud.rays import along_rays
from urban_map_loc.config import CloudConfig, MapNetConfig, TileConfig, VerificationConfig
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.mapnet.cells import drivable_cells
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.tile.grid import TileGrid

SECTORS = 360
RANGE_M = 50.0
SUBMAP_M, STRIP_M = 20.0, 45.0
STRIP_DEG = 1.5  # sectors so near to straight left and right are a push-broom scanner's
VIEW_DEG = 90.0


@dataclass(frozen=True, eq=False)
class RealScans:
    """Scans with their true poses.

    Attributes:
        ranges_m: `(N, 360)` nearest building in the sector centred at k degrees, 0 where there is none.
        poses: `(N, 3)` in `map`.
        odometry: `(N, 3)` poses in a frame that drifts, or as `poses` where there is none.
    """

    ranges_m: NDArray[np.float64]
    poses: NDArray[np.float64]
    odometry: NDArray[np.float64]

    def points(self, index: int) -> NDArray[np.float64]:
        """Hits `(K, 2)` [m] of a scan in the base frame."""
        bearing = np.radians(np.arange(SECTORS))
        ranges = self.ranges_m[index]
        return (ranges[:, None] * np.stack([np.cos(bearing), np.sin(bearing)], axis=1))[ranges > 0.0]

    def seen_by(self, kind: str, index: int) -> NDArray[np.float64]:
        """Hits `(K, 2)` [m] that a lidar (`scan`), a camera pair (`view`), a `submap` or a push-broom scanner (`strip`) would have here."""
        if kind in ("scan", "view"):
            points = self.points(index)
            bearing = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
            return points[np.abs(bearing) <= (180.0 if kind == "scan" else 0.5 * VIEW_DEG)]
        driven = self._driven()
        back = driven[index] - driven
        those = np.flatnonzero((np.arange(len(back)) <= index) & (back <= (SUBMAP_M if kind == "submap" else STRIP_M)))
        return np.concatenate([self._carried(kind, past, index) for past in those])

    def _driven(self) -> NDArray[np.float64]:
        return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(self.odometry[:, :2], axis=0).T))])

    def _carried(self, kind: str, past: int, now: int) -> NDArray[np.float64]:
        """Hits of an earlier scan in the base frame of a later one."""
        points = self.points(past)
        if kind == "strip":
            aside = np.degrees(np.abs(np.arctan2(points[:, 1], points[:, 0])))
            points = points[np.abs(aside - 90.0) <= STRIP_DEG]
        turn = self.odometry[past, 2] - self.odometry[now, 2]
        c, s = np.cos(self.odometry[now, 2]), np.sin(self.odometry[now, 2])
        shift = (self.odometry[past, :2] - self.odometry[now, :2]) @ np.array([[c, -s], [s, c]])
        return points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + shift

    def tiles(self, kind: str, frames: NDArray[np.int64], tile: TileConfig) -> NDArray[np.uint8]:
        """Tiles `(N, S, S)` of some frames, as a sensor of this kind would see them."""
        grid = TileGrid(tile)
        return np.stack([grid.draw(self.seen_by(kind, int(frame))) for frame in frames])


def kitti_07(data: Path, area: AreaMap) -> RealScans:
    """KITTI odometry 07: 1101 scans with the GPS/IMU's poses."""
    source = data / "kitti" / "07"
    with np.load(source / "building_range.npz", allow_pickle=False) as archive:
        ranges = np.nan_to_num(archive["ranges_m"].astype(np.float64))
    return RealScans(ranges, Trajectory.read_csv(source / "truth.csv").poses(area.plane), kitti_odometry(source))


def kitti_00(data: Path, area: AreaMap, raster: BuildingRaster) -> RealScans:
    """The labelled scans of KITTI odometry 00 beside 07, all within 8 m; no truth is at hand, so their poses are fitted to the map."""
    folder = data / "kitti_raw" / "00"
    ranges, poses = [], []
    verifier, cells = Verifier(area, raster, VerificationConfig(cells=5000)), everywhere(area)
    for path in sorted((folder / "velodyne").glob("*.bin")):
        points = np.ascontiguousarray(np.fromfile(path, np.float32).reshape(-1, 4)[:, :3])
        labels = np.fromfile(folder / "labels" / f"{path.stem}.label", np.uint32) & 0xFFFF
        kinds = np.where(labels == BUILDING_LABEL, np.uint8(BUILDING), np.uint8(OTHER))
        tile = TileConfig(sectors=SECTORS, range_m=RANGE_M)
        nearest = along_rays(points, kinds, tile, CloudConfig().minimum_range_m).hits
        sector = np.rint(np.degrees(np.arctan2(nearest[:, 1], nearest[:, 0]))).astype(int) % SECTORS
        ranges.append(np.zeros(SECTORS))
        ranges[-1][sector] = np.hypot(*nearest.T)
        poses.append(verifier.answers(nearest, cells)[0].T_map_base.as_array())
    return RealScans(np.array(ranges), np.array(poses), np.array(poses))


def everywhere(area: AreaMap) -> Hypotheses:
    """Every drivable cell, all alike."""
    config = MapNetConfig()
    centres, half = drivable_cells(area, config), 0.5 * config.cell_size_m
    regions = np.concatenate([centres - half, centres + half], axis=1)
    return Hypotheses.anywhere(regions, np.full(len(regions), -np.log(len(regions))))
