# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""VLAD and vocabulary-tree histograms of tiles: what was used before descriptors were learned (the MapNet thesis, chapter 2)."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from urban_map_loc.baselines.references import References
from urban_map_loc.baselines.retrieval import Retrieval
from urban_map_loc.baselines.sift import upright_descriptors
from urban_map_loc.baselines.system import Progress
from urban_map_loc.baselines.vocabulary import Descriptors, VocabularyTree, Words
from urban_map_loc.config import VocabularyConfig
from urban_map_loc.training.batches import Drives

LEVEL = "level_"


class _OfWords(Retrieval):
    """What both share: the vocabulary, made of tiles drawn as for training, so that it knows what scans suffer."""

    learns = False

    @property
    @abstractmethod
    def vocabulary(self) -> VocabularyConfig:
        """Its size."""

    def index(self, progress: Progress) -> None:
        """The vocabulary, then the map's views."""
        progress(0.0, "making the vocabulary")
        cfg, sift = self.vocabulary, self.ground.settings.sift
        drawn = self.ground.batches.draw((Drives.TRAINING, self.ground.seed, 0), cfg.tiles).tiles.cpu().numpy()
        found = np.concatenate([upright_descriptors(tile, sift) for tile in drawn])
        some = np.random.default_rng(self.ground.seed).permutation(len(found))[: cfg.descriptors]
        self.tree = VocabularyTree.learned(found[some], cfg.branching, cfg.depth, self.ground.seed)
        super().index(progress)

    def tensors(self) -> dict[str, Tensor]:
        """The references and the vocabulary."""
        levels = {f"{LEVEL}{k}": torch.from_numpy(level) for k, level in enumerate(self.tree.levels)}
        return super().tensors() | levels

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """See `System`."""
        depth = sum(name.startswith(LEVEL) for name in tensors)
        self.tree = VocabularyTree([tensors[f"{LEVEL}{k}"].numpy() for k in range(depth)])
        super().load_tensors(tensors)


class Vlad(_OfWords):
    """Vectors of locally aggregated descriptors."""

    name = "VLAD"
    source = "Jegou et al., Aggregating local descriptors into a compact image representation, CVPR 2010; Arandjelovic and Zisserman 2013"

    @property
    def vocabulary(self) -> VocabularyConfig:
        """Few words."""
        return self.ground.settings.vlad

    def describe(self, tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `vlad`."""
        descriptors = upright_descriptors(tile, self.ground.settings.sift)
        return vlad(descriptors, self.tree.words(descriptors), self.tree.levels[-1])


class TreeHistogram(_OfWords):
    """Histograms over the nodes of a vocabulary tree, weighted by how rare each is among the map's views."""

    name = "vocabulary tree"
    source = "Nister and Stewenius, Scalable Recognition with a Vocabulary Tree, CVPR 2006"
    metric = "manhattan"

    @property
    def vocabulary(self) -> VocabularyConfig:
        """Many words."""
        return self.ground.settings.vocabulary_tree

    def describe(self, tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Histogram, weighted once the views are known, and of sum 1."""
        descriptors = upright_descriptors(tile, self.ground.settings.sift)
        return _of_sum_one(tree_histogram(self.tree, descriptors) * self._rarity)

    def index(self, progress: Progress) -> None:
        """Histograms of the map's views, then their weights."""
        self._rarity = np.ones(1, dtype=np.float32)
        super().index(progress)
        counts = self.references.descriptors.astype(np.float32)
        self._rarity = rarity(counts > 0.0)
        self.references = References(self.references.poses, _of_sum_one(counts * self._rarity), self.metric)

    def tensors(self) -> dict[str, Tensor]:
        """The weights too."""
        return super().tensors() | {"rarity": torch.from_numpy(self._rarity)}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """See `System`."""
        self._rarity = tensors["rarity"].numpy()
        super().load_tensors(tensors)


def vlad(descriptors: Descriptors, words: Words, centres: Descriptors) -> NDArray[np.float32]:
    """Sums `(W D,)` of what each word's descriptors `(N, D)` differ from its centre, of `centres (W, D)`.

    Signed square roots, then each word's part of length 1 (intra-normalisation), then all of it.
    """
    total = np.zeros_like(centres)
    np.add.at(total, words, descriptors - centres[words])
    total = np.sign(total) * np.sqrt(np.abs(total))
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)
    return np.asarray((total / max(float(np.linalg.norm(total)), 1e-9)).ravel(), dtype=np.float32)


def tree_histogram(tree: VocabularyTree, descriptors: Descriptors) -> NDArray[np.float32]:
    """How many descriptors `(N, D)` pass each node, of all levels one after the other."""
    path = tree.paths(descriptors)
    counts = [np.bincount(path[:, k], minlength=len(level)) for k, level in enumerate(tree.levels)]
    return np.concatenate(counts).astype(np.float32)


def rarity(there: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Weight `(W,)` ln(M / M_i) of each word, from which of M documents `(M, W)` have it; 0 of words that none has."""
    having = there.sum(axis=0)
    return np.where(having > 0, np.log(len(there) / np.maximum(having, 1)), 0.0).astype(np.float32)


def _of_sum_one(histogram: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(histogram / np.maximum(histogram.sum(axis=-1, keepdims=True), 1e-9), dtype=np.float32)
