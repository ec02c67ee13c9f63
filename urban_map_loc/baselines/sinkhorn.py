# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Sinkhorn's iteration as a differentiable layer (Cuturi 2013; Shi et al. 2020, equations 3 to 6)."""

from __future__ import annotations

import torch
from torch import Tensor


def sinkhorn(cost: Tensor, sharpness: float, iterations: int) -> Tensor:
    """Entropy-regularised transport plans `(N, n, n)` of costs `(N, n, n)`: rows and columns sum to 1.

    Rows and columns of exp(-sharpness cost) are made to sum to 1 in turns. On logarithms, so that no cost is too large; gradients go
    through all iterations.
    """
    log_plan = -sharpness * cost
    for _ in range(iterations):
        log_plan = log_plan - torch.logsumexp(log_plan, dim=2, keepdim=True)
        log_plan = log_plan - torch.logsumexp(log_plan, dim=1, keepdim=True)
    return torch.exp(log_plan)
