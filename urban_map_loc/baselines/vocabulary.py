# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A vocabulary of local descriptors by hierarchical k-means (Nister and Stewenius 2006)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

Descriptors = NDArray[np.float32]
Words = NDArray[np.int64]
ITERATIONS = 30


class VocabularyTree:
    """A tree of cluster centres; level l has `branching ** (l + 1)` of them, the children of node n are `n * branching` and on.

    Attributes:
        levels: centres `(branching ** (l + 1), D)` of each level.
    """

    def __init__(self, levels: Sequence[Descriptors]) -> None:
        self.levels = list(levels)
        self.branching = len(levels[0])

    @classmethod
    def learned(cls, descriptors: Descriptors, branching: int, depth: int, seed: int) -> VocabularyTree:
        """Cluster descriptors `(N, D)`, then those of each cluster, and so on; a cluster of too few becomes copies of its members."""
        levels: list[Descriptors] = []
        node = np.zeros(len(descriptors), dtype=np.int64)
        for level in range(depth):
            centres = np.zeros((branching ** (level + 1), descriptors.shape[1]), dtype=np.float32)
            for parent in range(branching**level):
                inside = np.flatnonzero(node == parent)
                mine = slice(parent * branching, (parent + 1) * branching)
                distinct = np.unique(descriptors[inside], axis=0) if len(inside) <= branching else descriptors[inside]
                if len(distinct) > branching:
                    means = KMeans(branching, n_init=1, max_iter=ITERATIONS, random_state=seed).fit(distinct)
                    centres[mine] = means.cluster_centers_
                elif len(distinct):
                    centres[mine] = distinct[np.arange(branching) % len(distinct)]
            levels.append(centres)
            node = cls(levels).words(descriptors)
        return cls(levels)

    def __len__(self) -> int:
        """Words: leaves of the tree."""
        return len(self.levels[-1])

    def words(self, descriptors: Descriptors) -> Words:
        """Leaf `(N,)` of each descriptor `(N, D)`: the nearest child, level by level."""
        return self.paths(descriptors)[:, -1]

    def paths(self, descriptors: Descriptors) -> Words:
        """Node `(N, depth)` of each descriptor on each level."""
        node = np.zeros(len(descriptors), dtype=np.int64)
        path = np.empty((len(descriptors), len(self.levels)), dtype=np.int64)
        for level, centres in enumerate(self.levels):
            children = node[:, None] * self.branching + np.arange(self.branching)
            away = ((descriptors[:, None] - centres[children]) ** 2).sum(axis=2)
            node = node * self.branching + away.argmin(axis=1)
            path[:, level] = node
        return path
