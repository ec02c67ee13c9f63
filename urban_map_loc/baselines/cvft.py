# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""CVFT (Shi et al. 2020): features of what a car sees are transported to where the map has them, then compared."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from urban_map_loc.baselines.retrieval import LearnedRetrieval
from urban_map_loc.baselines.sinkhorn import sinkhorn
from urban_map_loc.baselines.system import SharedGround
from urban_map_loc.baselines.triplets import elsewhere, soft_margin_loss, squared_distances
from urban_map_loc.baselines.trunk import SmallTrunk
from urban_map_loc.config import CvftConfig

# Features lie on a grid of so many places along each side, each of which may be sent to any other.
SIDE = 6


class CvftNetwork(nn.Module):
    """Two trunks, one for each domain, and the transport from what a car sees to what the map has."""

    def __init__(self, channels: int, config: CvftConfig) -> None:
        super().__init__()
        self.config = config
        self.seen_trunk, self.map_trunk = (
            nn.Sequential(SmallTrunk(channels, config.features), nn.AdaptiveMaxPool2d(SIDE), nn.Flatten(2)) for _ in range(2)
        )
        self.narrow = nn.Conv1d(config.features, config.cost_features, 1)
        self.cost = nn.Linear(config.cost_features * SIDE**2, SIDE**4)
        self._begin_in_place()

    @torch.no_grad()
    def _begin_in_place(self) -> None:
        """Let transport begin with short ways: both pictures are of the ground, seen from above, and only roughly alike.

        The paper's panorama and aerial photograph have nothing in common to begin with; it starts at random.
        """
        places = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE)).float()
        self.cost.weight *= self.config.initial_costs
        self.cost.bias.copy_(torch.cdist(places, places).square().flatten() / self.config.sharpness)

    def transport(self, features: Tensor) -> Tensor:
        """Plans `(N, n, n)`, read off the features `(N, F, n)`: how much of each place goes to each other."""
        cost = self.cost(torch.relu(self.narrow(features)).flatten(1)).unflatten(1, (SIDE**2, SIDE**2))
        return sinkhorn(cost, self.config.sharpness, self.config.iterations)

    def seen(self, tiles: Tensor) -> Tensor:
        """Descriptors `(N, F n)` of length 1 of tiles `(N, S, S)` that a car sees."""
        features = self.seen_trunk(tiles)
        return normalize((features @ self.transport(features)).flatten(1), dim=1)

    def known(self, tiles: Tensor) -> Tensor:
        """Descriptors of tiles as the map has them."""
        return normalize(self.map_trunk(tiles).flatten(1), dim=1)


class Cvft(LearnedRetrieval):
    """What a car sees and the map are two domains."""

    name: ClassVar[str] = "CVFT"
    source: ClassVar[str] = "Shi et al. 2020"

    def __init__(self, ground: SharedGround) -> None:
        self.config = config = ground.settings.cvft
        super().__init__(ground, config, config.learning_rate)
        self.domains = CvftNetwork(ground.config.tile.planes, config)
        self.place(self.domains)

    def loss(self, step: int) -> Tensor:
        """The soft-margin loss of all triplets of the batch, both ways."""
        batch = self.draw(step, self.config.batch_size)
        distances = squared_distances(self.domains.seen(batch.tiles), self.domains.known(batch.references))
        negative = elsewhere(batch.poses, batch.reference_poses, self.ground.settings.retrieval)
        return soft_margin_loss(distances, negative, self.config.loss_sharpness)

    def describe_seen(self, tiles: Tensor) -> Tensor:
        """See `LearnedRetrieval`."""
        return self.domains.seen(tiles)

    def describe_known(self, tiles: Tensor) -> Tensor:
        """See `LearnedRetrieval`."""
        return self.domains.known(tiles)
