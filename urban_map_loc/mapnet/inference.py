# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Inference: a trained network made ready to answer one tile at a time, as fast as its device allows."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from urban_map_loc.errors import ConfigurationError
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.network import MapNet


def choose_device(name: str) -> torch.device:
    """The device that the setting `auto`, `cpu` or `cuda` means on this machine.

    Raises:
        ConfigurationError: cuda, but there is no GPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("device cuda was asked for, but this PyTorch sees no GPU; use device auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def fold_batch_norms(module: nn.Module) -> None:
    """Put each batch norm of a network in evaluation mode into the convolution right before it, in place."""
    for child in module.children():
        fold_batch_norms(child)
    if isinstance(module, nn.Sequential):
        for i in range(len(module) - 1):
            convolution, norm = module[i], module[i + 1]
            if isinstance(convolution, nn.Conv1d | nn.Conv2d) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()


class Ranking(nn.Module):
    """Tile in, the fields of `Hypotheses` out as tensors: what runs on the robot, and what is exported."""

    def __init__(self, network: MapNet, count: int) -> None:
        """A copy of the network, batch norms folded, that gives the `count` most probable poses.

        Convolutions' weights lie as their images do, channels last: ResNet-34 then takes half the time on a processor.
        """
        super().__init__()
        self.network = deepcopy(network).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.count = count
        fold_batch_norms(self.network.trunk)

    def forward(self, tile: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Poses, log-probabilities, regions and covariances for one tile `(1, S, S)` or `(1, C, S, S)`, values 0 and 1."""
        return self.network.head.ranked(self.network.feature(tile), self.count)


class Inference:
    """The network on its device; on a GPU the trunk in half precision, and the whole answer one CUDA graph.

    The tile crosses to the device and the ranked poses cross back, nothing else.
    """

    def __init__(self, network: MapNet, device: torch.device) -> None:
        self.device = device
        self._ranking = Ranking(network, 0).to(device)
        if device.type == "cuda":
            self._ranking.network.trunk.half()
        self._graph: torch.cuda.CUDAGraph | None = None

    @torch.inference_mode()
    def hypotheses(self, tile: NDArray[np.uint8], count: int) -> Hypotheses:
        """The `count` most probable poses for one tile `(S, S)` or `(C, S, S)`; the first answer of a `count` takes longer."""
        on_host = torch.from_numpy(tile)[None]
        if self.device.type != "cuda":
            self._ranking.count = count
            return Hypotheses.from_tensors(*self._ranking(on_host))
        if self._graph is None or self._ranking.count != count:
            self._ranking.count = count
            self._capture(on_host)
        assert self._graph is not None
        self._tile.copy_(on_host)
        self._graph.replay()
        return Hypotheses.from_tensors(*self._answer)

    def _capture(self, tile: Tensor) -> None:
        """Record the launches of one answer: replayed together they cost one call instead of a hundred."""
        self._tile = tile.to(self.device)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):  # libraries make plans and workspaces in their first calls, which must not be recorded
                self._ranking(self._tile)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._answer = self._ranking(self._tile)
