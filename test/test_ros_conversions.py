# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Messages from our types: exact cases."""

from __future__ import annotations

import numpy as np
import pytest
from std_msgs.msg import Header

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import TileConfig
from urban_map_loc.ros import conversions
from urban_map_loc.tile.from_cloud import BuildingTile
from urban_map_loc.tile.grid import TileGrid


def raster(distance: np.ndarray) -> BuildingRaster:
    return BuildingRaster(np.array([10.0, 20.0]), 0.5, distance.astype(np.int8), np.zeros(distance.shape, np.uint16), np.zeros(65536))


def test_a_small_map_is_published_pixel_by_pixel() -> None:
    distance = np.full((3, 4), 5)
    distance[1, 2] = -1
    grid = conversions.building_grid(Header(), raster(distance))
    assert (grid.info.height, grid.info.width) == (3, 4)
    assert grid.info.resolution == pytest.approx(0.5)
    assert (grid.info.origin.position.x, grid.info.origin.position.y) == (9.75, 19.75)
    assert np.flatnonzero(np.array(grid.data)).tolist() == [1 * 4 + 2]


def test_a_large_map_is_published_coarser_and_keeps_every_building(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversions, "MAP_CELLS", 4)
    distance = np.full((5, 4), 5)
    distance[4, 3] = -1
    grid = conversions.building_grid(Header(), raster(distance))
    # 20 pixels into at most 4 cells: 3 by 3 together, the last row and column of cells being cut off.
    assert (grid.info.height, grid.info.width) == (2, 2)
    assert grid.info.resolution == pytest.approx(1.5)
    assert np.array(grid.data).tolist() == [0, 0, 0, 100]


def test_a_tile_comes_back_from_its_message_as_it_was() -> None:
    config = TileConfig(size_px=16, resolution_m=0.5)
    state = np.random.default_rng(0).integers(0, 3, (16, 16))
    tile = BuildingTile((state == 1).astype(np.uint8), (state == 2).astype(np.uint8))
    back = conversions.tile_of_grid(conversions.tile_grid(Header(), tile, TileGrid(config)))
    assert (back.hits == tile.hits).all()
    assert (back.free == tile.free).all()
