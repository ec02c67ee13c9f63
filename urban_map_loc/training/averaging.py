# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""WeightAverage: what is validated and saved is the mean of the last weights, not where the last step happened to end."""

from __future__ import annotations

from copy import deepcopy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Network = TypeVar("Network", bound=nn.Module)


class WeightAverage(Generic[Network]):
    """An exponential moving average of a network's parameters and batch-norm statistics (Polyak and Juditsky 1992)."""

    def __init__(self, network: Network, decay: float) -> None:
        self.network = deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        """Take in the weights after `step` steps; early on the average is short, so that the random start does not stay in it."""
        weight = 1.0 - min(self.decay, (1.0 + step) / (10.0 + step))
        for mine, new in zip(_averaged(self.network), _averaged(network), strict=True):
            mine.lerp_(new, weight)


def _averaged(network: nn.Module) -> list[Tensor]:
    """Parameters, and running means and variances of batch norms."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    statistics = [tensor for norm in norms for tensor in (norm.running_mean, norm.running_var)]
    return [*network.parameters(), *(tensor for tensor in statistics if tensor is not None)]
