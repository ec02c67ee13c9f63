# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""PolarTrunk: the tile seen from its centre, in directions and rings of range.

A car that turns on the spot sees the same, turned. In directions about the car that is a shift along the circle, which convolutions
along it carry through to the features: what is learned in one heading is known in all (group-equivariant convolution, Cohen and
Welling 2016, with the cyclic group of headings).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from urban_map_loc.config import MapNetConfig, TileConfig

# Every look-up asks so many points along and across: a distant bin is wider than a pixel.
POINTS = 2
# Three strides of two lie between the directions looked in and those of the features.
STRIDE = 8
NEAREST_M = 1.0


class PolarTrunk(nn.Module):
    """For processors. Tiles `(N, C, S, S)` in, features `(N, F, headings)` out, of which index k looks in direction 2 pi k / headings."""

    bins: Tensor

    def __init__(self, config: MapNetConfig, tile: TileConfig) -> None:
        super().__init__()
        self.shape = (config.headings * STRIDE, config.rings)
        self.register_buffer("bins", torch.from_numpy(polar_bins(*self.shape, tile)), persistent=False)
        narrow, middle, wide = 96, 160, 256
        self.features = wide
        self.headings = config.headings
        self.convolutions = nn.Sequential(
            _around(tile.planes * config.rings, narrow, kernel=5),
            _around(narrow, middle, stride=2),
            _around(middle, middle),
            _around(middle, wide, stride=2),
            _around(wide, wide),
            _around(wide, wide, stride=2),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Features of tiles of zeros and ones."""
        looked_up = image.flatten(2)[:, :, self.bins.flatten()].unflatten(2, self.bins.shape).amax(dim=-1)
        around = looked_up.transpose(1, 2).flatten(2)  # (N, directions, C rings)
        # A picture one pixel high with its channels last in memory: processors convolve that half as fast again.
        picture = around[:, None].permute(0, 3, 1, 2).to(next(self.convolutions.parameters()).dtype)
        features: Tensor = self.convolutions(picture)
        return features.squeeze(2)


class _Close(nn.Module):
    """Repeats the beginning of the circle after its end, and the end before its beginning."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, picture: Tensor) -> Tensor:
        return torch.cat([picture[..., -self.count :], picture, picture[..., : self.count]], dim=-1)


def _around(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """A convolution along the closed circle of directions."""
    convolution = nn.Conv2d(inputs, outputs, (1, kernel), (1, stride), bias=False)
    return nn.Sequential(_Close(kernel // 2), convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def polar_bins(directions: int, rings: int, tile: TileConfig) -> NDArray[np.int64]:
    """Pixels `(directions, rings, POINTS²)` of the flattened tile (row 0 forward, column 0 left) that each bin asks."""
    part = (np.arange(POINTS) + 0.5) / POINTS
    half_px = tile.size_px / 2.0
    reach_m = half_px * tile.resolution_m
    angle = (np.arange(directions)[:, None] + part - 0.5) * (2.0 * np.pi / directions)
    distance = NEAREST_M + (np.arange(rings)[:, None] + part) * (reach_m - NEAREST_M) / rings
    ahead = np.cos(angle)[:, None, :, None] * distance[:, None, :]
    left = np.sin(angle)[:, None, :, None] * distance[:, None, :]
    row, column = (np.floor(half_px - along / tile.resolution_m).astype(np.int64) for along in (ahead, left))
    last = tile.size_px - 1
    return (np.clip(row, 0, last) * tile.size_px + np.clip(column, 0, last)).reshape(directions, rings, POINTS**2)
