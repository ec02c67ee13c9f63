# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training: repeatable, resumable, whole or not at all, and it learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
import torch
from towns import area_of, crossing
from trainings import CONFIG, CPU, TRAINING, assert_identical, weights

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cli.main import run
from urban_map_loc.config import BUILDINGS_AND_ROADS, LocalizerConfig, MapNetConfig, SamplerConfig
from urban_map_loc.errors import AreaError, ConfigurationError, ModelError, OutputError
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.mapnet.cells import NO_CELL, PositionCells, drivable_cells
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.training.run import train
from urban_map_loc.training.sampler import RoadSampler
from urban_map_loc.training.trainer import Trainer


def test_same_seed_same_model_bit_for_bit_and_another_seed_another(tmp_path: Path) -> None:
    area = crossing()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(area, replace(CONFIG, seed=seed), tmp_path / name, device="cpu")
    assert_identical(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not torch.equal(weights(tmp_path / "a")["neck.describe.weight"], weights(tmp_path / "c")["neck.describe.weight"])


@pytest.mark.parametrize("head", ["cells", "regression"])
def test_a_few_steps_lower_the_loss(head: str) -> None:
    training = replace(TRAINING, steps=40, batch_size=32)
    config = replace(CONFIG, training=training, network=replace(CONFIG.network, head=head))
    trainer = Trainer(crossing(), config, CPU)
    losses = [trainer.step().loss for _ in range(40)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.2


def poison_weights(trainer: Trainer) -> None:
    with torch.no_grad():
        trainer.network.neck.describe.weight.fill_(float("nan"))  # type: ignore[union-attr]


def poison_a_pose(trainer: Trainer) -> None:
    batch = trainer.batches.share(0, 0, 0, 1)
    batch.poses[5, 2] = float("nan")
    trainer.batches.share = lambda *args: batch  # type: ignore[method-assign]


def poison_a_feature(trainer: Trainer) -> None:
    feature = trainer.network.feature

    def of(tiles: torch.Tensor) -> torch.Tensor:
        found = feature(tiles)
        return torch.cat([found[:11], found[11:12] * float("inf"), found[12:]])

    trainer.network.feature = of  # type: ignore[method-assign]


def poison_the_criterion(trainer: Trainer) -> None:
    forward = trainer.criterion.forward
    trainer.criterion.forward = lambda *args: forward(*args) * float("inf")  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("poison", "found"),
    [
        (poison_weights, "the weights neck.describe.weight are not finite"),
        (poison_a_pose, r"the pose of tile 5 is \[.*, nan\]"),
        (poison_a_feature, r"the feature of the reference of tile 3, at \[.*\], is not finite"),
        (poison_the_criterion, "weights, tiles and features are finite, their loss or its gradient overflows"),
    ],
)
def test_a_loss_that_is_not_finite_stops_with_the_cause(poison: Callable[[Trainer], None], found: str) -> None:
    trainer = Trainer(crossing(), CONFIG, CPU)
    before = trainer.average.network.neck.describe.weight.clone()  # type: ignore[union-attr]
    poison(trainer)
    with pytest.raises(ModelError, match=rf"the loss is \w+ and its gradient \w+ at step 0, learning rate 0.001: {found}; train again"):
        trainer.step()
    assert torch.equal(trainer.average.network.neck.describe.weight, before)  # type: ignore[union-attr]
    assert trainer.steps == 0


def test_minutes_and_steps_exclude_each_other() -> None:
    for minutes, steps, message in ((0.0, 0, "give it minutes or steps"), (1.0, 5, "either minutes or steps")):
        config = replace(CONFIG, training=replace(TRAINING, minutes=minutes, steps=steps))
        with pytest.raises(ConfigurationError, match=message):
            Trainer(crossing(), config, CPU)


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigurationError, match="no GPU"):
        train(crossing(), CONFIG, tmp_path / "m", device="cuda")


def test_an_output_that_cannot_be_written_is_found_out_before_training(tmp_path: Path) -> None:
    steps: list[float] = []
    (tmp_path / "file").write_text("x")
    for out, says in ((tmp_path, "is a folder"), (tmp_path / "file" / "m.safetensors", "cannot be written")):
        with pytest.raises(OutputError, match=says):
            train(crossing(), CONFIG, out, device="cpu", progress=lambda _, f: steps.append(f["steps"]))
    assert steps == []


def test_poses_lie_on_roads_and_head_along_them() -> None:
    area = area_of([shapely.box(20, 20, 30, 30)], [shapely.LineString([(-50, 0), (50, 0)])])
    cells = PositionCells(drivable_cells(area, MapNetConfig()), 16.0)
    sampler = RoadSampler(area, SamplerConfig(lateral_m=0.5, heading_rad=0.0, any_heading=0.0), cells)
    poses = sampler.draw(2000, np.random.default_rng(0))
    assert np.abs(poses[:, 1]).std() < 1.0
    assert np.histogram(poses[:, 0], bins=5, range=(-50, 50))[0].min() > 300
    np.testing.assert_allclose(np.abs(np.sin(poses[:, 2])), 0.0, atol=1e-3)
    assert 0.4 < (np.cos(poses[:, 2]) > 0).mean() < 0.6
    assert (cells.of(poses[:, :2]) != NO_CELL).all()


def test_an_area_without_roads_is_refused() -> None:
    area = area_of([shapely.box(20, 20, 30, 30)], [])
    with pytest.raises(AreaError, match="no drivable road"):
        Trainer(area, CONFIG, CPU)


def test_the_channels_option_trains_on_roads_too(tmp_path: Path) -> None:
    write_area(crossing(), tmp_path / "a.gpkg")
    options = ["--steps", "1", "--device", "cpu", "--channels", BUILDINGS_AND_ROADS]
    small = ["--set", "training.batch_size=8", "--set", "training.validation_tiles=16"]
    assert run(["train", str(tmp_path / "a.gpkg"), "--out", str(tmp_path / "m.safetensors"), *options, *small]) == 0
    model = load_checkpoint(tmp_path / "m.safetensors")
    assert model.config.tile.channels == BUILDINGS_AND_ROADS
    assert model.network.state_dict()["trunk.convolutions.0.1.weight"].shape[1] == 64
    Localizer.load(tmp_path / "a.gpkg", tmp_path / "m.safetensors", LocalizerConfig())
