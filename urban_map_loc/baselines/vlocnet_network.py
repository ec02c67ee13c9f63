# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""VLocNet's network (Valada et al. 2018): where the car is and how it moved, from two tiles, with one beginning for all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pixel_shuffle

from urban_map_loc.baselines import resnet50
from urban_map_loc.baselines.semantics import CLASSES
from urban_map_loc.baselines.trunk import picture
from urban_map_loc.config import VLocNetConfig

# Width of the semantic branch.
DECODER = 128
# Stage 2 has a pixel for so many of the picture along each side.
STRIDE = 4


@dataclass(frozen=True, eq=False)
class Seen:
    """What the stages make of a batch of tiles: side S' / 4, S' / 8 and S' / 16."""

    stage2: Tensor
    stage3: Tensor
    stage4: Tensor


class PoseRegressor(nn.Module):
    """Features `(N, F, H, W)` to a position `(N, 3)` and a quaternion `(N, 4)` of any length, by one layer between."""

    def __init__(self, inputs: int, config: VLocNetConfig) -> None:
        super().__init__()
        self.between = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, config.feature_size), nn.ELU(), nn.Dropout(config.dropout)
        )
        self.position, self.quaternion = nn.Linear(config.feature_size, 3), nn.Linear(config.feature_size, 4)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        between = self.between(features)
        return self.position(between), self.quaternion(between)


class SemanticDecoder(nn.Module):
    """Logits `(N, CLASSES, S', S')` of the tile's pixels, from three stages: coarse ones are enlarged and added to finer ones."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow = nn.ModuleList([nn.Conv2d(resnet50.features(number, width), DECODER, 1) for number in (2, 3, 4)])
        self.last = nn.Sequential(
            nn.Conv2d(DECODER, DECODER, 3, padding=1, bias=False),
            nn.BatchNorm2d(DECODER),
            nn.ELU(inplace=True),
            nn.Conv2d(DECODER, CLASSES * STRIDE**2, 1),
        )

    def forward(self, seen: Seen) -> Tensor:
        """See the class."""
        fine, middle, coarse = (layer(stage) for layer, stage in zip(self.narrow, (seen.stage2, seen.stage3, seen.stage4), strict=True))
        middle = middle + interpolate(coarse, size=middle.shape[2:], mode="bilinear", align_corners=False)
        fine = fine + interpolate(middle, size=fine.shape[2:], mode="bilinear", align_corners=False)
        return pixel_shuffle(self.last(fine), STRIDE)


class VLocNetwork(nn.Module):
    """Stages 1 to 3 are one for both streams; the global stream's last stage also sees what stage 4 made of the tile before."""

    def __init__(self, channels: int, config: VLocNetConfig) -> None:
        super().__init__()
        self.coarser = config.coarser
        width = config.width
        wide, last = resnet50.features(4, width), resnet50.features(5, width)
        self.stage2 = nn.Sequential(resnet50.first_stage(channels, width), resnet50.stage(2, width))
        self.stage3 = resnet50.stage(3, width)
        self.stage4 = resnet50.stage(4, width)
        self.stage5 = resnet50.stage(5, width, inputs=2 * wide)
        self.pose = PoseRegressor(last, config)
        self.odometry_stage4 = resnet50.stage(4, width)
        self.odometry_stage5 = resnet50.stage(5, width, inputs=2 * wide)
        self.motion = PoseRegressor(last, config)
        self.semantics = SemanticDecoder(width)

    def see(self, tiles: Tensor) -> Seen:
        """The stages of tiles; `coarser` pixels along each side become one."""
        stage2 = self.stage2(max_pool2d(picture(tiles, self), self.coarser))
        stage3 = self.stage3(stage2)
        return Seen(stage2, stage3, self.stage4(stage3))

    def locate(self, stage4: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """Global position and quaternion, from the stage 4 of tiles and of those before them."""
        return self.pose(self.stage5(torch.cat([stage4, previous], dim=1)))

    def moved(self, stage3: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """Odometry: position and quaternion of the tiles, seen from those before them, from the stage 3 of both."""
        before, now = self.odometry_stage4(torch.cat([previous, stage3])).chunk(2)
        return self.motion(self.odometry_stage5(torch.cat([before, now], dim=1)))
