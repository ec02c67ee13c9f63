# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training on a GPU: what of it can be tried without one is tried without; the rest is skipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from towns import crossing
from trainings import CONFIG, CPU, TRAINING, assert_identical, weights

from urban_map_loc.config import BUILDINGS_AND_ROADS, TileConfig, TrainConfig
from urban_map_loc.tile.from_map import NO_EFFECTS
from urban_map_loc.tile.from_map_torch import TorchMapRenderer
from urban_map_loc.training.batches import TileBatches
from urban_map_loc.training.run import train
from urban_map_loc.training.trainer import Trainer

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU that PyTorch sees")


@pytest.mark.parametrize("channels", ["buildings", BUILDINGS_AND_ROADS])
def test_tiles_rendered_as_on_a_gpu_are_those_of_the_processor(channels: str) -> None:
    config = TrainConfig(tile=TileConfig(channels=channels), effects=NO_EFFECTS, training=replace(TRAINING, batch_size=12))
    usual, other = (TileBatches(crossing(), config) for _ in range(2))
    other._on_gpu = TorchMapRenderer(other.renderer.raster, config.tile, other.renderer.roads, "cpu")
    for rank in (0, 1):
        a, b = (source.share(0, 3, rank, 2) for source in (usual, other))
        assert torch.equal(a.poses, b.poses)
        for name in ("tiles", "references"):
            assert float((getattr(a, name) != getattr(b, name)).float().mean()) < 1e-4, name


def test_half_precision_is_the_networks_alone_and_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urban_map_loc.training.trainer.half_precision", lambda device: True)
    seen = []
    trainer = Trainer(crossing(), replace(CONFIG, training=replace(TRAINING, steps=20, batch_size=32)), CPU)
    forward = trainer.criterion.forward
    trainer.criterion.forward = lambda head, feature, batch: (seen.append(feature.dtype), forward(head, feature, batch))[1]  # type: ignore[method-assign]
    losses = [trainer.step().loss for _ in range(20)]
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    assert set(seen) == {torch.float32}
    assert {p.dtype for p in trainer.parameters} == {torch.float32}


@needs_gpu
def test_a_gpu_computes_what_the_processor_does() -> None:
    config = replace(CONFIG, effects=NO_EFFECTS, training=replace(TRAINING, batch_size=32, learning_rate=1e-5))
    losses = [[Trainer(crossing(), config, torch.device(name)).step().loss for _ in range(1)] for name in ("cpu", "cuda")]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.02)


@needs_gpu
def test_on_a_gpu_too_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(crossing(), CONFIG, tmp_path / name, device="cuda")
    assert_identical(weights(tmp_path / "a"), weights(tmp_path / "b"))
