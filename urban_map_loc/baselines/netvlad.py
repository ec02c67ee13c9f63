# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""NetVLAD (Arandjelovic et al. 2016): the map's tile whose descriptor is nearest, descriptors learned from triplets."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn.functional import normalize

from urban_map_loc.baselines.netvlad_layer import NetVladLayer
from urban_map_loc.baselines.retrieval import LearnedRetrieval
from urban_map_loc.baselines.system import SharedGround
from urban_map_loc.baselines.triplets import elsewhere, ranking_loss, squared_distances
from urban_map_loc.baselines.trunk import SmallTrunk
from urban_map_loc.config import NetVladConfig


class NetVladNetwork(nn.Module):
    """Tiles `(N, S, S)` to descriptors `(N, K D)` of length 1."""

    def __init__(self, channels: int, config: NetVladConfig) -> None:
        super().__init__()
        self.trunk = SmallTrunk(channels, config.features)
        self.layer = NetVladLayer(config.features, config.centres)

    def local(self, tiles: Tensor) -> Tensor:
        """Local features `(N, D, S / 8, S / 8)` of length 1 each."""
        return normalize(self.trunk(tiles), dim=1)

    def forward(self, tiles: Tensor) -> Tensor:
        """See the class."""
        descriptors: Tensor = self.layer(self.local(tiles))
        return descriptors


class NetVlad(LearnedRetrieval):
    """One network for what a car sees and for what the map looks like; descriptors are whitened and shortened by principal components."""

    name: ClassVar[str] = "NetVLAD"
    source: ClassVar[str] = "Arandjelovic et al. 2016"

    def __init__(self, ground: SharedGround) -> None:
        self.config = config = ground.settings.netvlad
        super().__init__(ground, config, config.learning_rate)
        self.descriptors = NetVladNetwork(ground.config.tile.planes, config)
        self.place(self.descriptors)

    def begin(self) -> None:
        """Cluster the local features that the untrained trunk finds, for the layer's centres to begin with."""
        batch = self.draw(0, self.config.cluster_tiles)
        self.network.eval()
        with torch.inference_mode():
            found = self.descriptors.local(batch.references).permute(0, 2, 3, 1).flatten(0, 2).cpu()
        clusters = MiniBatchKMeans(self.config.centres, random_state=self.ground.seed, n_init=1).fit(found.numpy())
        self.descriptors.layer.start_at(
            torch.from_numpy(clusters.cluster_centers_).to(found).to(self.ground.device), found.to(self.ground.device)
        )

    def loss(self, step: int) -> Tensor:
        """The weakly supervised ranking loss on the batch; among its map tiles are each tile's negatives."""
        batch = self.draw(step, self.config.batch_size)
        seen, known = self.descriptors(batch.images).chunk(2)
        negative = elsewhere(batch.poses, batch.reference_poses, self.ground.settings.retrieval)
        return ranking_loss(squared_distances(seen, known), negative, self.config.margin, self.config.hardest)

    def describe_seen(self, tiles: Tensor) -> Tensor:
        """See `LearnedRetrieval`."""
        found: Tensor = self.descriptors(tiles)
        return found

    def describe_known(self, tiles: Tensor) -> Tensor:
        """The same network describes both."""
        return self.describe_seen(tiles)

    def shortening(self, descriptors: Tensor) -> dict[str, Tensor]:
        """Principal components of the map's descriptors, divided by their deviation (whitened)."""
        among = descriptors[torch.randperm(len(descriptors), generator=torch.Generator().manual_seed(self.ground.seed))]
        among = among[: self.config.component_tiles]
        count = min(self.config.components, *among.shape)
        found = PCA(count, svd_solver="randomized", random_state=self.ground.seed).fit(among.numpy())
        whitened = found.components_ / np.sqrt(np.maximum(found.explained_variance_, 1e-9))[:, None]
        return {"middle": torch.from_numpy(found.mean_).float(), "components": torch.from_numpy(whitened).float().contiguous()}

    def shortened(self, descriptors: Tensor, by: dict[str, Tensor]) -> Tensor:
        """On the components, of length 1 again."""
        return normalize((descriptors - by["middle"]) @ by["components"].T, dim=1)
