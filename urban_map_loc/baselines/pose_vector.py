# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The 7-vector: position in units of the area's spread and a quaternion, in which PoseNet and VLocNet answer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from urban_map_loc.baselines.quaternions import quaternion_of_yaw, yaw_of_quaternion
from urban_map_loc.geometry.pose2 import FloatArray


class PoseVector(nn.Module):
    """Poses `(N, 3)` [m, rad] in `map` to position `(N, 3)` and quaternion `(N, 4)`, and back.

    Buffers:
        mean: `(2,)` [m] the middle of the drivable area.
        spread_m: [m] its standard deviation along east and north together, the unit of positions: one for all axes, so that
            turning keeps lengths.
    """

    mean: Tensor
    spread_m: Tensor

    def __init__(self, cells: FloatArray) -> None:
        """`cells`: centres `(C, 2)` [m] of the drivable cells."""
        super().__init__()
        centres = torch.as_tensor(cells, dtype=torch.float32)
        self.register_buffer("mean", centres.mean(dim=0))
        self.register_buffer("spread_m", (centres - centres.mean(dim=0)).square().sum(dim=1).mean().div(2.0).sqrt().clamp(min=1.0))

    def of(self, poses: Tensor) -> tuple[Tensor, Tensor]:
        """Position and unit quaternion of poses in `map`."""
        position, quaternion = self.of_motion(poses)
        return position - torch.cat([self.mean / self.spread_m, self.mean.new_zeros(1)]), quaternion

    def of_motion(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        """The same of transforms between two poses, which know no middle."""
        return torch.cat([motion[:, :2] / self.spread_m, torch.zeros_like(motion[:, :1])], dim=1), quaternion_of_yaw(motion[:, 2])

    def poses(self, position: Tensor, quaternion: Tensor) -> Tensor:
        """Poses `(N, 3)` in `map`; the height is dropped, the quaternion may have any length."""
        return torch.cat([position[:, :2] * self.spread_m + self.mean, yaw_of_quaternion(quaternion)[:, None]], dim=1)
