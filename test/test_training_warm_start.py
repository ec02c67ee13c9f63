"""Beginning with another model's weights, on another area or the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from towns import crossing, one_block
from trainings import CONFIG, CPU, TRAINING, weights

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cli.main import run
from urban_map_loc.config import TrainConfig
from urban_map_loc.errors import ConfigurationError, ModelError
from urban_map_loc.mapnet.checkpoint import load_checkpoint, save_checkpoint
from urban_map_loc.training.trainer import Trainer

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
    with pytest.raises(ConfigurationError, match="either minutes or steps"):
        Trainer(crossing(), UNTRAINED, CPU)
    both: TrainConfig = replace(CONFIG, training=replace(TRAINING, minutes=1.0))
    with pytest.raises(ConfigurationError, match="either minutes or steps"):
        Trainer(crossing(), both, CPU, start=start)


def test_the_command_starts_from_a_model(tmp_path: Path) -> None:
    write_area(crossing(), tmp_path / "a.gpkg")
    few = [word for text in ("training.batch_size=8", "training.validation_tiles=16") for word in ("--set", text)]
    train = ["train", str(tmp_path / "a.gpkg"), *few, "--out"]
    assert run([*train, str(tmp_path / "m.safetensors"), "--steps", "1"]) == 0
    assert run([*train, str(tmp_path / "n.safetensors"), "--steps", "0", "--start", str(tmp_path / "m.safetensors")]) == 0
    assert torch.equal(
        weights(tmp_path / "m.safetensors")["neck.describe.weight"], weights(tmp_path / "n.safetensors")["neck.describe.weight"]
    )
    assert run([*train, str(tmp_path / "n.safetensors"), "--steps", "0"]) == 1
