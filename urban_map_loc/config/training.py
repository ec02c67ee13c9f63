# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""MapNet and its training."""

from __future__ import annotations

from dataclasses import dataclass, field

from urban_map_loc.config.criterion import CriterionConfig
from urban_map_loc.config.map import RasterConfig, RoadConfig
from urban_map_loc.config.tile import ScanEffectsConfig, TileConfig
from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class SamplerConfig(Section):
    """Where training poses are drawn: along the drivable roads."""

    lateral_m: float = setting(1.5, "standard deviation across the road", unit="m", low=0.0, high=20.0)
    heading_rad: float = setting(0.15, "standard deviation about the road's direction or its opposite", unit="rad", low=0.0)
    any_heading: float = setting(0.1, "share of poses with a uniformly random heading: turning, parking", low=0.0, high=1.0)
    tuple_length: int = setting(1, "successive poses of one drive that are trained on together; MapNet's paper takes 3", low=1, high=64)
    tuple_spacing_m: float = setting(
        8.0, "distance between them: ten frames at 10 Hz and 30 km/h, as in MapNet's paper", unit="m", low=0.1, high=200.0
    )
    tuple_spacing_jitter: float = setting(0.3, "share by which each distance is longer or shorter: speeds differ", low=0.0, high=0.9)
    wander_m: float = setting(
        30.0, "distance over which a drive's lateral offset and heading error change: lanes are kept about so long", unit="m", low=0.1
    )
    corner_m: float = setting(
        5.0,
        "corners are rounded over this length before and after: a right angle becomes a turn of 6 m radius",
        unit="m",
        low=0.1,
        high=20.0,
    )
    sharpest_turn_rad: float = setting(
        2.1, "sharpest turn at a junction; sharper ones are slip roads joined backwards", unit="rad", low=0.1, high=3.1416
    )


@dataclass(frozen=True)
class MapNetConfig(Section):
    """The network: a convolutional trunk and a head."""

    preset: str = setting("small", "trunk: small for processors, resnet34 as in the MapNet paper", choices=("small", "resnet34"))
    head: str = setting(
        "cells", "cells: a probability per position cell; regression: position and heading directly", choices=("cells", "regression")
    )
    cell_size_m: float = setting(16.0, "side of a position cell", unit="m", low=2.0, high=200.0)
    cell_road_reach_m: float = setting(8.0, "cells further than this from every road are left out: cars stay on roads", unit="m", low=0.0)
    headings: int = setting(
        16,
        "headings in which the small trunk compares a view with the map's; it looks in eight times as many directions",
        low=4,
        high=64,
    )
    rings: int = setting(32, "rings of range in which it looks: 1.5 m wide where a tile reaches 48 m", low=4, high=128)
    view_size: int = setting(256, "numbers that describe a view, over all headings; 512 did no better", low=16, high=4096)
    reference_spacing_m: float = setting(
        3.0, "the map's own views are taken this far apart along roads; 2 or 4 did as well", unit="m", low=0.5, high=50.0
    )
    reference_lateral_m: float = setting(1.5, "and this far left and right of a road's centre line", unit="m", low=0.0, high=10.0)
    feature_size: int = setting(512, "length of the feature from which a regression head reads the pose", low=16, high=4096)
    rotation: str = setting(
        "yaw",
        "rotation from a regression head; yaw: its cosine and sine, which have no jump; log_quaternion: half the yaw, as in MapNet's "
        "paper, which jumps where a car heads west",
        choices=("yaw", "log_quaternion"),
    )
    regression_reach_m: float = setting(24.0, "how far from a regressed position to look when it is checked", unit="m", low=1.0)
    dropout: float = setting(0.0, "dropout of the regression head's feature while training", low=0.0, high=0.9)

    @property
    def headings_in_view(self) -> int:
        """Directions of a view `(D, headings_in_view)`: 1 where the trunk does not know what turning looks like."""
        return self.headings if self.preset == "small" else 1


@dataclass(frozen=True)
class TrainingConfig(Section):
    """How MapNet is trained."""

    minutes: float = setting(
        0.0,
        "time budget; 0 when steps are given, or where a start is only shown the map: further minutes brought the packaged weights nothing",
        unit="min",
        low=0.0,
    )
    steps: int = setting(0, "number of optimizer steps; 0 when minutes are given, or as above", low=0)
    batch_size: int = setting(192, "tiles per step, each among as many views of the map", low=2, high=4096)
    learning_rate: float = setting(2e-3, "peak of the cosine schedule (AdamW)", low=1e-6, high=1.0)
    weight_decay: float = setting(0.01, "AdamW's decoupled weight decay", low=0.0, high=1.0)
    warmup_steps: int = setting(100, "steps over which the learning rate rises", low=0)
    reference_jitter_m: float = setting(
        1.5, "the map's view that a tile is compared with is taken this far from it, 1 sigma: references lie 3 m apart", unit="m", low=0.0
    )
    gradient_clip: float = setting(5.0, "largest gradient norm", low=0.0)
    average_decay: float = setting(
        0.99,
        "share that each step leaves of the moving average of the weights, which is what is saved: it looks back some 100 steps, "
        "evens out the steps' noise, and does not lag behind a training of a few minutes",
        low=0.0,
        high=0.99999,
    )
    drive_tiles: int = setting(16, "tiles of a validation drive", low=1, high=1024)
    drive_spacing_m: float = setting(10.0, "distance between them, so that they differ", unit="m", low=0.1, high=200.0)
    validation_tiles: int = setting(1024, "tiles of drives never trained on, with which the finished model is judged", low=16)
    quick_validation_tiles: int = setting(256, "the same while training goes on", low=16)
    validation_seconds: float = setting(60.0, "training goes on at least so long between two validations", unit="s", low=0.0)
    validation_share: float = setting(
        0.02, "share of the time that they may take; an area of many roads has many views to describe anew", low=1e-4, high=0.5
    )
    checkpoint_seconds: float = setting(30.0, "a killed training loses this much, and the time of a step and of writing", unit="s", low=1.0)


@dataclass(frozen=True)
class TrainConfig(Section):
    """All that a checkpoint needs to rebuild itself."""

    raster: RasterConfig = field(default_factory=RasterConfig)
    roads: RoadConfig = field(default_factory=RoadConfig)
    tile: TileConfig = field(default_factory=TileConfig)
    effects: ScanEffectsConfig = field(default_factory=ScanEffectsConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    network: MapNetConfig = field(default_factory=MapNetConfig)
    criterion: CriterionConfig = field(default_factory=CriterionConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: int = setting(0, "seed of weights and tiles", low=0)


@dataclass(frozen=True)
class PretrainingConfig(Section):
    """How the packaged weights are made: on generated towns, for all areas to begin with."""

    towns: int = setting(24, "generated towns, 10 km² in all; every third is a thinned one", low=1, high=1000)
    town_seed: int = setting(0, "seed of the towns", low=0)
    steps: int = setting(4416, "steps of training; docs/mapnet.md has what fewer reach", low=1)
    batch_size: int = setting(768, "tiles per step: so many more views to tell apart make better weights", low=2, high=4096)
