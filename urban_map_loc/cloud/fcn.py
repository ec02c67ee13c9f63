# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fully convolutional segmentation of a cloud seen from above (after FCN-8s, Long, Shelhamer and Darrell 2015).

The image is a grid of columns with features of the points in each (`fcn_grid`), the answer a probability of building for each
band of height in each column. Coarse, far-sighted layers are brought up step by step and added to finer ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from urban_map_loc.cloud.fcn_grid import CloudGrid
from urban_map_loc.cloud.fcn_kernels import BANDS, FEATURES
from urban_map_loc.config import FcnConfig
from urban_map_loc.mapnet.resnet import convolution

WIDTHS = (24, 40, 64, 96)  # channels at 1/2, 1/4, 1/8 and 1/16 of the grid
FUSED = 16  # channels in which the scales are added


class FcnNetwork(nn.Module):
    """Features `(N, FEATURES, S, S)` in, logits of building `(N, BANDS, S, S)` out."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (FEATURES, *WIDTHS[:-1])
        self.down = nn.ModuleList(
            nn.Sequential(convolution(a, b, stride=2), convolution(b, b)) for a, b in zip(inputs, WIDTHS, strict=True)
        )
        self.skips = nn.ModuleList(nn.Conv2d(width, FUSED, 1) for width in WIDTHS)
        self.first = nn.Conv2d(FEATURES, FUSED, 1)
        self.last = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(FUSED, BANDS, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Logits of building."""
        scales = [features]
        for stage in self.down:
            scales.append(stage(scales[-1]))
        fused = self.skips[-1](scales[-1])
        for skip, scale in zip(self.skips[-2::-1], scales[-2:0:-1], strict=True):
            fused = skip(scale) + _enlarged(fused, scale)
        logits: Tensor = self.last(self.first(features) + _enlarged(fused, features))
        return logits


def _enlarged(small: Tensor, like: Tensor) -> Tensor:
    return nn.functional.interpolate(small, size=like.shape[-2:], mode="bilinear", align_corners=False)


@dataclass(frozen=True, eq=False)
class Fcn:
    """A segmentation: the network with what it was trained on."""

    network: FcnNetwork
    config: FcnConfig
    summary: dict[str, Any] = field(default_factory=dict)

    def building_mask(self, points: NDArray[np.float32], range_m: float, probability: float) -> NDArray[np.bool_]:
        """True `(N,)` for the points `(N, 3)` [m], base frame, within `range_m` [m] that are on buildings with at least `probability`."""
        grid = CloudGrid.of(points, self.config.grid, range_m)
        with torch.inference_mode():
            logits = self.network(torch.from_numpy(grid.features())[None])[0]
            building = (torch.sigmoid(logits) >= probability).numpy()
        return grid.points_of(building)
