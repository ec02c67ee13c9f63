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

from urban_map_loc.errors import AreaError
from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.tile.from_map import NO_EFFECTS
from urban_map_loc.training.ahead import BatchesAhead
from urban_map_loc.training.run import train
from urban_map_loc.training.trainer import Trainer

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU that PyTorch sees")


def test_batches_drawn_ahead_teach_the_same() -> None:
    config = replace(CONFIG, training=replace(TRAINING, steps=6, batch_size=32))
    at_once, ahead = (Trainer(crossing(), config, CPU) for _ in range(2))
    ahead._ahead = BatchesAhead(ahead._share)
    for _ in range(3):
        assert ahead.step() == at_once.step()
        assert ahead.validate() == at_once.validate()


def test_each_step_gets_its_own_batch_in_whatever_order() -> None:
    drawn: list[int] = []
    ahead = BatchesAhead(lambda step: drawn.append(step) or step)  # type: ignore[arg-type, func-returns-value, return-value]
    assert [ahead(step) for step in (0, 1, 2, 7, 8, 3)] == [0, 1, 2, 7, 8, 3]  # type: ignore[comparison-overlap]
    ahead.settle()
    assert drawn == [0, 1, 2, 3, 7, 8, 9, 3, 4]  # each once, but for what was begun in vain


def test_what_fails_while_it_is_drawn_ahead_is_told_where_it_is_asked_for() -> None:
    def draw(step: int) -> Batch:
        raise AreaError(f"no batch {step}")

    ahead = BatchesAhead(draw)
    for step in (0, 1):
        with pytest.raises(AreaError, match=f"no batch {step}"):
            ahead(step)
    ahead.settle()  # the next has failed too, and no one asked for it


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
