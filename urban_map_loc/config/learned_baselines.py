# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The baselines that learn: what their papers leave open, and how much they look at in a step.

Steps are so small that one takes a second or two on two cores: 15 minutes, the budget of the comparison, are then hundreds of them.
Warm-up, clipping, weight decay and averaging are those of `TrainingConfig`.
"""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class RetrievalConfig(Section):
    """What NetVLAD and CVFT share: which tiles are of one place."""

    negative_m: float = setting(25.0, "tiles further away than this are surely of another place, as in NetVLAD's paper", unit="m", low=1.0)
    negative_rad: float = setting(0.8, "and so are tiles turned by more than this: they look different", unit="rad", low=0.1, high=3.1416)


@dataclass(frozen=True)
class PoseNetConfig(Section):
    """PoseNet (Kendall et al. 2015)."""

    batch_size: int = setting(64, "tiles a step: half a second on two cores; the paper takes 75", low=2, high=4096)
    learning_rate: float = setting(
        5e-4, "peak of the cosine schedule (AdamW); with four times as much answers stay in the middle of the area", low=1e-6, high=1.0
    )
    beta: float = setting(
        6.0,
        "weight of the quaternion's error against that of position in units of the area's spread: the paper's 500 m over 80 m",
        low=1e-3,
        high=1e4,
    )
    feature_size: int = setting(2048, "features before the last regressor, as in the paper", low=16, high=4096)
    dropout: float = setting(0.4, "dropout of these features in training, GoogLeNet's", low=0.0, high=0.9)
    auxiliary_weight: float = setting(0.3, "weight of each auxiliary regressor's loss, GoogLeNet's", low=0.0, high=1.0)


@dataclass(frozen=True)
class VLocNetConfig(Section):
    """VLocNet (Valada et al. 2018)."""

    batch_size: int = setting(24, "pairs of tiles a step: two seconds on two cores; the paper takes 32", low=2, high=4096)
    learning_rate: float = setting(5e-4, "peak of the cosine schedule (AdamW)", low=1e-6, high=1.0)
    rotation_log_scale: float = setting(
        0.0,
        "where the learned logarithms of rotations' scales start; from the paper's -3 rotation outweighs position for thousands of steps",
        low=-10.0,
        high=10.0,
    )
    width: int = setting(64, "channels of the first stage, ResNet-50's", low=4, high=256)
    coarser: int = setting(
        2,
        "so many pixels of the tile, along each side, are one of the picture: ResNet-50 on all 96 px takes four times as long, and its "
        "answers are off by more than 2 m anyway",
        low=1,
        high=8,
    )
    feature_size: int = setting(1024, "features before the regressors, as in the paper", low=16, high=4096)
    dropout: float = setting(0.2, "dropout of these features in training, as in the paper", low=0.0, high=0.9)


@dataclass(frozen=True)
class NetVladConfig(Section):
    """NetVLAD (Arandjelovic et al. 2016)."""

    batch_size: int = setting(96, "pairs of a tile and the map's view a step: half a second on two cores", low=2, high=4096)
    learning_rate: float = setting(1e-3, "peak of the cosine schedule (AdamW)", low=1e-6, high=1.0)
    features: int = setting(128, "length of a local feature; the paper's VGG-16 has 512", low=8, high=1024)
    centres: int = setting(32, "centres of the layer; the paper has 64 of them for photographs", low=2, high=256)
    cluster_tiles: int = setting(128, "tiles whose features are clustered for the centres to begin with", low=2, high=4096)
    margin: float = setting(0.1, "by which the squared distance to negatives is to be larger, as in the paper", low=0.0, high=2.0)
    hardest: int = setting(10, "negatives nearest to a tile that count, as in the paper", low=1, high=1000)
    component_tiles: int = setting(2048, "of the map's tiles so many decide the principal components", low=2, high=100000)
    components: int = setting(256, "principal components that are kept of a descriptor, whitened; the paper keeps 4096", low=2, high=4096)


@dataclass(frozen=True)
class CvftConfig(Section):
    """CVFT (Shi et al. 2020)."""

    batch_size: int = setting(96, "pairs of a tile and the map's view a step: half a second on two cores", low=2, high=4096)
    learning_rate: float = setting(1e-3, "peak of the cosine schedule (AdamW)", low=1e-6, high=1.0)
    features: int = setting(64, "length of a local feature", low=4, high=1024)
    cost_features: int = setting(8, "numbers a place from which the transport's costs are read", low=1, high=256)
    initial_costs: float = setting(
        0.1, "what the weights that read costs off features begin with, against PyTorch's: ways are short at first", low=0.0, high=1.0
    )
    sharpness: float = setting(10.0, "of the transport: its entropy is weighted by one over this", low=0.1, high=1000.0)
    iterations: int = setting(10, "Sinkhorn's", low=1, high=1000)
    loss_sharpness: float = setting(10.0, "gamma of the soft-margin loss, as in the paper", low=0.1, high=1000.0)
