# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tiles from scans: one known block and road rendered from the map and from a cloud, free space, what is unknown."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from towns import area_of, one_block

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.cloud.cloud import BUILDING, GROUND, ROAD
from urban_map_loc.cloud.rays import along_rays
from urban_map_loc.config import BUILDINGS_AND_ROADS, RasterConfig, RoadConfig, TileConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.tile.from_cloud import BuildingTile, ScanRenderer
from urban_map_loc.tile.from_map import MapRenderer
from urban_map_loc.tile.grid import TileGrid

TILE = TileConfig()
RASTER = RasterConfig(resolution_m=0.25)
BLOCK = shapely.box(10.0, -10.0, 18.0, 10.0)  # what `one_block` has
YAWS = [0.0, pi / 2, pi, -pi / 2, 0.4]


def ground_points(step: float = 0.35) -> NDArray[np.float64]:
    """A grid [m, map] of ground within 55 m."""
    line = np.arange(-55.0, 55.0, step)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def visible(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points `(N, 2)` [m, map] are seen from the datum past the block."""
    lines = shapely.linestrings(np.stack([np.zeros_like(points), points], axis=1))
    return ~shapely.intersects(lines, BLOCK)


def cloud_of(road: shapely.Geometry | None = None) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Points `(N, 2)` [m, map] that a sensor at the datum has of the block's near wall and the ground, and their kinds."""
    north = np.linspace(-10.0, 10.0, 801)
    wall, ground = np.column_stack([np.full_like(north, 10.0), north]), ground_points()
    ground = ground[visible(ground)]
    on_road = shapely.contains_xy(road, *ground.T) if road is not None else np.zeros(len(ground), bool)
    return np.concatenate([wall, ground]), np.concatenate([np.full(len(wall), BUILDING), np.where(on_road, ROAD, GROUND)]).astype(np.uint8)


def tile_of(points: NDArray[np.float64], kinds: NDArray[np.uint8], yaw: float, tile: TileConfig = TILE) -> BuildingTile:
    """The tile of points `(N, 2)` [m, map] for a car at the datum that heads `yaw`."""
    base = Pose2(0.0, 0.0, yaw).inverse().transform(points)
    seen = along_rays(np.column_stack([base, np.zeros(len(base))]).astype(np.float32), kinds, tile, 2.5)
    return ScanRenderer(tile).tile(seen.hits, seen.seen_m, seen.road)


def steps_apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    """How many pixels away the nearest set pixel of the other picture is, at most."""
    distance = np.abs(np.argwhere(one)[:, None] - np.argwhere(other)[None]).max(axis=2)
    return int(max(distance.min(axis=0).max(), distance.min(axis=1).max()))


@pytest.mark.parametrize("yaw", YAWS)
def test_one_block_rendered_from_the_map_and_from_a_cloud(yaw: float) -> None:
    raster = BuildingRaster.from_area(one_block(), RASTER)
    from_map = MapRenderer(raster, TILE).tiles(np.array([[0.0, 0.0, yaw]]))[0]
    from_cloud = tile_of(*cloud_of(), yaw)
    assert from_cloud.hits.sum() >= 18
    # The map's raster puts walls within half of its pixel: the same pixel or the next.
    assert steps_apart(from_map, from_cloud.hits) <= 1
    assert from_cloud.image is from_cloud.hits


@pytest.mark.parametrize("yaw", YAWS)
def test_what_rays_pass_is_free_and_what_the_block_hides_is_not(yaw: float) -> None:
    tile = tile_of(*cloud_of(), yaw)
    grid, pixels = TileGrid(TILE), np.arange(TILE.size_px)
    corners = [grid.centres(*np.meshgrid(pixels + a, pixels + b, indexing="ij")).reshape(-1, 2) for a in (-0.6, 0.6) for b in (-0.6, 0.6)]
    reach = np.hypot(*np.stack(corners, axis=-1).transpose(1, 0, 2))
    seen = np.stack([visible(Pose2(0.0, 0.0, yaw).transform(c)) for c in corners], axis=-1)
    free = tile.free.ravel() == 1
    assert free[seen.all(axis=1) & (reach.max(axis=1) < 49.5)].mean() > 0.995
    assert not free[~seen.any(axis=1)].any()
    assert not free[reach.min(axis=1) > 50.0].any()
    assert not (tile.hits & tile.free).any()


@pytest.mark.parametrize("yaw", YAWS)
def test_a_road_rendered_from_the_map_and_from_a_cloud(yaw: float) -> None:
    tile = TileConfig(channels=BUILDINGS_AND_ROADS)
    road = shapely.LineString([(-60.0, -12.0), (-2.0, -12.0), (5.0, 60.0)])
    area = area_of([BLOCK], [road])
    surface = shapely.buffer(road, 0.5 * RoadConfig().width_m("residential"))
    raster = BuildingRaster.from_area(area, RASTER)
    from_map = MapRenderer(raster, tile, RoadRaster.from_area(area, RASTER, RoadConfig())).tiles(np.array([[0.0, 0.0, yaw]]))[0]
    from_cloud = tile_of(*cloud_of(surface), yaw, tile).image
    assert from_map.shape == from_cloud.shape == (2, 96, 96)
    both = (from_map[1] & from_cloud[1]).sum()
    assert both / (from_map[1] | from_cloud[1]).sum() > 0.85
    assert steps_apart(from_map[1], from_cloud[1]) <= 2


def test_without_ground_the_rays_to_the_hits_are_free() -> None:
    tile = ScanRenderer(TILE).tile(np.array([[20.3, 0.2], [np.nan, 1.0], [0.1, -7.3], [200.0, 3.0], [-np.inf, 0.0]]))
    assert np.argwhere(tile.hits).tolist() == [[27, 47], [47, 55]]
    assert tile.free[28:48, 47].all()  # ahead
    assert tile.free[47, 48:55].all() or tile.free[48, 48:55].all()  # to the right
    assert tile.free.sum() <= 2 * (48 + 7)  # and to the one that is outside the tile
    assert not tile.free[50:].any()


def test_nothing_seen_is_nothing_known() -> None:
    for channels in ("buildings", BUILDINGS_AND_ROADS):
        tile = ScanRenderer(TileConfig(channels=channels)).tile(np.zeros((0, 2)))
        assert not tile.hits.any()
        assert not tile.free.any()
        assert not tile.image.any()


def test_a_narrow_view_leaves_the_rest_unknown() -> None:
    tile = TileConfig(sectors=120, field_of_view_rad=pi / 3)
    points, kinds = cloud_of()
    free = tile_of(points, kinds, pi / 2, tile).free
    rows, columns = np.nonzero(free)
    centres = TileGrid(tile).centres(rows, columns)
    assert free.sum() > 500
    beside = np.abs(centres[:, 1]) - np.tan(pi / 6) * centres[:, 0]  # a pixel is free that a ray touches
    assert beside.max() < 1.0


@pytest.mark.parametrize("ray", [0, 1, 400, 719])
def test_one_ray_is_free_along_its_middle(ray: int) -> None:
    tile = TileConfig(size_px=192, resolution_m=0.5)
    seen = np.zeros(tile.sectors)
    seen[ray] = 30.0
    free = ScanRenderer(tile).tile(np.zeros((0, 2)), seen).free
    bearing = (ray + 0.5) * 2.0 * pi / tile.sectors - pi
    along = np.arange(0.0, 30.0 - 0.25, 0.25)[:, None] * [np.cos(bearing), np.sin(bearing)]
    assert (free != TileGrid(tile).draw(along)).sum() <= 1  # a step may end on a pixel's edge


def test_a_hit_straight_behind_is_of_no_ray() -> None:
    tile = ScanRenderer(TILE).tile(np.array([[-5.0, 0.0]]))
    assert tile.hits.sum() == 1
    assert not tile.free.any()


def test_road_is_drawn_within_the_range_alone() -> None:
    tile = TileConfig(channels=BUILDINGS_AND_ROADS, range_m=20.0)
    renderer = ScanRenderer(tile)
    drawn = renderer.tile(np.zeros((0, 2)), road=np.ones((tile.sectors, 40), dtype=np.uint8)).road
    rows, columns = np.nonzero(drawn)
    pixels = np.arange(tile.size_px)
    metres = np.hypot(*TileGrid(tile).centres(*np.meshgrid(pixels, pixels, indexing="ij")).transpose(2, 0, 1))
    assert len(rows) == (metres < 20.0).sum()
    assert metres[rows, columns].max() < 20.0
