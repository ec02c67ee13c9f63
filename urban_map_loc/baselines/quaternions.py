# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Quaternions on tensors with gradients, for networks that answer with the 7-vector of position and quaternion (Kendall et al. 2015).

A quaternion is `(..., 4)` in the order w, x, y, z. A car in the plane has x = y = 0 and height 0; networks are free to answer otherwise,
and the plane's pose is then read off.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def quaternion_of_yaw(yaw: Tensor) -> Tensor:
    """Unit quaternions `(..., 4)` of rotations by `yaw (...)` [rad] about z.

    Of the two that mean the same rotation it is the one with w >= 0, so that each heading has one answer; it jumps where a car heads west.
    """
    half, zero = 0.5 * torch.atan2(torch.sin(yaw), torch.cos(yaw)), torch.zeros_like(yaw)
    return torch.stack([torch.cos(half), zero, zero, torch.sin(half)], dim=-1)


def yaw_of_quaternion(quaternion: Tensor) -> Tensor:
    """Yaw `(...)` [rad] in [-pi, pi] of quaternions `(..., 4)` of any length but 0, in the z-y-x order of REP-103."""
    w, x, y, z = normalize(quaternion, dim=-1).unbind(-1)
    return torch.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def product(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton's product `(..., 4)`: the rotation `a` after the rotation `b`."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        dim=-1,
    )


def conjugate(quaternion: Tensor) -> Tensor:
    """The inverse of unit quaternions `(..., 4)`."""
    return quaternion * quaternion.new_tensor([1.0, -1.0, -1.0, -1.0])


def rotated(vector: Tensor, quaternion: Tensor) -> Tensor:
    """Vectors `(..., 3)` turned by unit quaternions `(..., 4)`."""
    pure = torch.cat([torch.zeros_like(vector[..., :1]), vector], dim=-1)
    return product(product(quaternion, pure), conjugate(quaternion))[..., 1:]


def same_side(quaternion: Tensor, truth: Tensor) -> Tensor:
    """`quaternion (..., 4)` or its negative, which is the same rotation: the nearer one to `truth`."""
    return torch.where((quaternion * truth).sum(dim=-1, keepdim=True) < 0.0, -quaternion, quaternion)
