# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""ResNet34Trunk: the trunk of MapNet's paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """A convolution that keeps the side but for its stride, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _BasicBlock(nn.Module):
    """Two convolutions and a shortcut (He et al. 2016, figure 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            convolution(inputs, outputs, stride), nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, image: Tensor) -> Tensor:
        return torch.relu(self.convolutions(image) + self.shortcut(image))


class ResNet34Trunk(nn.Sequential):
    """ResNet-34 (He et al. 2016, table 1) with global average pooling, as MapNet (Brahmbhatt et al. 2018) uses it.

    Tiles `(N, C, S, S)` in, features `(N, 512, 1)` out: pooling leaves no direction.
    """

    features = 512

    def __init__(self, channels: int) -> None:
        layers: list[nn.Module] = [convolution(channels, 64, stride=2, kernel=7), nn.MaxPool2d(3, 2, 1)]
        inputs = 64
        for outputs, blocks in ((64, 3), (128, 4), (256, 6), (self.features, 3)):
            for block in range(blocks):
                layers.append(_BasicBlock(inputs, outputs, 2 if block == 0 and outputs > 64 else 1))
                inputs = outputs
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(2))

    def forward(self, image: Tensor) -> Tensor:
        """Features of tiles of zeros and ones."""
        features: Tensor = super().forward(image.to(dtype=next(self.parameters()).dtype, memory_format=torch.channels_last))
        return features
