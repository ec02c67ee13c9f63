# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Made-up drives for tests: what a car along a line in an area would send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.config import RasterConfig, TileConfig, TrainConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.mapnet.cells import PositionCells, drivable_cells
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.mapnet.references import reference_poses
from urban_map_loc.tile.from_map import MapRenderer

BUILDING, ROAD = 50, 40
# Odometry starts anywhere: nothing may depend on it beginning at the truth.
T_ODOM_MAP = Pose2(300.0, -80.0, 2.0)


def untrained(area: AreaMap) -> Checkpoint:
    """A model that knows nothing: with an area of fewer cells than are checked, verification does the work."""
    config = TrainConfig()
    cells = PositionCells(drivable_cells(area, config.network), config.network.cell_size_m)
    network = MapNet(config.network, config.tile, cells.centres, reference_poses(area, config.network, cells)).eval()
    return Checkpoint(network, config, area.datum, area.content_hash, {})


@dataclass(frozen=True)
class Moment:
    """One sweep of a drive."""

    stamp_s: float
    T_map_base: Pose2
    T_odom_base: Pose2
    cloud: Cloud


def straight(
    area: AreaMap, start: Pose2, metres: float, speed: float = 5.0, rate_hz: float = 5.0, from_s: float = 100.0
) -> Iterator[Moment]:
    """A drive straight ahead with labelled clouds of what is seen."""
    renderer = MapRenderer(BuildingRaster.from_area(area, RasterConfig()), TileConfig(sectors=360))
    for k in range(int(metres / speed * rate_hz) + 1):
        pose = start @ Pose2(k * speed / rate_hz, 0.0, 0.0)
        points = renderer.points(pose.as_array()[None])[0]
        points = points[np.isfinite(points[:, 0])]
        stamp = from_s + k / rate_hz
        yield Moment(stamp, pose, T_ODOM_MAP @ pose, labelled_cloud(stamp, points))


def labelled_cloud(stamp_s: float, points: np.ndarray) -> Cloud:
    """A cloud of building points `(N, 2)` [m] among some road."""
    road = np.column_stack([np.linspace(3, 20, 30), np.zeros(30), np.zeros(30)])
    both = np.concatenate([np.column_stack([points, np.full(len(points), 2.0)]), road]).astype(np.float32)
    return Cloud(stamp_s, both, np.concatenate([np.full(len(points), BUILDING), np.full(30, ROAD)]))
