# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""SE(2) on tensors, with gradients: what `geometry.pose2` is on arrays. Poses `(..., 3)`: x, y [m], yaw [rad]."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def wrap(angle: Tensor) -> Tensor:
    """Angles wrapped to (-pi, pi] [rad]."""
    return math.pi - torch.remainder(math.pi - angle, 2.0 * math.pi)


def _turned(points: Tensor, yaw: Tensor) -> Tensor:
    cos, sin = torch.cos(yaw), torch.sin(yaw)
    x, y = points.unbind(-1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)


def compose(T_a_b: Tensor, T_b_c: Tensor) -> Tensor:
    """`T_a_c (..., 3)`; leading dimensions are broadcast."""
    position = T_a_b[..., :2] + _turned(T_b_c[..., :2], T_a_b[..., 2])
    return torch.cat([position, wrap(T_a_b[..., 2] + T_b_c[..., 2])[..., None]], dim=-1)


def relative(T_m_a: Tensor, T_m_b: Tensor) -> Tensor:
    """`T_a_b (..., 3)`: where b is, seen from a; leading dimensions are broadcast."""
    position = _turned(T_m_b[..., :2] - T_m_a[..., :2], -T_m_a[..., 2])
    return torch.cat([position, wrap(T_m_b[..., 2] - T_m_a[..., 2])[..., None]], dim=-1)
