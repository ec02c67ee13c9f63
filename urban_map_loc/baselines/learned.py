# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the baselines that learn have in common: they are trained by `learning.py` and kept as their network's weights."""

from __future__ import annotations

import json
from abc import abstractmethod
from pathlib import Path

import torch
from torch import Tensor, nn

from urban_map_loc.baselines.learning import Learner, learn
from urban_map_loc.baselines.system import Budget, Progress, SharedGround, System
from urban_map_loc.config import MapNetConfig
from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.settings import Section, to_dict
from urban_map_loc.training.batches import Drives


class LearnedSystem(System):
    """A network, its settings and its loss."""

    learns = True
    network: nn.Module

    def __init__(self, ground: SharedGround, config: Section, peak: float, compared: MapNetConfig) -> None:
        """Weights are drawn after this.

        Args:
            ground: of all systems.
            config: the system's own section.
            peak: of the learning rate.
            compared: a MapNet that is trained with such references as this system is.
        """
        super().__init__(ground)
        self.batches = ground.batches.comparing(compared)
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
        training = self.ground.config.training
        learner = Learner(self.network, self.loss, self._peak, training, budget, self.ground.seed, self._identity)
        learn(learner, state, training.checkpoint_seconds, progress)
        learner.finish()
        self.steps = learner.steps

    def tensors(self) -> dict[str, Tensor]:
        """The network's weights."""
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """The same."""
        self.network.load_state_dict(tensors)
        self.network.eval()

    def draw(self, step: int, count: int) -> Batch:
        """Tiles that a car may see at a training step, each with the map's view from nearby where the system compares views."""
        return self.batches.draw((Drives.TRAINING, self.ground.seed, step), count).to(self.ground.device)
