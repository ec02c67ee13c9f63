# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A training of seconds for tests."""

from __future__ import annotations

from pathlib import Path

import torch

from urban_map_loc.config import MapNetConfig, TrainConfig, TrainingConfig
from urban_map_loc.mapnet.checkpoint import load_checkpoint

CPU = torch.device("cpu")
TRAINING = TrainingConfig(minutes=0.0, steps=6, batch_size=8, validation_tiles=16, quick_validation_tiles=16, warmup_steps=2)
CONFIG = TrainConfig(training=TRAINING, network=MapNetConfig(feature_size=32))


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).network.state_dict()


def assert_identical(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    """Bit for bit."""
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        assert torch.equal(tensor, b[name]), name
