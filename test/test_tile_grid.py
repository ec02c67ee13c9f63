"""TileGrid, and one known block rendered both ways through it."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from towns import one_block

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.scan import scan_of_cloud
from urban_map_loc.config import CloudConfig, RasterConfig, TileConfig
from urban_map_loc.tile.from_map import MapRenderer
from urban_map_loc.tile.grid import TileGrid

TILE = TileConfig()


def test_row_0_is_ahead_and_column_0_is_left() -> None:
    grid = TileGrid(TileConfig(size_px=16, resolution_m=1.0))
    ahead, left = grid.draw(np.array([[7.5, 0.5]])), grid.draw(np.array([[0.5, 7.5]]))
    assert np.argwhere(ahead).tolist() == [[0, 7]]
    assert np.argwhere(left).tolist() == [[7, 0]]


def test_points_outside_and_nan_are_left_out() -> None:
    grid = TileGrid(TileConfig(size_px=16, resolution_m=1.0))
    assert grid.draw(np.array([[8.5, 0.0], [0.0, -8.1], [np.nan, 0.0], [np.inf, 1.0]])).sum() == 0


@given(st.integers(0, 95), st.integers(0, 95))
def test_a_pixels_centre_is_drawn_in_it(row: int, column: int) -> None:
    grid = TileGrid(TILE)
    tile = grid.draw(grid.centres(np.array([row]), np.array([column])))
    assert np.argwhere(tile).tolist() == [[row, column]]


@pytest.mark.parametrize("yaw", [0.0, pi / 2, pi, -pi / 2, 0.4])
def test_one_block_rendered_from_the_map_and_from_a_cloud(yaw: float) -> None:
    area = one_block()
    raster = BuildingRaster.from_area(area, RasterConfig(resolution_m=0.25))
    from_map = MapRenderer(raster, TILE).tiles(np.array([[0.0, 0.0, yaw]]))[0]
    # The wall that faces the car: 10 m east, from 10 m south to 10 m north, seen from a car that heads `yaw`.
    north = np.linspace(-10.0, 10.0, 801)
    wall = np.column_stack([np.full_like(north, 10.0), north])
    turned = wall @ np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    points = np.column_stack([turned, np.full(len(wall), 2.0)]).astype(np.float32)
    cloud = Cloud(0.0, points, np.full(len(points), 50))
    scan = scan_of_cloud(cloud, CloudConfig(kind="labels", minimum_hits=1), TILE)
    from_cloud = TileGrid(TILE).draw(scan.points)
    assert from_cloud.sum() >= 18
    # The map's raster puts walls within half of its pixel: the same pixel or the next.
    drawn_map, drawn_cloud = np.argwhere(from_map), np.argwhere(from_cloud)
    distance = np.abs(drawn_map[:, None] - drawn_cloud[None]).max(axis=2)
    assert distance.min(axis=0).max() <= 1
    assert distance.min(axis=1).max() <= 1
