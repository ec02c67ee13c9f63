# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The fully convolutional segmentation and its training."""

from __future__ import annotations

from dataclasses import dataclass, field

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class FcnGridConfig(Section):
    """The grid of columns that the network sees; part of what it learnt."""

    range_m: float = setting(50.0, "half the side of the grid in training", unit="m", low=10.0, high=200.0)
    column_size_m: float = setting(0.5, "side of a column", unit="m", low=0.1, high=2.0)
    minimum_range_m: float = setting(2.5, "nearer points are the car itself", unit="m", low=0.0)
    ground_clearance_m: float = setting(0.3, "points lower than this above the local ground are ground", unit="m", low=0.0)


@dataclass(frozen=True)
class FcnTrainingConfig(Section):
    """How the segmentation is trained."""

    clouds: int = setting(1000, "simulated clouds to learn from", low=8)
    validation_clouds: int = setting(64, "further clouds, never trained on", low=1)
    steps: int = setting(1500, "optimizer steps", low=1)
    crop_columns: int = setting(112, "side of the square that a step sees of a cloud: a third of the cost of all, and more variety", low=16)
    batch_size: int = setting(8, "clouds a step, each turned and mirrored at random", low=1, high=256)
    learning_rate: float = setting(3e-3, "peak of the schedule (AdamW, one cycle)", low=1e-6, high=1.0)
    weight_decay: float = setting(0.02, "AdamW's decoupled weight decay", low=0.0, high=1.0)
    gradient_clip: float = setting(2.0, "largest gradient norm", low=0.0)
    towns: int = setting(4, "generated towns to drive in where no area is given", low=1, high=100)


@dataclass(frozen=True)
class FcnConfig(Section):
    """All that a segmentation's file needs to rebuild it."""

    grid: FcnGridConfig = field(default_factory=FcnGridConfig)
    training: FcnTrainingConfig = field(default_factory=FcnTrainingConfig)
    seed: int = setting(0, "seed of weights and clouds", low=0)
