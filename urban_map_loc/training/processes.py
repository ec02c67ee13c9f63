# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Processes: several of them train one network, each on its share of every batch, as `torchrun` starts them.

Gradients are summed, and batch norms see the whole batch, so that the result is that of one process up to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm

from urban_map_loc.errors import ConfigurationError, ModelError


@dataclass(frozen=True)
class Processes:
    """This process among all that train together.

    Attributes:
        rank: its number, from 0; the process 0 alone writes files and shows progress.
        count: how many there are.
        on_machine: how many of them are on this machine.
    """

    rank: int = 0
    count: int = 1
    on_machine: int = 1

    def sum_gradients(self, parameters: list[nn.Parameter], figures: list[float]) -> list[float]:
        """Add up the gradients of all processes, in place; returns the sums of `figures`, the same numbers in every process."""
        if self.count == 1:
            return figures
        gradients = [p.grad for p in parameters if p.grad is not None]  # of the same parameters in every process
        message = torch.cat([*(g.flatten() for g in gradients), torch.tensor(figures, device=gradients[0].device)])
        dist.all_reduce(message)
        *summed, sums = message.split([*(g.numel() for g in gradients), len(figures)])
        for gradient, total in zip(gradients, summed, strict=True):
            gradient.copy_(total.view_as(gradient))
        return sums.tolist()

    def require_same(self, steps: int) -> None:
        """Find out whether all processes begin after the same step.

        Raises:
            ModelError: they do not.
        """
        if self.count == 1:
            return
        every = [torch.zeros((), dtype=torch.int64) for _ in range(self.count)]
        dist.all_gather(every, torch.tensor(steps))
        found = sorted({int(number) for number in every})
        if len(found) > 1:
            raise ModelError(f"processes would begin after steps {found}; give an --out in a folder that all machines share")


ALONE = Processes()


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[Processes, torch.device]]:
    """The processes that `torchrun` started, and the device of this one; alone where it did not.

    Raises:
        ConfigurationError: more processes on this machine than GPUs.
    """
    if "LOCAL_RANK" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        yield ALONE, device
        return
    local, on_machine = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if device.type == "cuda":
        if on_machine > torch.cuda.device_count():
            raise ConfigurationError(
                f"{on_machine} processes want a GPU each, and this machine has {torch.cuda.device_count()}; "
                "lower --nproc-per-node or use --device cpu"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), on_machine), device
    finally:
        dist.destroy_process_group()


class _SumOfProcesses(torch.autograd.Function):
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm(_BatchNorm):
    """Batch norm over the tiles of all processes; `nn.SyncBatchNorm` does the same, but on GPUs only."""

    @classmethod
    def of(cls, norm: _BatchNorm) -> SharedBatchNorm:
        """With the tensors of another batch norm."""
        shared = cls(norm.num_features, norm.eps, norm.momentum)
        shared.weight, shared.bias = norm.weight, norm.bias
        shared.running_mean, shared.running_var = norm.running_mean, norm.running_var
        shared.num_batches_tracked = norm.num_batches_tracked
        return shared

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - the base class's name
        """Any shape `(N, C, ...)`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Normalised by the whole batch's statistics while training, by the running ones otherwise."""
        if not self.training:
            return batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        over = [d for d in range(input.dim()) if d != 1]
        count = input.numel() / input.shape[1]
        own_variance, own_mean = torch.var_mean(input, dim=over, correction=0)
        own_variance, own_mean = own_variance.double(), own_mean.double()
        sums = torch.cat([own_mean * count, (own_variance + own_mean**2) * count, own_mean.new_tensor([count])])
        mean_sum, square_sum, total = _SumOfProcesses.apply(sums).split([len(own_mean), len(own_mean), 1])
        mean = mean_sum / total
        variance = square_sum / total - mean**2
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
            self.running_var.lerp_((variance * total / (total - 1.0)).to(self.running_var), self.momentum)
        shape = [-1 if d == 1 else 1 for d in range(input.dim())]
        scale = self.weight * torch.rsqrt(variance + self.eps).to(input)
        return (input - mean.to(input).view(shape)) * scale.view(shape) + self.bias.view(shape)


def share_batch_statistics(module: nn.Module) -> None:
    """Put a batch norm over all processes in the place of each batch norm within a module; names and weights stay."""
    for name, child in list(module.named_children()):
        if isinstance(child, _BatchNorm):
            setattr(module, name, nn.SyncBatchNorm.convert_sync_batchnorm(child) if child.weight.is_cuda else SharedBatchNorm.of(child))
        else:
            share_batch_statistics(child)
