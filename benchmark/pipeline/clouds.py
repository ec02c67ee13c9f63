# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Clouds whose points' classes are known: KITTI's raw scans as several sensors would have seen them, and simulated ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from shapely import LineString

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.config import SimulationConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.simulation.drive import stretches
from urban_map_loc.simulation.lidar import SENSORS, Lidar
from urban_map_loc.simulation.world import build_world

BUILDING, ROADS = 50, (40, 44, 60)  # SemanticKITTI
ASKEW = Extrinsic.from_xyz_rpy([0.0, 0.0, 1.73, 0.05, -0.07, 0.0])


def kitti_scans(folder: Path) -> Iterator[tuple[str, Cloud]]:
    """Name and labelled cloud of each raw scan of a sequence."""
    for file in sorted((folder / "velodyne").glob("*.bin")):
        points = np.ascontiguousarray(np.fromfile(file, np.float32).reshape(-1, 4)[:, :3])
        label = np.fromfile(folder / "labels" / f"{file.stem}.label", np.uint32).astype(np.int64)
        yield file.stem, Cloud(0.0, points, label & 0xFFFF)


def subset(cloud: Cloud, kept: NDArray[np.bool_]) -> Cloud:
    """The cloud's points in `kept (N,)`."""
    assert cloud.label is not None
    return Cloud(cloud.stamp_s, np.ascontiguousarray(cloud.points[kept]), cloud.label[kept])


def every_nth_beam(cloud: Cloud, step: int) -> Cloud:
    """Of an HDL-64E's beams every `step`-th: KITTI stores beam after beam, and a new one begins where the azimuth starts again."""
    azimuth = np.arctan2(cloud.points[:, 1], cloud.points[:, 0])
    beam = np.cumsum(np.append(False, (azimuth[:-1] < 0.0) & (azimuth[1:] >= 0.0)))
    return subset(cloud, beam % step == 0)


# How else the same scan may come in.
CHANGES: dict[str, Callable[[Cloud], Cloud]] = {
    "as it is": lambda cloud: cloud,
    "askew by 5°, base frame 1.7 m lower": lambda cloud: Cloud(cloud.stamp_s, ASKEW.apply(cloud.points), cloud.label),
    "32 of 64 beams": lambda cloud: every_nth_beam(cloud, 2),
    "16 of 64 beams": lambda cloud: every_nth_beam(cloud, 4),
}


def facing(cloud: Cloud, direction_rad: float) -> Cloud:
    """The half of a cloud on one side of the car."""
    return subset(cloud, cloud.points[:, 0] * np.cos(direction_rad) + cloud.points[:, 1] * np.sin(direction_rad) > 0.0)


def nearest_by_degree(points: NDArray[np.float32], chosen: NDArray[np.bool_], minimum_m: float, range_m: float) -> NDArray[np.float64]:
    """Range `(360,)` [m] of the nearest chosen point in each degree, inf where there is none."""
    x, y = points[chosen, 0], points[chosen, 1]
    distance, nearest = np.hypot(x, y), np.full(360, np.inf)
    inside = (distance > minimum_m) & (distance < range_m)
    np.minimum.at(nearest, (np.degrees(np.arctan2(y, x)) + 180.0).astype(int)[inside] % 360, distance[inside])
    return nearest


@dataclass(frozen=True, eq=False)
class Seen:
    """A simulated labelled cloud and where the car was."""

    cloud: Cloud
    T_map_base: Pose2


def simulated_scans(area: AreaMap, route: Trajectory, sensor: str, places: int, seed: int) -> Iterator[Seen]:
    """Scans from places evenly spread over the longest stretch of a route, among parked cars, trees, hedges and fences."""
    first, last = max(stretches(area, route), key=lambda part: part[1] - part[0])
    poses = route.poses(area.plane)[first:last]
    config, rng = SimulationConfig(), np.random.default_rng(seed)
    world = build_world(area, LineString(poses[:, :2]), config, rng)
    lidar = Lidar(world, SENSORS[sensor], config)
    for pose in poses[np.linspace(0, len(poses) - 1, places).astype(int)]:
        scan = lidar.scan(Pose2.from_array(pose), rng)
        yield Seen(Cloud(0.0, scan.points, scan.label.astype(np.int64)), Pose2.from_array(pose))
