# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The NetVLAD layer (Arandjelovic et al. 2016): VLAD with a soft assignment that can be learned."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

# The initial assignment prefers a feature's nearest centre to the second nearest by this factor (the paper's choice of alpha).
PREFERENCE = 100.0


class NetVladLayer(nn.Module):
    """Features `(N, D, H, W)` of length 1 each to descriptors `(N, K D)` of length 1: residuals to K centres, summed by soft assignment."""

    def __init__(self, features: int, centres: int) -> None:
        super().__init__()
        self.assign = nn.Conv2d(features, centres, 1)
        self.centres = nn.Parameter(normalize(torch.randn(centres, features), dim=1))

    @torch.no_grad()
    def start_at(self, centres: Tensor, features: Tensor) -> None:
        """Begin with `centres (K, D)` of a clustering of `features (M, D)`, and with assignments that are nearly hard (equation 4)."""
        nearest = torch.cdist(features, centres).square().topk(2, dim=1, largest=False).values
        alpha = math.log(PREFERENCE) / max(float((nearest[:, 1] - nearest[:, 0]).mean()), 1e-6)
        self.centres.copy_(centres)
        self.assign.weight.copy_(2.0 * alpha * centres[:, :, None, None])
        assert self.assign.bias is not None
        self.assign.bias.copy_(-alpha * centres.square().sum(dim=1))

    def assignment(self, features: Tensor) -> Tensor:
        """How much each feature of `(N, D, H, W)` belongs to each centre, `(N, K, H W)`; over centres the sum is 1."""
        return torch.softmax(self.assign(features).flatten(2), dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """See the class; intra-normalised, then normalised as a whole."""
        share, flat = self.assignment(features), features.flatten(2)
        residuals = share @ flat.transpose(1, 2) - share.sum(dim=2)[..., None] * self.centres
        return normalize(normalize(residuals, dim=2).flatten(1), dim=1)
