# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RegressionHead: a pose read off the feature directly, for comparison with position cells."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from urban_map_loc.config import MapNetConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.calibration import in_map
from urban_map_loc.mapnet.head import Head
from urban_map_loc.mapnet.se2 import wrap


class RegressionHead(Head):
    """Position and heading directly, as PoseNet and MapNet regress them.

    Buffers:
        position_mean, position_deviation: `(2,)` [m] of the drivable area, by which positions are normalised.
        confidence: probability of the answer; fitted on held-out tiles after training.
    """

    position_mean: Tensor
    position_deviation: Tensor
    confidence: Tensor

    def __init__(self, config: MapNetConfig, cells: FloatArray) -> None:
        super().__init__(cells)
        self.reach_m = config.regression_reach_m
        self.log_quaternion = config.rotation == "log_quaternion"
        deviation = self.cells.std(dim=0, correction=0) + config.cell_size_m / math.sqrt(12.0)  # of cells' centres, and inside one
        self.register_buffer("position_mean", self.cells.mean(dim=0))
        self.register_buffer("position_deviation", deviation)
        # Until they are fitted: surely right, and anywhere in the area with any heading.
        self.register_buffer("confidence", torch.ones(()))
        self.residual_covariance.copy_(torch.diag(torch.cat([deviation**2, torch.tensor([math.pi**2 / 3.0])])))
        self.translation = nn.Linear(config.feature_size, 2)
        self.rotation = nn.Linear(config.feature_size, 1 if self.log_quaternion else 2)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised position `(N, 2)`, and rotation of features `(N, F)`.

        Rotation is (cos, sin) of yaw `(N, 2)`, not normalised to length 1; or `(N, 1)`, what is not zero of the logarithm (0, 0, yaw / 2)
        of the unit quaternion.
        """
        return self.translation(feature).float(), self.rotation(feature).float()

    def normalised(self, position: Tensor) -> Tensor:
        """Positions `(N, 2)` [m] as `forward` gives them."""
        return (position - self.position_mean) / self.position_deviation

    def rotation_error(self, rotation: Tensor, yaw: Tensor) -> Tensor:
        """L1 `(N,)` of `forward`'s rotation against headings `(N,)` [rad]; that of log quaternions is the way round the circle."""
        if self.log_quaternion:
            return wrap(2.0 * rotation[:, 0] - yaw).abs() / 2.0
        return (rotation - torch.stack([torch.cos(yaw), torch.sin(yaw)], dim=1)).abs().sum(dim=1)

    def poses(self, feature: Tensor) -> Tensor:
        """Poses `(N, 3)` [m, rad] of features `(N, F)`."""
        translation, rotation = self(feature)
        yaw = wrap(2.0 * rotation) if self.log_quaternion else torch.atan2(rotation[:, 1:], rotation[:, :1])
        return torch.cat([translation * self.position_deviation + self.position_mean, yaw], dim=1)

    def ranked(self, feature: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The one pose of one feature `(1, F)`, whatever `count`."""
        poses = self.poses(feature)
        region = torch.cat([poses[:, :2] - self.reach_m, poses[:, :2] + self.reach_m], dim=1)
        covariance = in_map(self.residual_covariance, poses[:, 2], torch.zeros_like(poses[:, 2]))
        return poses, torch.log(self.confidence)[None], region, covariance
