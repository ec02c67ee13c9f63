# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Settings that go together: what the choice of a network or a head changes in the defaults of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from urban_map_loc.config.training import TrainConfig
from urban_map_loc.settings import from_dict, nested

# By setting and its value. Networks and tuples are from the MapNet paper (Brahmbhatt et al. 2018), section 4.
VARIANTS: dict[tuple[str, str], dict[str, Any]] = {
    ("network.preset", "resnet34"): {"network.feature_size": 2048, "network.dropout": 0.5},
    # Faster, or with rotation weighted twenty times as much, the answer stays in the middle of the area (docs/training.md).
    ("network.head", "regression"): {"sampler.tuple_length": 3, "training.learning_rate": 5e-4, "criterion.rotation_log_scale": 0.0},
}


def train_config(given: Mapping[str, Any]) -> TrainConfig:
    """All settings of a training, from those that are `given` by dotted name, such as `network.preset`; the others take their defaults.

    Raises:
        ConfigurationError: an unknown name, or a value out of range.
    """
    implied: dict[str, Any] = {}
    for (name, value), changes in VARIANTS.items():
        if given.get(name) == value:
            implied |= changes
    return from_dict(TrainConfig, nested({**implied, **given}))


def chosen(config: TrainConfig, name: str, value: Any) -> TrainConfig:
    """`config` with one choice by dotted name, and what it brings along."""
    for dotted, brought in {name: value, **VARIANTS[name, value]}.items():
        section, leaf = dotted.split(".")
        config = replace(config, **{section: replace(getattr(config, section), **{leaf: brought})})
    return config
