# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the baselines that learn have in common: they are trained by `learning.py` and kept as their network's weights."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from urban_map_loc.baselines.learning import Learner, learn
from urban_map_loc.baselines.system import Budget, Ground, Progress, System
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle
from urban_map_loc.settings import Section, to_dict
from urban_map_loc.training.batches import Drives


@dataclass(frozen=True, eq=False)
class Pairs:
    """Tiles that a car may see, and the map's own view from nearby, heading alike; tiles are uint8, poses [m, rad] in `map`.

    Attributes:
        tiles: `(N, S, S)` or `(N, C, S, S)`.
        poses: `(N, 3)`, from where.
        map_tiles: as many.
        map_poses: `(N, 3)`.
    """

    tiles: Tensor
    poses: Tensor
    map_tiles: Tensor
    map_poses: Tensor


class LearnedSystem(System):
    """A network, its settings and its loss."""

    learns = True
    network: nn.Module

    def __init__(self, ground: Ground, config: Section, peak: float) -> None:
        """`config`: the system's own section; `peak`: of the learning rate. Weights are drawn after this."""
        super().__init__(ground)
        self._peak = peak
        named = [self.name, to_dict(ground.config), to_dict(config), ground.seed, ground.area.content_hash]
        self._identity = json.dumps(named, sort_keys=True)
        torch.manual_seed(ground.seed)

    def place(self, network: nn.Module) -> None:
        """Put the network where it computes; channels last, which processors convolve faster."""
        self.network = network.to(self.ground.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @abstractmethod
    def loss(self, step: int) -> Tensor:
        """The loss of a training step, of tiles that depend on its number and the seed alone."""

    def begin(self) -> None:
        """What a training does before its first step."""

    def train(self, budget: Budget, state: Path, progress: Progress) -> None:
        """See `System.train`."""
        if not state.exists():
            self.begin()
        learner = Learner(self.network, self.loss, self._peak, self.ground.config.training, budget, self.ground.seed, self._identity)
        learn(learner, state, progress)
        self.steps = learner.steps

    def tensors(self) -> dict[str, Tensor]:
        """The network's weights."""
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """The same."""
        self.network.load_state_dict(tensors)
        self.network.eval()

    def draw(self, step: int, count: int) -> tuple[Tensor, Tensor]:
        """Tiles that a car may see at a training step, and from which poses `(N, 3)`."""
        poses, tiles, _ = self._draw(step, count)
        return tiles, poses

    def draw_pairs(self, step: int, count: int) -> Pairs:
        """The same, each with the map's view from as far away as the views that are searched lie."""
        poses, tiles, random = self._draw(step, count)
        batches = self.ground.batches
        near = poses.cpu().double().numpy()
        near[:, :2] += random.normal(0.0, batches.training.reference_jitter_m, (len(near), 2))
        near[:, 2] = wrap_angle(near[:, 2] + random.normal(0.0, batches.sampler.config.heading_rad, len(near)))
        return Pairs(tiles, poses, batches.tiles(near).to(self.ground.device), self._tensor(near))

    def _draw(self, step: int, count: int) -> tuple[Tensor, Tensor, np.random.Generator]:
        random = np.random.default_rng((Drives.TRAINING, self.ground.seed, step))
        batches = self.ground.batches
        poses = batches.sampler.draw(count, random)
        tiles = batches.tiles(poses, batches.effects, int(random.integers(2**31)), batches.sampler.config.tuple_length)
        return self._tensor(poses), tiles.to(self.ground.device), random

    def _tensor(self, poses: FloatArray) -> Tensor:
        return torch.from_numpy(poses).float().to(self.ground.device)
