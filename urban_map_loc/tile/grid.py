"""TileGrid: the one place that knows pixels.

A tile is a square image `(size_px, size_px)` centred on the ego, in the base frame. Row 0 is the farthest forward (largest
x), column 0 the farthest left (largest y): seen as a picture, the car drives up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.config import TileConfig


class TileGrid:
    """Maps base-frame points [m] to pixels of a tile and back."""

    def __init__(self, config: TileConfig) -> None:
        self.size_px = config.size_px
        self.resolution_m = config.resolution_m
        self.half_m = 0.5 * config.size_px * config.resolution_m

    def pixels(self, points: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Rows, columns and whether inside, each `(N,)`, of points `(N, 2)` [m]; outside ones are clipped to the border."""
        row = np.floor((self.half_m - points[:, 0]) / self.resolution_m).astype(np.int64)
        column = np.floor((self.half_m - points[:, 1]) / self.resolution_m).astype(np.int64)
        inside = (row >= 0) & (row < self.size_px) & (column >= 0) & (column < self.size_px)
        last = self.size_px - 1
        return np.clip(row, 0, last), np.clip(column, 0, last), inside

    def centres(self, row: NDArray[np.integer], column: NDArray[np.integer]) -> NDArray[np.float64]:
        """Base-frame points `(N, 2)` [m] at the centres of pixels."""
        return self.half_m - (np.stack([row, column], axis=-1) + 0.5) * self.resolution_m

    def draw(self, points: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Tile `(size_px, size_px)`: 1 where at least one of the points `(N, 2)` [m] lies."""
        tile = np.zeros((self.size_px, self.size_px), dtype=np.uint8)
        row, column, inside = self.pixels(points)
        tile[row[inside], column[inside]] = 1
        return tile
