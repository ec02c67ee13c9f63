# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Models with a road channel, from cloud to answer: the road in a cloud is drawn as that of the map is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drives import BUILDING, ROAD, T_ODOM_MAP, straight, untrained
from towns import crossing

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.scan import scan_of_cloud
from urban_map_loc.config import BUILDINGS_AND_ROADS, CloudConfig, LocalizerConfig, RasterConfig, RoadConfig, TileConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.mapnet.cells import PositionCells, drivable_cells
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.mapnet.references import reference_poses
from urban_map_loc.tile.from_cloud import ScanRenderer
from urban_map_loc.tile.from_map import MapRenderer

TILE = TileConfig(channels=BUILDINGS_AND_ROADS)
SIDEWALK, KERB_M = 48, 0.12
POSE = Pose2(-20.0, -1.0, 0.1)


def surface_of(area: AreaMap) -> RoadRaster:
    return RoadRaster.from_area(area, RasterConfig(), RoadConfig())


def seen_from(pose: Pose2, area: AreaMap) -> Cloud:
    """Walls 5 m high and the ground before them, in rings as of a lidar 1.8 m above it; sidewalks are a kerb higher than roads."""
    rng = np.random.default_rng(4)
    roads, rays = surface_of(area), TileConfig(sectors=1440)
    hits = MapRenderer(BuildingRaster.from_area(area, RasterConfig()), rays).points(pose.as_array()[None])[0]
    wall = hits[np.isfinite(hits[:, 0])]
    limit = np.nan_to_num(np.hypot(*hits.T), nan=rays.range_m)
    bearing = (np.arange(rays.sectors) + 0.5) * 2.0 * np.pi / rays.sectors - np.pi
    ring = 1.8 / np.tan(np.radians(np.linspace(24.0, 2.3, 40)))
    ground = np.concatenate([np.column_stack([r * np.cos(bearing), r * np.sin(bearing)])[r < limit] for r in ring])
    column, row = np.rint((pose.transform(ground) - roads.origin) / roads.resolution_m).astype(int).T
    on_road = roads.surface[row, column] == 1
    heights = np.arange(0.1, 5.0, 0.35)
    points = np.concatenate(
        [
            np.column_stack([ground, np.where(on_road, 0.0, KERB_M)]),
            np.column_stack([np.repeat(wall, len(heights), axis=0), np.tile(heights, len(wall))]),
        ]
    )
    labels = np.concatenate([np.where(on_road, ROAD, SIDEWALK), np.full(len(wall) * len(heights), BUILDING)])
    return Cloud(100.0, (points + rng.normal(0.0, 0.01, points.shape)).astype(np.float32), labels)


def two_channel_model(area: AreaMap) -> Checkpoint:
    config = replace(untrained(area).config, tile=TILE)
    cells = PositionCells(drivable_cells(area, config.network), config.network.cell_size_m)
    network = MapNet(config.network, TILE, cells.centres, reference_poses(area, config.network, cells)).eval()
    return Checkpoint(network, config, area.datum, area.content_hash, {})


@pytest.mark.parametrize("kind", ["labels", "geometric"])
def test_the_road_in_a_cloud_is_drawn_as_that_of_the_map(kind: str) -> None:
    area = crossing()
    scan = scan_of_cloud(seen_from(POSE, area), CloudConfig(kind=kind), TILE)
    drawn = ScanRenderer(TILE).tile(scan.points, scan.seen_m, scan.road).image
    there = MapRenderer(BuildingRaster.from_area(area, RasterConfig()), TILE, surface_of(area)).tiles(POSE.as_array()[None])[0]
    assert drawn.shape == there.shape == (2, TILE.size_px, TILE.size_px)
    rows, columns = np.indices(drawn.shape[1:])
    near = np.hypot(rows - 47.5, columns - 47.5) < 30.0
    agreement = (drawn[1] & there[1])[near].sum() / (drawn[1] | there[1])[near].sum()
    assert agreement > 0.75
    walls = (drawn[0] & there[0]).sum() / there[0].sum()
    assert walls > 0.75


def test_one_channel_looks_for_no_road() -> None:
    scan = scan_of_cloud(seen_from(POSE, crossing()), CloudConfig(kind="geometric"), TileConfig())
    assert scan.road is not None
    assert not scan.road.any()


def test_a_model_with_roads_localizes() -> None:
    area = crossing()
    localizer = Localizer.of_area(area, two_channel_model(area), LocalizerConfig())
    last = None
    for moment in straight(area, Pose2(-70.0, -1.0, 0.0), 25.0):
        localizer.add_odometry(moment.stamp_s, moment.T_odom_base)
        last = localizer.add_cloud(moment.cloud)
        assert last.tile is not None
        assert last.tile.image.shape == (2, TILE.size_px, TILE.size_px)
    assert last is not None
    assert last.estimate is not None
    assert localizer.T_map_odom is not None
    assert localizer.T_map_odom.distance_to(T_ODOM_MAP.inverse()) < 1.0
