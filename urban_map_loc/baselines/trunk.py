# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""SmallTrunk: a convolutional trunk of a few layers, where a paper has VGG-16 on photographs.

VGG-16 takes thirty times the work. A tile holds far less than a photograph: one bit a pixel.
"""

from __future__ import annotations

from torch import Tensor, nn

from urban_map_loc.mapnet.resnet import convolution


def picture(tiles: Tensor, network: nn.Module) -> Tensor:
    """Tiles `(N, S, S)` or `(N, C, S, S)` of zeros and ones as `(N, C, S, S)` of the numbers in which a network computes."""
    return (tiles[:, None] if tiles.dim() == 3 else tiles).to(next(network.parameters()).dtype)


class SmallTrunk(nn.Sequential):
    """Tiles in, features `(N, F, S / 8, S / 8)` out."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__(
            *convolution(channels, 32, kernel=5, stride=2),
            nn.MaxPool2d(2),
            *convolution(32, 64),
            *convolution(64, 128),
            nn.MaxPool2d(2),
            *convolution(128, 128),
            nn.Conv2d(128, features, 3, padding=1),
        )

    def forward(self, tiles: Tensor) -> Tensor:
        """See the class."""
        found: Tensor = super().forward(picture(tiles, self))
        return found
