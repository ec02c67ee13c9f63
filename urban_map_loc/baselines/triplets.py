# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Losses of retrieval: which tiles of a batch are of one place, and how far apart descriptors of others must be."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from urban_map_loc.config import RetrievalConfig
from urban_map_loc.mapnet.se2 import wrap


def elsewhere(poses: Tensor, map_poses: Tensor, config: RetrievalConfig) -> Tensor:
    """Which tiles at `map_poses (M, 3)` are surely not what a car at `poses (N, 3)` sees: `(N, M)` bool, far away or turned."""
    distance = torch.cdist(poses[:, :2], map_poses[:, :2])
    turn = wrap(poses[:, None, 2] - map_poses[None, :, 2]).abs()
    return (distance > config.negative_m) | (turn > config.negative_rad)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances `(N, M)` of descriptors of length 1, `(N, D)` and `(M, D)`."""
    return (2.0 - 2.0 * a @ b.T).clamp(min=0.0)


def ranking_loss(distances: Tensor, negative: Tensor, margin: float, hardest: int) -> Tensor:
    """Weakly supervised ranking loss (Arandjelovic et al. 2016, equation 7): mean over queries of sum max(0, d(q, p) + margin - d(q, n)).

    Args:
        distances: `(N, M)` squared distances; the positive of query i is column i.
        negative: `(N, M)` bool, which of the others are negatives.
        margin: between them.
        hardest: so many of the nearest negatives count.
    """
    own = distances.diagonal()[:, None]
    others = distances.masked_fill(~negative, torch.inf)
    nearest = others.topk(min(hardest, others.shape[1]), dim=1, largest=False).values
    return torch.relu(own + margin - nearest).sum(dim=1).mean()


def soft_margin_loss(distances: Tensor, negative: Tensor, sharpness: float) -> Tensor:
    """Weighted soft-margin triplet loss (Hu et al. 2018): mean of log(1 + exp(sharpness (d(q, p) - d(q, n)))) over all triplets.

    Of a batch's `distances (N, N)`, both ways: tiles that a car sees are queries among map tiles, and map tiles among them.
    """
    own = distances.diagonal()
    ways = [softplus(sharpness * (own[:, None] - distances)), softplus(sharpness * (own[None, :] - distances))]
    return sum((way * negative).sum() for way in ways) / (2.0 * negative.sum().clamp(min=1))
