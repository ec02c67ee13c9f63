# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""How well the pose distributions of successive tiles agree with the known motion between them.

The likelihood form of MapNet's relative term. With one hypothesis a tile and no outliers it is MapNet's own: minus the logarithm of
a Laplace density is an L1 error divided by a scale, plus the scale's logarithm.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from urban_map_loc.mapnet.se2 import compose, relative


def log_laplace(error: Tensor, log_scales: Tensor) -> Tensor:
    """Logarithm `(...)` of the Laplace density [1 / (m² rad)] of pose errors `(..., 3)`.

    `log_scales (2,)`: of translation [log m], the same on both axes, and rotation [log rad].
    """
    translation = error[..., :2].abs().sum(dim=-1) * torch.exp(-log_scales[0])
    rotation = error[..., 2].abs() * torch.exp(-log_scales[1])
    return -translation - rotation - 2.0 * log_scales[0] - log_scales[1] - math.log(8.0)


def drive_evidence(poses: Tensor, log_probability: Tensor, drive: Tensor, log_scales: Tensor, outliers: float, area_m2: float) -> Tensor:
    """Log-likelihood `(D, L)` of each tile's hypotheses being those of a car that moved as the drive says.

    For tile r of a drive: log sum_a P_r(a) prod_{k != r} [(1 - o) sum_b P_k(b) f(E_ab) + o u], where a car that stood at a would
    stand at `a T_r_k` when it saw tile k, E_ab is the pose of hypothesis b seen from there, f the Laplace density and u the density
    of a pose anywhere in the area with any heading.

    Args:
        poses: `(D, L, K, 3)` hypotheses [m, rad] of the L tiles of D drives.
        log_probability: `(D, L, K)` their log-probabilities; hypotheses that are left out count as nowhere.
        drive: `(D, L, 3)` poses of the car at the tiles in any one frame, such as odometry's.
        log_scales: see `log_laplace`.
        outliers: o, the probability that a tile's own distribution misses.
        area_m2: where poses may lie [m²].
    """
    T_r_k = relative(drive[:, :, None], drive[:, None])  # (D, L, L, 3)
    moved = compose(poses[:, :, None], T_r_k[..., None, :])  # (D, L, L, K, 3): a T_r_k
    error = relative(moved[..., None, :], poses[:, None, :, None])  # (D, L, L, K, K, 3)
    match = torch.logsumexp(log_probability[:, None, :, None] + log_laplace(error, log_scales), dim=-1)
    anywhere = math.log(outliers) - math.log(2.0 * math.pi * area_m2)
    match = torch.logaddexp(match + math.log1p(-outliers), match.new_tensor(anywhere))
    others = ~torch.eye(poses.shape[1], dtype=torch.bool, device=poses.device)
    joint = (match * others[..., None]).sum(dim=2)
    return torch.logsumexp(log_probability + joint, dim=-1)
