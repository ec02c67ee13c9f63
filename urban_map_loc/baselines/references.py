# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""References: where retrieval systems look at the map, and the search for the views that are most alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from urban_map_loc.baselines.system import Progress, SharedGround, ranked_hypotheses
from urban_map_loc.config import BaselinesConfig, MapNetConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.references import BATCH, reference_poses

POSES, DESCRIPTORS = "poses", "descriptors"


def road_poses(ground: SharedGround, spacing_m: float) -> FloatArray:
    """Poses `(N, 3)` [m, rad] in `map` along the middles of the roads, heading along them."""
    # MapNet's references, one heading each.
    network = replace(ground.config.network, preset="small", reference_spacing_m=spacing_m, reference_lateral_m=0.0)
    return np.unique(reference_poses(ground.area, network, ground.batches.cells), axis=0)


def looking(ground: SharedGround) -> MapNetConfig:
    """How retrieval systems look at the map: as a MapNet whose trunk does not know what turning looks like; its views have one heading."""
    return replace(ground.config.network, head="cells", preset="resnet34", reference_spacing_m=ground.settings.references.spacing_m)


def reference_views(ground: SharedGround) -> FloatArray:
    """Poses `(M, 3)` [m, rad] in `map`: two lines along each road, facing either way."""
    return reference_poses(ground.area, looking(ground), ground.batches.cells)


def in_parts(poses: FloatArray, progress: Progress, words: str) -> Iterator[FloatArray]:
    """Poses `(M, 3)`, so many at once as are drawn at once; after each part `progress` is told."""
    for first in range(0, len(poses), BATCH):
        yield poses[first : first + BATCH]
        progress(min((first + BATCH) / len(poses), 1.0), words)


class References:
    """Descriptors of the map's views, and where these are.

    Attributes:
        poses: `(M, 3)` [m, rad] in `map`.
        descriptors: `(M, D)`, in half precision: rounded as they are kept, so that a loaded system answers as the one that was saved.
    """

    def __init__(self, poses: FloatArray, descriptors: NDArray[np.floating], metric: str = "euclidean") -> None:
        """`metric`: scikit-learn's name of what distance is."""
        self.poses, self.descriptors = poses, descriptors.astype(np.float16)
        self._search = NearestNeighbors(metric=metric, algorithm="brute").fit(self.descriptors.astype(np.float32))

    def nearest(self, descriptor: NDArray[np.float32], count: int, settings: BaselinesConfig) -> Hypotheses:
        """At most `count` distinct poses of views whose descriptors are nearest to `descriptor (D,)`, the nearest first."""
        wanted = min(settings.answers.looked_through, len(self.poses))
        distances, nearest = self._search.kneighbors(descriptor[None], wanted)
        return ranked_hypotheses(self.poses[nearest[0]], -distances[0], count, settings)

    def tensors(self) -> dict[str, Tensor]:
        """What is kept of them."""
        return {POSES: torch.from_numpy(self.poses), DESCRIPTORS: torch.from_numpy(self.descriptors)}

    @classmethod
    def of_tensors(cls, tensors: dict[str, Tensor], metric: str = "euclidean") -> References:
        """What `tensors` gave, among whatever else."""
        return cls(tensors[POSES].numpy(), tensors[DESCRIPTORS].numpy(), metric)
