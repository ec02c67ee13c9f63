# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Settings that go together."""

from __future__ import annotations

from pathlib import Path

import pytest
from towns import crossing

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cli.arguments import assignment
from urban_map_loc.cli.main import run
from urban_map_loc.config import TrainConfig, train_config
from urban_map_loc.config.variants import chosen
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.mapnet.checkpoint import load_checkpoint


def test_nothing_given_is_the_default() -> None:
    assert train_config({}) == TrainConfig()


def test_the_papers_network_brings_the_papers_numbers_unless_others_are_given() -> None:
    paper = train_config({"network.preset": "resnet34", "network.head": "regression"})
    assert (paper.network.feature_size, paper.network.dropout, paper.sampler.tuple_length) == (2048, 0.5, 3)
    other = train_config({"network.preset": "resnet34", "network.head": "regression", "network.dropout": 0.1, "sampler.tuple_length": 5})
    assert (other.network.feature_size, other.network.dropout, other.sampler.tuple_length) == (2048, 0.1, 5)


def test_a_choice_in_settings_that_are_there_brings_the_same() -> None:
    assert chosen(TrainConfig(), "network.head", "regression") == train_config({"network.head": "regression"})


@pytest.mark.parametrize(("name", "value"), [("sampler.nothing", 1), ("nothing", 1), ("sampler.tuple_length", 0), ("network.head", "none")])
def test_unknown_names_and_values_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=name.rpartition(".")[2]):
        train_config({name: value})


@pytest.mark.parametrize(
    ("text", "value"), [("a.b=3", 3), ("a.b=0.5", 0.5), ("a.b=fixed", "fixed"), ("a.b=[1, 2]", [1, 2]), ("a.b=x=y", "x=y")]
)
def test_assignments(text: str, value: object) -> None:
    assert assignment(text) == ("a.b", value)


def test_posenet_by_its_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_area(crossing(), tmp_path / "a.gpkg")
    train = ["train", str(tmp_path / "a.gpkg"), "--out", str(tmp_path / "m.safetensors"), "--steps", "1", "--head", "regression"]
    given = ["sampler.tuple_length=1", "criterion.weights=fixed", "training.batch_size=8", "training.validation_tiles=16"]
    options = [word for text in given for word in ("--set", text)]
    assert run([*train, *options]) == 0
    config = load_checkpoint(tmp_path / "m.safetensors").config
    assert (config.network.head, config.sampler.tuple_length, config.criterion.weights) == ("regression", 1, "fixed")
    assert run([*train, "--set", "sampler.no_such=1"]) == 1
    assert "no_such is no setting of SamplerConfig" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        run([*train, "--set", "sampler.tuple_length"])
