# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reference views: where retrieval systems look at the map, and the search for the most alike."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from urban_map_loc.baselines.system import Ground, Progress, Query, System, ranked_hypotheses
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.references import reference_poses

BATCH = 128


def road_poses(ground: Ground, spacing_m: float) -> FloatArray:
    """Poses `(N, 3)` [m, rad] in `map` along the middles of the roads, heading along them."""
    # MapNet's references, one heading each.
    network = replace(ground.config.network, preset="small", reference_spacing_m=spacing_m, reference_lateral_m=0.0)
    return np.unique(reference_poses(ground.area, network, ground.batches.cells), axis=0)


def reference_views(ground: Ground) -> FloatArray:
    """Poses `(M, 3)` [m, rad] in `map` along the roads, each place in `references.headings` headings from the road's on."""
    cfg = ground.settings.references
    along = road_poses(ground, cfg.spacing_m)
    turns = np.arange(cfg.headings) * (2.0 * np.pi / cfg.headings)
    poses = np.repeat(along, cfg.headings, axis=0)
    poses[:, 2] = wrap_angle(poses[:, 2] + np.tile(turns, len(along)))
    return poses


class Retrieval(System):
    """A system that describes a tile by a vector, and answers with the poses of the map's views whose vectors are nearest."""

    metric = "euclidean"

    @abstractmethod
    def describe(self, tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The vector `(F,)` of a tile `(S, S)` or `(C, S, S)`."""

    def index(self, progress: Progress) -> None:
        """Describe the map's views."""
        poses = reference_views(self.ground)
        vectors = []
        for first in range(0, len(poses), BATCH):
            vectors += [self.describe(tile) for tile in self.ground.batches.renderer.tiles(poses[first : first + BATCH])]
            progress(min((first + BATCH) / len(poses), 1.0), "describing the map")
        self.take_references(poses, np.stack(vectors))

    def take_references(self, poses: FloatArray, vectors: NDArray[np.float32]) -> None:
        """Search among `vectors (M, F)` of the views from `poses (M, 3)` from now on."""
        # Rounded as they are kept, so that a loaded system answers as the one that was saved.
        self._poses, self._vectors = poses, vectors.astype(np.float16)
        self._search = NearestNeighbors(metric=self.metric, algorithm="brute").fit(self._vectors.astype(np.float32))

    def guesses(self, query: Query, count: int) -> Hypotheses:
        """The nearest views' poses."""
        wanted = min(self.ground.settings.references.neighbours, len(self._poses))
        distance, nearest = self._search.kneighbors(self.describe(query.tile)[None], wanted)
        return ranked_hypotheses(self._poses[nearest[0]], -distance[0], count, self.ground.settings)

    def tensors(self) -> dict[str, Tensor]:
        """Poses and vectors of the views; what describes tiles is added by each system."""
        return {"poses": torch.from_numpy(self._poses), "vectors": torch.from_numpy(self._vectors)}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """See `System`."""
        self.take_references(tensors["poses"].numpy(), tensors["vectors"].numpy())
