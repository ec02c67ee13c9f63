# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""TileGrid: which pixel is where."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from urban_map_loc.config import TileConfig
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


def test_the_front_and_left_edges_belong_to_the_tile() -> None:
    grid = TileGrid(TileConfig(size_px=16, resolution_m=1.0))
    assert np.argwhere(grid.draw(np.array([[8.0, 8.0]]))).tolist() == [[0, 0]]
    assert grid.draw(np.array([[-8.0, 0.0], [0.0, -8.0]])).sum() == 0


@given(st.integers(0, 95), st.integers(0, 95))
def test_a_pixels_centre_is_drawn_in_it(row: int, column: int) -> None:
    grid = TileGrid(TILE)
    tile = grid.draw(grid.centres(np.array([row]), np.array([column])))
    assert np.argwhere(tile).tolist() == [[row, column]]
