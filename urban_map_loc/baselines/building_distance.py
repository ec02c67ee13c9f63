# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Building distances (Cho, Kim and Park 2022): a descriptor of the distance to the nearest building in every degree.

The search has two stages: a key that does not change when the car turns, how many directions see a building at which distance,
chooses candidates; among these the descriptor itself, turned in all ways, decides place and heading.

What a direction without a building counts decides much: docs/comparison.md has what three ways reach.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit, prange
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from urban_map_loc.baselines.rings import map_rings, ring_of, road_places
from urban_map_loc.baselines.system import Progress, Query, SharedGround, System, ranked_hypotheses
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle
from urban_map_loc.mapnet.hypotheses import Hypotheses

Descriptors = NDArray[np.float32]


class BuildingDistance(System):
    """See the module. Directions without a building within range are kept as 0."""

    name = "Cho's distances"
    source = "Cho, Kim, Park, OpenStreetMap-based LiDAR Global Localization in Urban Environment without a Prior LiDAR Map, RA-L 2022"
    learns = False
    draws = False

    def __init__(self, ground: SharedGround) -> None:
        super().__init__(ground)
        self.config = ground.settings.building_distance

    def index(self, progress: Progress) -> None:
        """Descriptors along all roads."""
        places = road_places(self.ground.area, self.config.spacing_m)
        rings = map_rings(self.ground, places, self.config.directions, progress)
        self._take(places, np.where(np.isfinite(rings), rings, 0.0).astype(np.float32))

    def guesses(self, query: Query, count: int) -> Hypotheses:
        """Candidates by their keys, then the mean difference of descriptors in the best turn of each."""
        ring = ring_of(query.points, self.config.directions)
        descriptor = np.where(np.isfinite(ring), ring, 0.0).astype(np.float32)
        wanted = min(self.config.candidates, len(self._places))
        candidates = self._keys.kneighbors(self._key(descriptor[None]), wanted, return_distance=False)[0]
        difference, turn = best_turns(self._descriptors[candidates], descriptor, self.ground.config.tile.range_m)
        poses = np.column_stack([self._places[candidates], wrap_angle(turn * (2.0 * np.pi / self.config.directions))])
        return ranked_hypotheses(poses, -difference, count, self.ground.settings)

    def tensors(self) -> dict[str, Tensor]:
        """Places and descriptors; the keys are made of them."""
        return {"places": torch.from_numpy(self._places).float(), "descriptors": torch.from_numpy(self._descriptors).half()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """See `System`."""
        self._take(tensors["places"].double().numpy(), tensors["descriptors"].float().numpy())

    def _take(self, places: FloatArray, descriptors: Descriptors) -> None:
        # Rounded as they are kept, so that a loaded system answers as the one that was saved.
        self._places, self._descriptors = places.astype(np.float32).astype(np.float64), descriptors.astype(np.float16).astype(np.float32)
        self._keys = NearestNeighbors(metric="manhattan", algorithm="brute").fit(self._key(self._descriptors))

    def _key(self, descriptors: Descriptors) -> NDArray[np.float32]:
        return rotation_key(descriptors, self.ground.config.tile.range_m, self.config.key_step_m)


def rotation_key(descriptors: Descriptors, range_m: float, step_m: float) -> NDArray[np.float32]:
    """Number `(N, S)` of directions of descriptors `(N, D)` [m] that see a building in each of S steps of distance."""
    edges = np.arange(int(np.ceil(range_m / step_m)) + 1) * step_m
    edges[0] = 1e-6  # 0 means that nothing is seen
    edges[-1] = np.inf
    return np.stack([np.histogram(row, edges)[0] for row in descriptors]).astype(np.float32)


@njit(cache=True, parallel=True, fastmath=True)
def best_turns(descriptors: Descriptors, descriptor: Descriptors, nothing_m: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Smallest mean absolute difference `(K,)` [m] of `descriptors (K, D)`, each turned in all ways, from `descriptor (D,)`, and the turn.

    Turned by k: direction j + k of the map's is compared with direction j of the scan's. Only directions in which the scan sees a
    building are compared; where the map has none there, its distance counts as `nothing_m`.
    """
    count, directions = descriptors.shape
    seen = np.flatnonzero(descriptor > 0.0)
    least, best = np.empty(count, dtype=np.float32), np.zeros(count, dtype=np.int64)
    for n in prange(count):
        twice = np.empty(2 * directions, dtype=np.float32)  # so that turning needs no division
        for j in range(directions):
            value = descriptors[n, j] if descriptors[n, j] > 0.0 else np.float32(nothing_m)
            twice[j], twice[j + directions] = value, value
        total = np.zeros(directions, dtype=np.float32)
        for s in seen:
            distance = descriptor[s]
            for turn in range(directions):
                total[turn] += abs(twice[s + turn] - distance)
        best[n] = np.argmin(total)
        least[n] = total[best[n]] / max(len(seen), 1)
    return least, best
