# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Retrieval by a learned descriptor: the map's tiles are described once, and the nearest ones to what a car sees are the answer."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from urban_map_loc.baselines.learned import LearnedSystem
from urban_map_loc.baselines.system import Ground, Progress, Query, ranked_hypotheses
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.references import BATCH, reference_poses
from urban_map_loc.settings import Section

INDEX = "index."
POSES, DESCRIPTORS = "poses", "descriptors"


class LearnedRetrieval(LearnedSystem):
    """What NetVLAD and CVFT share. The map is looked at along its roads, two lines each, facing either way."""

    def __init__(self, ground: Ground, config: Section, peak: float) -> None:
        # Views of one heading: as of MapNet's trunk that does not know what turning looks like.
        self._looking = replace(
            ground.config.network, head="cells", preset="resnet34", reference_spacing_m=ground.settings.references.spacing_m
        )
        super().__init__(ground, config, peak, self._looking)
        self._index: dict[str, Tensor] = {}
        self._nearest: NearestNeighbors | None = None

    @abstractmethod
    def describe_seen(self, tiles: Tensor) -> Tensor:
        """Descriptors `(N, D)` of length 1 of tiles that a car sees."""

    @abstractmethod
    def describe_known(self, tiles: Tensor) -> Tensor:
        """Descriptors `(N, D)` of length 1 of tiles as the map has them."""

    def shortening(self, descriptors: Tensor) -> dict[str, Tensor]:
        """What `shortened` needs, found from the map's descriptors `(M, D)`; nothing if they stay as they are."""
        return {}

    def shortened(self, descriptors: Tensor, by: dict[str, Tensor]) -> Tensor:
        """Descriptors `(N, D)` as they are compared."""
        return descriptors

    @torch.inference_mode()
    def index(self, progress: Progress) -> None:
        """Describe the map's tiles; in half precision, in which they are kept."""
        ground = self.ground
        poses = reference_poses(ground.area, self._looking, ground.batches.cells)
        self.network.eval()
        parts = []
        for first in range(0, len(poses), BATCH):
            tiles = ground.batches.tiles(poses[first : first + BATCH])
            parts.append(self.describe_known(tiles.to(ground.device)).cpu())
            progress(min(1.0, (first + BATCH) / len(poses)), f"{first + len(tiles)} tiles described")
        found = torch.cat(parts)
        by = self.shortening(found)
        self._take({POSES: torch.from_numpy(poses), DESCRIPTORS: self.shortened(found, by).half()} | by)

    def _take(self, index: dict[str, Tensor]) -> None:
        self._index = index
        self._nearest = NearestNeighbors(algorithm="brute").fit(index[DESCRIPTORS].float().numpy())

    @torch.inference_mode()
    def guesses(self, query: Query, count: int) -> Hypotheses:
        """The poses of the map's nearest tiles; the nearer, the better."""
        if self._nearest is None:
            raise RuntimeError(f"{self.name} is asked before its index is made")
        descriptor = self.describe_seen(torch.from_numpy(query.tile)[None].to(self.ground.device)).cpu()
        poses, settings = self._index[POSES].numpy(), self.ground.settings
        wanted = min(settings.answers.looked_through, len(poses))
        distances, nearest = self._nearest.kneighbors(self.shortened(descriptor, self._index).numpy(), wanted)
        return ranked_hypotheses(poses[nearest[0]], -np.square(distances[0]), count, settings)

    def tensors(self) -> dict[str, Tensor]:
        """The network's, and the index."""
        return super().tensors() | {INDEX + name: tensor for name, tensor in self._index.items()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Both."""
        index = {name.removeprefix(INDEX): tensor for name, tensor in tensors.items() if name.startswith(INDEX)}
        super().load_tensors({name: tensor for name, tensor in tensors.items() if not name.startswith(INDEX)})
        if index:
            self._take(index)
