# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""GoogLeNet (Szegedy et al. 2015, table 1) as PoseNet has it (Kendall et al. 2015): affine regressors in place of the three classifiers.

Batch norms follow the convolutions (Ioffe and Szegedy 2015): PoseNet began with weights from photographs, here all begin at random.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from urban_map_loc.baselines.trunk import picture
from urban_map_loc.mapnet.resnet import convolution

POSE = 7
# Of each module: 1x1; 1x1 before 3x3, 3x3; 1x1 before 5x5, 5x5; 1x1 after pooling.
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class Inception(nn.Module):
    """Four ways side by side, their outputs one after the other."""

    def __init__(self, inputs: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        one, before_three, three, before_five, five, pooled = widths
        self.features = one + three + five + pooled
        self.ways = nn.ModuleList(
            [
                convolution(inputs, one, kernel=1),
                nn.Sequential(convolution(inputs, before_three, kernel=1), convolution(before_three, three)),
                nn.Sequential(convolution(inputs, before_five, kernel=1), convolution(before_five, five, kernel=5)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), convolution(inputs, pooled, kernel=1)),
            ]
        )

    def forward(self, image: Tensor) -> Tensor:
        """`(N, inputs, H, W)` to `(N, features, H, W)`."""
        return torch.cat([way(image) for way in self.ways], dim=1)


class _Regressor(nn.Sequential):
    """Features to the 7-vector by one fully connected layer in between."""

    def __init__(self, inputs: int, between: int, dropout: float) -> None:
        super().__init__(nn.Flatten(), nn.Linear(inputs, between), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(between, POSE))


class PoseGoogLeNet(nn.Module):
    """Tiles in, 7-vectors out: position in whatever units it learns, quaternion w, x, y, z of any length.

    The auxiliary regressors, after modules 4a and 4d, are asked in training only. Where the paper pools 5 x 5 places to 4 x 4 for them, the
    small tile leaves few places, of which all are averaged to 2 x 2.
    """

    def __init__(self, channels: int, feature_size: int, dropout: float) -> None:
        """`channels`: of a tile; `feature_size`: of the layer before the last regressor; the paper's is 2048."""
        super().__init__()
        self.stem = nn.Sequential(
            convolution(channels, 64, stride=2, kernel=7),
            nn.MaxPool2d(3, 2, 1),
            convolution(64, 64, kernel=1),
            convolution(64, 192),
            nn.MaxPool2d(3, 2, 1),
        )
        inputs = 192
        self.inceptions = nn.ModuleDict()
        widths = {}
        for name, module_widths in INCEPTIONS.items():
            module = Inception(inputs, module_widths)
            self.inceptions[name] = module
            inputs = widths[name] = module.features
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.auxiliary = nn.ModuleDict({name: self._auxiliary(widths[name]) for name in ("4a", "4d")})
        self.regressor = nn.Sequential(nn.AdaptiveAvgPool2d(1), _Regressor(inputs, feature_size, dropout))

    @staticmethod
    def _auxiliary(inputs: int) -> nn.Sequential:
        return nn.Sequential(nn.AdaptiveAvgPool2d(2), convolution(inputs, 128, kernel=1), _Regressor(4 * 128, 1024, 0.7))

    def forward(self, tiles: Tensor) -> list[Tensor]:
        """7-vectors `(N, 7)`: the answer, and in training those of the auxiliary regressors after it."""
        image = self.stem(picture(tiles, self))
        aside = []
        for name, module in self.inceptions.items():
            image = module(image)
            if self.training and name in self.auxiliary:
                aside.append(self.auxiliary[name](image))
            if name in ("3b", "4e"):
                image = self.pool(image)
        return [self.regressor(image), *aside]
