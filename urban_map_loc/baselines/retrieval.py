# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Retrieval: the map's tiles are described once, and the nearest ones to what a car sees are the answer."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from urban_map_loc.baselines.learned import LearnedSystem
from urban_map_loc.baselines.references import DESCRIPTORS, POSES, References, in_parts, looking, reference_views
from urban_map_loc.baselines.system import Progress, Query, SharedGround, System
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.settings import Section

INDEX = "index."
DESCRIBING = "describing the map"


class Retrieval(System):
    """A system that describes a tile by a vector without having learned to."""

    metric: ClassVar[str] = "euclidean"
    references: References

    @abstractmethod
    def describe(self, tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The vector `(D,)` of a tile `(S, S)` or `(C, S, S)`."""

    def index(self, progress: Progress) -> None:
        """Describe the map's views."""
        poses = reference_views(self.ground)
        parts = in_parts(poses, progress, DESCRIBING)
        vectors = [self.describe(tile) for part in parts for tile in self.ground.batches.renderer.tiles(part)]
        self.references = References(poses, np.stack(vectors), self.metric)

    def guesses(self, query: Query, count: int) -> Hypotheses:
        """The nearest views' poses."""
        return self.references.nearest(self.describe(query.tile), count, self.ground.settings)

    def tensors(self) -> dict[str, Tensor]:
        """The references; what describes tiles is added by each system."""
        return self.references.tensors()

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """See `System`."""
        self.references = References.of_tensors(tensors, self.metric)


class LearnedRetrieval(LearnedSystem):
    """The same with descriptors that a network learns."""

    def __init__(self, ground: SharedGround, config: Section, peak: float) -> None:
        super().__init__(ground, config, peak, looking(ground))
        self._references: References | None = None
        self._shortening: dict[str, Tensor] = {}

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
        """Describe the map's tiles."""
        ground = self.ground
        poses = reference_views(ground)
        self.network.eval()
        parts = in_parts(poses, progress, DESCRIBING)
        found = torch.cat([self.describe_known(ground.batches.tiles(part).to(ground.device)).cpu() for part in parts])
        self._shortening = self.shortening(found)
        self._references = References(poses, self.shortened(found, self._shortening).numpy())

    @torch.inference_mode()
    def guesses(self, query: Query, count: int) -> Hypotheses:
        """The poses of the map's nearest tiles."""
        if self._references is None:
            raise RuntimeError(f"{self.name} is asked before its index is made")
        descriptor = self.describe_seen(torch.from_numpy(query.tile)[None].to(self.ground.device)).cpu()
        return self._references.nearest(self.shortened(descriptor, self._shortening).numpy()[0], count, self.ground.settings)

    def tensors(self) -> dict[str, Tensor]:
        """The network's, and the index."""
        index = {} if self._references is None else self._references.tensors() | self._shortening
        return super().tensors() | {INDEX + name: tensor for name, tensor in index.items()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Both."""
        index = {name.removeprefix(INDEX): tensor for name, tensor in tensors.items() if name.startswith(INDEX)}
        super().load_tensors({name: tensor for name, tensor in tensors.items() if not name.startswith(INDEX)})
        if index:
            self._references = References.of_tensors(index)
            self._shortening = {name: tensor for name, tensor in index.items() if name not in (POSES, DESCRIPTORS)}
