"""MapNet: shapes, heads, criterion on exact cases, checkpoints."""

from __future__ import annotations

import json
from math import log, pi
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from towns import crossing, one_block

from urban_map_loc.config import BUILDINGS_AND_ROADS, MapNetConfig, TileConfig, TrainConfig, TrainingConfig
from urban_map_loc.errors import ModelError
from urban_map_loc.mapnet.cells import NO_CELL, PositionCells, drivable_cells
from urban_map_loc.mapnet.checkpoint import Checkpoint, load_checkpoint, read_tensors, save_checkpoint
from urban_map_loc.mapnet.criterion import CellsCriterion, PoseCriterion
from urban_map_loc.mapnet.heads import CellsHead, RegressionHead
from urban_map_loc.mapnet.network import MapNet

CELLS = np.array([[8.0, 8.0], [24.0, 8.0], [8.0, -8.0], [-40.0, 56.0]])
TILE = TileConfig()


def network(**settings: object) -> MapNet:
    torch.manual_seed(0)
    return MapNet(MapNetConfig(feature_size=32, gate_size=16, **settings), TILE, CELLS).eval()  # type: ignore[arg-type]


def checkpoint(net: MapNet, **settings: object) -> Checkpoint:
    area = one_block()
    config = TrainConfig(network=MapNetConfig(feature_size=32, gate_size=16, **settings))  # type: ignore[arg-type]
    return Checkpoint(net, config, area.datum, area.content_hash, {"steps": 1})


@pytest.mark.parametrize("preset", ["small", "resnet34"])
@pytest.mark.parametrize("head", ["cells", "regression"])
def test_every_preset_and_head_ranks_poses(preset: str, head: str) -> None:
    found = network(preset=preset, head=head).hypotheses(np.zeros((96, 96), dtype=np.uint8), 3)
    assert len(found) == (3 if head == "cells" else 1)
    assert np.isfinite(found.poses).all()
    assert (np.diff(found.log_probability) <= 0).all()
    assert (found.region[:, 2:] > found.region[:, :2]).all()


def test_probabilities_of_all_cells_sum_to_one() -> None:
    found = network().hypotheses(np.ones((96, 96), dtype=np.uint8), 99)
    assert len(found) == len(CELLS)
    assert np.exp(found.log_probability).sum() == pytest.approx(1.0, abs=1e-5)


@given(st.floats(-20.0, 20.0))
def test_a_heading_is_its_bin_and_residual(yaw: float) -> None:
    head = network().head
    assert isinstance(head, CellsHead)
    heading_bin, residual = head.heading_bin(torch.tensor([yaw], dtype=torch.float64))
    back = (heading_bin + residual) * 2 * pi / head.bins
    assert abs(float(residual)) <= 0.5
    assert float(torch.cos(back)) == pytest.approx(np.cos(yaw), abs=1e-6)
    assert float(torch.sin(back)) == pytest.approx(np.sin(yaw), abs=1e-6)


def test_the_cells_criterion_of_an_uninformed_head_is_the_entropy() -> None:
    head = network().head
    assert isinstance(head, CellsHead)
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    criterion = CellsCriterion(TrainingConfig(label_smoothing=0.0, offset_weight=1.0))
    pose = torch.tensor([[8.0 + 4.0, 8.0 - 8.0, 0.0]])  # a quarter and a half of a cell from its centre
    with torch.inference_mode():
        loss = criterion(head, torch.ones(1, 32), pose, torch.tensor([0]))
    assert float(loss) == pytest.approx(log(len(CELLS)) + log(head.bins) + 0.25 + 0.5, abs=1e-4)


def test_the_pose_criterion_weighs_by_learned_variances() -> None:
    head = network(head="regression").head
    assert isinstance(head, RegressionHead)
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    mean, deviation = head.statistics
    pose = torch.cat([mean + deviation, torch.zeros(1)])[None]
    with torch.inference_mode():
        loss = PoseCriterion()(head, torch.ones(1, 32), pose, torch.tensor([0]))
    assert float(loss) == pytest.approx(2.0 * np.exp(0.0) + 0.0 + 1.0 * np.exp(3.0) - 3.0, rel=1e-4)


def test_cells_follow_the_roads() -> None:
    area = crossing()
    centres = drivable_cells(area, MapNetConfig())
    cells = PositionCells(centres, 16.0)
    assert (cells.of(centres) == np.arange(len(centres))).all()
    assert cells.of(np.array([[60.0, 0.0]]))[0] != NO_CELL
    assert cells.of(np.array([[60.0, 60.0], [1e5, 0.0], [-1e5, 0.0]])).tolist() == [NO_CELL] * 3


@pytest.mark.parametrize("head", ["cells", "regression"])
def test_a_checkpoint_rebuilds_the_network(tmp_path: Path, head: str) -> None:
    net = network(head=head)
    save_checkpoint(checkpoint(net, head=head), tmp_path / "m.safetensors")
    back = load_checkpoint(tmp_path / "m.safetensors")
    tile = (np.random.default_rng(0).random((96, 96)) > 0.9).astype(np.uint8)
    np.testing.assert_array_equal(back.network.hypotheses(tile, 4).poses, net.hypotheses(tile, 4).poses)
    assert back.summary == {"steps": 1}
    back.check_area(one_block(), "block.gpkg")


def test_another_area_is_refused_with_both_values(tmp_path: Path) -> None:
    mine, other = checkpoint(network()), crossing()
    with pytest.raises(ModelError, match=rf"{mine.area_hash[:12]}.*crossing.gpkg is {other.content_hash[:12]}.*train again"):
        mine.check_area(other, "crossing.gpkg")


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(ModelError, match=r"no such file.*train"):
        load_checkpoint(path)
    save_checkpoint(checkpoint(network()), path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:40], whole[: len(whole) // 2], b"\xff" * 200):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="damaged"):
            load_checkpoint(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="no model of urban_map_loc"):
        load_checkpoint(path)


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urban_map_loc.mapnet.checkpoint.FORMAT_VERSION", 999)
    save_checkpoint(checkpoint(network()), tmp_path / "m.safetensors")
    monkeypatch.undo()
    with pytest.raises(ModelError, match="format 999"):
        load_checkpoint(tmp_path / "m.safetensors")


@pytest.mark.parametrize("preset", ["small", "resnet34"])
def test_a_road_channel_is_a_second_plane_and_the_checkpoint_says_so(tmp_path: Path, preset: str) -> None:
    tile = TileConfig(channels=BUILDINGS_AND_ROADS)
    config = TrainConfig(tile=tile, network=MapNetConfig(preset=preset, feature_size=32, gate_size=16))
    net = MapNet(config.network, tile, CELLS).eval()
    area = one_block()
    save_checkpoint(Checkpoint(net, config, area.datum, area.content_hash, {}), tmp_path / "m.safetensors")
    back = load_checkpoint(tmp_path / "m.safetensors")
    tile_pair = (np.random.default_rng(0).random((2, 96, 96)) > 0.8).astype(np.uint8)
    np.testing.assert_array_equal(back.network.hypotheses(tile_pair, 4).poses, net.hypotheses(tile_pair, 4).poses)
    with pytest.raises(ModelError, match=r"takes channels buildings\+roads, but clouds give building points only; .*--channels buildings"):
        back.check_area(area, "block.gpkg")


def test_checkpoints_from_before_channels_load_and_networks_keep_their_names(tmp_path: Path) -> None:
    net, path = network(), tmp_path / "m.safetensors"
    names = [name for name in net.state_dict() if name.startswith("trunk")]
    assert names[:2] == ["trunk.1.0.weight", "trunk.1.1.weight"]
    assert net.state_dict()["trunk.1.0.weight"].shape == (48, 16, 3, 3)
    save_checkpoint(checkpoint(net), path)
    tensors, metadata = read_tensors(path)
    config = json.loads(metadata["config"])
    del config["roads"]
    config["tile"] = {name: config["tile"][name] for name in ("size_px", "resolution_m", "range_m", "sectors")}
    save_file(tensors, path, metadata | {"config": json.dumps(config)})
    assert load_checkpoint(path).config == checkpoint(net).config
