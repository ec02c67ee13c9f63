# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""ResNet-50 (He et al. 2016, table 1) with exponential linear units, in pieces as VLocNet joins them (Valada et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import elu

# Of stages 2 to 5: width inside a block against that of stage 2, and blocks.
WIDER, BLOCKS = (1, 2, 4, 8), (3, 4, 6, 3)
EXPANSION = 4  # a block's output is so many times as wide as its inside


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 and a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = EXPANSION * width
        self.convolutions = nn.Sequential(
            nn.Conv2d(inputs, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ELU(inplace=True),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ELU(inplace=True),
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, image: Tensor) -> Tensor:
        """`(N, inputs, H, W)` to `(N, 4 width, H / stride, W / stride)`."""
        return elu(self.convolutions(image) + self.shortcut(image))


def first_stage(channels: int, width: int) -> nn.Sequential:
    """Stage 1, from a tile's channels to `width`: a quarter of the side."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ELU(inplace=True), nn.MaxPool2d(3, 2, 1)
    )


def stage(number: int, width: int, inputs: int | None = None) -> nn.Sequential:
    """Stage 2 to 5; `inputs`: channels, if not those that the stage before gives. Stages 3 to 5 halve the side."""
    inside, blocks = width * WIDER[number - 2], BLOCKS[number - 2]
    before = features(number - 1, width) if inputs is None else inputs
    rest = [Bottleneck(EXPANSION * inside, inside, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(before, inside, 1 if number == 2 else 2), *rest)


def features(number: int, width: int) -> int:
    """Channels that a stage gives."""
    return width if number == 1 else EXPANSION * width * WIDER[number - 2]
