# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Beginning with another model's weights, on another area or the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from towns import crossing, one_block
from trainings import CONFIG, CPU, TRAINING, assert_identical, weights

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.area.osm import read_osm
from urban_map_loc.cli.main import run
from urban_map_loc.config import BUILDINGS_AND_ROADS, MapNetConfig, TrainConfig
from urban_map_loc.errors import ConfigurationError, ModelError
from urban_map_loc.mapnet.checkpoint import load_checkpoint, save_checkpoint
from urban_map_loc.mapnet.packaged import PACKAGED, packaged_weights
from urban_map_loc.simulation.town import write_town
from urban_map_loc.training.trainer import Trainer
from urban_map_loc.training.warm_start import fits, without_area

UNTRAINED = replace(CONFIG, training=replace(TRAINING, steps=0))


@pytest.mark.parametrize("head", ["cells", "regression"])
def test_without_steps_only_the_map_is_new(tmp_path: Path, head: str) -> None:
    network = replace(CONFIG.network, head=head)
    first = Trainer(one_block(), replace(CONFIG, network=network), CPU)
    first.step()
    save_checkpoint(first.checkpoint(), tmp_path / "a.safetensors")
    start = load_checkpoint(tmp_path / "a.safetensors")
    second = Trainer(crossing(), replace(UNTRAINED, network=network), CPU, start=start)
    assert second.fraction == 1.0
    made = second.checkpoint()
    assert made.area_hash == crossing().content_hash
    for name, tensor in start.network.state_dict().items():
        if name.startswith(("trunk", "neck")):
            assert torch.equal(tensor, made.network.state_dict()[name]), name
    if head == "cells":
        references = made.network.state_dict()["head.references"]
        torch.testing.assert_close(references.norm(dim=1), torch.ones(len(references)), atol=1e-2, rtol=0.0)


def test_other_networks_and_missing_budgets_are_refused() -> None:
    start = Trainer(one_block(), CONFIG, CPU).checkpoint()
    with pytest.raises(ModelError, match="another network"):
        Trainer(crossing(), replace(CONFIG, network=replace(CONFIG.network, view_size=128)), CPU, start=start)
    with pytest.raises(ConfigurationError, match="no weights fit this network"):
        Trainer(crossing(), UNTRAINED, CPU)
    both: TrainConfig = replace(CONFIG, training=replace(TRAINING, minutes=1.0))
    with pytest.raises(ConfigurationError, match="either minutes or steps"):
        Trainer(crossing(), both, CPU, start=start)


def test_without_its_area_a_model_has_learned_the_same(tmp_path: Path) -> None:
    trained = Trainer(one_block(), CONFIG, CPU).checkpoint()
    bare = without_area(trained)
    assert len(bare.network.head.references) == 0
    save_checkpoint(bare, tmp_path / "bare.safetensors")
    begun = [
        Trainer(crossing(), UNTRAINED, CPU, start=start).checkpoint() for start in (trained, load_checkpoint(tmp_path / "bare.safetensors"))
    ]
    assert_identical(*(made.network.state_dict() for made in begun))
    with pytest.raises(ModelError, match="trained on area"):
        bare.check_area(crossing(), "another")


def test_packaged_weights_fit_the_default_network_alone() -> None:
    packaged = packaged_weights()
    assert fits(TrainConfig(), packaged)
    assert PACKAGED.stat().st_size < 3e6
    for other in (
        replace(TrainConfig(), network=replace(MapNetConfig(), view_size=128)),
        replace(TrainConfig(), network=replace(MapNetConfig(), head="regression")),
        replace(TrainConfig(), tile=replace(TrainConfig().tile, channels=BUILDINGS_AND_ROADS)),
    ):
        assert not fits(other, packaged)


def test_packaged_weights_know_a_town_that_they_have_not_seen(tmp_path: Path) -> None:
    """Shown a town for the first time, and not trained on it: the place is found among several hundred cells, mostly at once."""
    write_town(tmp_path / "town.osm", 4711)
    shown = Trainer(read_osm(tmp_path / "town.osm"), replace(UNTRAINED, network=MapNetConfig()), CPU, start=packaged_weights())
    reached = shown.validate()
    assert reached["within_10_m"] > 0.5
    assert reached["true_cell_in_best_20"] > 0.8


def test_the_command_pretrains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = [word for text in ("training.batch_size=8", "training.validation_tiles=16") for word in ("--set", text)]
    out = tmp_path / "w.safetensors"
    assert run(["pretrain", "--out", str(out), "--towns", "1", "--steps", "1", *few]) == 0
    assert "1 steps on 1 towns" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]
    assert fits(TrainConfig(), load_checkpoint(out))


def test_the_command_starts_from_a_model(tmp_path: Path) -> None:
    write_area(crossing(), tmp_path / "a.gpkg")
    few = [word for text in ("training.batch_size=8", "training.validation_tiles=16") for word in ("--set", text)]
    train = ["train", str(tmp_path / "a.gpkg"), *few, "--out"]
    assert run([*train, str(tmp_path / "m.safetensors"), "--steps", "1", "--start", "none"]) == 0
    assert load_checkpoint(tmp_path / "m.safetensors").summary["start"] == "random weights"
    assert run([*train, str(tmp_path / "n.safetensors"), "--steps", "0", "--start", str(tmp_path / "m.safetensors")]) == 0
    assert torch.equal(
        weights(tmp_path / "m.safetensors")["neck.describe.weight"], weights(tmp_path / "n.safetensors")["neck.describe.weight"]
    )
    assert load_checkpoint(tmp_path / "n.safetensors").summary["start"] == f"the weights of area {crossing().content_hash[:12]}"
    assert run([*train, str(tmp_path / "n.safetensors"), "--steps", "0", "--start", "none"]) == 1
