# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What training minimises, and how a trained model goes on learning from a drive."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class CriterionConfig(Section):
    """Weights of the MapNet criterion (Brahmbhatt et al. 2018); docs/training.md has the equations."""

    weights: str = setting(
        "learned",
        "learned: errors are divided by scales that are learned with the network, as in MapNet; fixed: translation plus beta times "
        "rotation, as in PoseNet",
        choices=("learned", "fixed"),
    )
    beta: float = setting(
        3.0,
        "fixed weight of rotation [rad] against translation [the area's standard deviation]; PoseNet's 500 m outdoors over some 150 m",
        low=1e-3,
        high=1e4,
    )
    translation_log_scale: float = setting(
        0.0, "where the learned logarithm of translation's scale starts, as in MapNet", low=-10.0, high=10.0
    )
    rotation_log_scale: float = setting(-3.0, "where the learned logarithm of rotation's scale starts, as in MapNet", low=-10.0, high=10.0)
    relative_weight: float = setting(1.0, "weight of the relative term of a tuple against the absolute one (the paper's alpha)", low=0.0)
    hypotheses: int = setting(
        32,
        "poses of a tile, most probable first, that the relative term of position cells looks at; cost grows with its square",
        low=1,
        high=512,
    )
    outliers: float = setting(
        0.1, "probability that a tile's true pose is not among them, so that one bad tile does not outweigh its drive", low=1e-6, high=0.9
    )


@dataclass(frozen=True)
class AdaptConfig(Section):
    """How a trained model goes on learning from a drive without known poses (MapNet+)."""

    minutes: float = setting(3.0, "time budget; 0 when steps are given", unit="min", low=0.0)
    steps: int = setting(0, "number of optimizer steps; 0 when minutes are given", low=0)
    learning_rate: float = setting(
        3e-4, "peak of the cosine schedule; well below that of training, which has been learned from", low=1e-7, high=1.0
    )
    scale_learning_rate: float = setting(
        0.02, "the same for the relative term's two scales, which are not kept in a model and start anew", low=1e-7, high=1.0
    )
    reference_steps: int = setting(25, "steps after which the map's references are described anew by the network as it is then", low=1)
    warmup_steps: int = setting(20, "steps over which the learning rate rises", low=0)
    map_tiles: int = setting(64, "tiles from the map a step, with the absolute term: they keep what has been learned", low=2, high=4096)
    drive_tiles: int = setting(64, "tiles of the drive a step, with the relative term", low=0, high=4096)
    relative_weight: float = setting(1.0, "weight of the relative term", low=0.0)
    tuple_length: int = setting(8, "tiles of the drive that must agree: longer stretches leave fewer places where they do", low=2, high=64)
    tuple_spacing_m: float = setting(8.0, "distance between them: far enough to see other walls", unit="m", low=0.1, high=200.0)
    tuple_spacing_jitter: float = setting(0.3, "share by which each distance is longer or shorter", low=0.0, high=0.9)
    keyframe_m: float = setting(1.0, "scans nearer to the last one kept are left out: a standing car learns nothing", unit="m", low=0.0)
    seed: int = setting(0, "seed of the tiles drawn", low=0)
