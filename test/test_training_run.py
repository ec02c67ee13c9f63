# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a training says of itself on the way: validation, progress, curves; and the average of its weights."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from towns import crossing
from trainings import CONFIG, CPU, TRAINING, assert_identical, weights

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cli.main import DONE, run
from urban_map_loc.training.averaging import WeightAverage
from urban_map_loc.training.batches import Drives
from urban_map_loc.training.run import train
from urban_map_loc.training.schedule import learning_rate
from urban_map_loc.training.trainer import Trainer
from urban_map_loc.training.validation import validate

OFTEN = replace(TRAINING, validation_seconds=0.0, validation_share=0.5)


class Tiny(nn.Sequential):
    """A weight, and a batch norm with its statistics."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
        self.register_buffer("constant", torch.zeros(1))

    def at(self, value: float) -> Tiny:
        for tensor in self.state_dict().values():
            tensor.fill_(value)
        return self


def test_an_average_follows_weights_and_batch_norms_and_nothing_else() -> None:
    average = WeightAverage(Tiny().at(0.0), 0.5)  # type: ignore[arg-type]
    network = Tiny().at(8.0)
    for expected in (4.0, 6.0, 7.0):
        average.update(network, 1000)  # type: ignore[arg-type]
        found = average.network.state_dict()
        for name in ("0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var"):
            assert float(found[name]) == expected, name
        assert float(found["constant"]) == 0.0
    assert not any(p.requires_grad for p in average.network.parameters())


def test_early_on_the_average_is_short() -> None:
    average = WeightAverage(Tiny().at(0.0), 0.999)  # type: ignore[arg-type]
    average.update(Tiny().at(1.0), 1)  # type: ignore[arg-type]
    assert float(average.network.state_dict()["0.weight"]) == pytest.approx(1.0 - 2.0 / 11.0)


def test_what_is_saved_and_judged_is_the_average(tmp_path: Path) -> None:
    trainer = Trainer(crossing(), CONFIG, CPU)
    for _ in range(TRAINING.steps):
        trainer.step()
    saved = trainer.checkpoint()
    summary = train(crossing(), CONFIG, tmp_path / "m", device="cpu")
    assert saved.network is trainer.average.network
    assert_identical(weights(tmp_path / "m"), saved.network.state_dict())
    assert not torch.equal(saved.network.state_dict()["neck.describe.weight"], trainer.network.state_dict()["neck.describe.weight"])
    held_out = trainer.batches.drives(Drives.VALIDATION, TRAINING.validation_tiles)
    assert summary["validation"] == validate(saved.network, held_out)


def test_the_learning_rate_rises_and_falls_with_the_cosine() -> None:
    rates = [learning_rate(2.0, 10, step, step / 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9]
    assert rates[50] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0)
    assert learning_rate(2.0, 0, 0, 0.0) == 2.0


def test_validating_on_the_way_is_reported_and_changes_nothing(tmp_path: Path) -> None:
    told: list[dict[str, float]] = []
    train(crossing(), replace(CONFIG, training=OFTEN), tmp_path / "a", device="cpu", progress=lambda _, f: told.append(f))
    train(crossing(), CONFIG, tmp_path / "b", device="cpu")
    assert [f["steps"] for f in told] == [1, 2, 3, 4, 5, 6]
    assert all(f["loss"] > 0.0 and f["tiles_per_s"] > 0.0 and 0.0 <= f["recall"] <= 1.0 for f in told)
    assert {"median_m", "within_5_m", "within_10_m", "true_cell_in_best_20", "heading_within_10_deg_of_those"} <= told[-1].keys()
    assert_identical(weights(tmp_path / "a"), weights(tmp_path / "b"))


def test_a_budget_in_minutes_counts_validation_too(tmp_path: Path) -> None:
    clock = iter(range(10_000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("urban_map_loc.training.trainer.time.perf_counter", lambda: float(next(clock)))
        patch.setattr(Trainer, "validate", lambda self: (next(clock), {})[1])
        config = replace(CONFIG, training=replace(OFTEN, minutes=10.0 / 60.0, steps=0))
        summary = train(crossing(), config, tmp_path / "m", device="cpu")
    assert summary["minutes"] == pytest.approx(10.0 / 60.0, abs=0.02)
    assert summary["steps"] < 10


def test_the_command_writes_curves_that_tensorboard_reads(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tensorboard's own imports
        accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write_area(crossing(), tmp_path / "a.gpkg")
    small = ["batch_size=8", "validation_tiles=16", "quick_validation_tiles=16", "validation_seconds=0", "validation_share=0.5"]
    options = [word for setting in small for word in ("--set", f"training.{setting}")]
    model, logs = tmp_path / "m.safetensors", tmp_path / "logs"
    command = ["train", str(tmp_path / "a.gpkg"), "--out", str(model), "--device", "cpu", "--steps", "3", *options]
    assert run([*command, "--logs", str(logs), "--resume"]) == DONE
    curves = accumulator.EventAccumulator(str(logs)).Reload()
    for name in ("loss", "tiles_per_s", "recall", "learning_rate", "gradient_norm"):
        assert [event.step for event in curves.Scalars(f"training/{name}")] == [1, 2, 3]
    assert curves.Scalars("validation/median_m")[-1].step == 3
    said = capfd.readouterr()
    assert "nothing to resume, training begins anew" in said.err
    assert f"{model}: 3 steps from the weights of area" in said.out


def test_logs_that_cannot_be_written_fail_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    steps: list[float] = []
    with pytest.raises(Exception, match="cannot be written"):
        train(crossing(), CONFIG, tmp_path / "m", device="cpu", logs=tmp_path / "file", progress=lambda _, f: steps.append(f["steps"]))
    assert steps == []
