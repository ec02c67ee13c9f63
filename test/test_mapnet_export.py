# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Exported networks answer as the model does, and say what they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize
from towns import one_block

from urban_map_loc.cli.main import run
from urban_map_loc.config import BUILDINGS_AND_ROADS, ExportConfig, MapNetConfig, TileConfig, TrainConfig
from urban_map_loc.errors import ModelError
from urban_map_loc.mapnet import export
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.checkpoint import Checkpoint, save_checkpoint
from urban_map_loc.mapnet.export import INPUT, ONNX, OUTPUTS, TORCHSCRIPT, export_network
from urban_map_loc.mapnet.network import MapNet

CELLS = np.array([[8.0, 8.0], [24.0, 8.0], [8.0, -8.0], [-40.0, 56.0]])


def checkpoint(preset: str, head: str, tile: TileConfig) -> Checkpoint:
    """A tiny model with batch norms that have seen something, so that folding them matters."""
    torch.manual_seed(0)
    network = MapNetConfig(preset=preset, head=head, feature_size=16)
    net = MapNet(network, tile, CELLS, np.column_stack([CELLS, np.arange(4.0)]))
    if isinstance(net.head, CellsHead):
        net.head.references.copy_(normalize(torch.randn(net.head.references.shape), dim=1))
    shape = (4, tile.size_px, tile.size_px) if tile.planes == 1 else (4, tile.planes, tile.size_px, tile.size_px)
    with torch.no_grad():
        view = net.feature((torch.rand(shape) < 0.1).byte())
        if isinstance(net.head, CellsHead):
            net.head.references.copy_(view.flatten(1))
    area = one_block()
    return Checkpoint(net.eval(), TrainConfig(network=network, tile=tile), area.datum, area.content_hash, {})


def answers_of(kind: str, path: Path, tile: np.ndarray) -> list[np.ndarray]:
    """What a program without this package would get out of the file."""
    if kind == TORCHSCRIPT:
        return [t.numpy() for t in torch.jit.load(path)(torch.from_numpy(tile))]
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == list(OUTPUTS)
    return session.run(None, {INPUT: tile})


@pytest.mark.parametrize("kind", [ONNX, TORCHSCRIPT])
@pytest.mark.parametrize(
    ("preset", "head", "tile"),
    [
        ("small", "cells", TileConfig(size_px=32)),
        ("small", "regression", TileConfig(size_px=32, channels=BUILDINGS_AND_ROADS)),
        ("resnet34", "cells", TileConfig(size_px=32, channels=BUILDINGS_AND_ROADS)),
        ("resnet34", "regression", TileConfig(size_px=32)),
    ],
)
def test_an_exported_network_answers_as_the_model_does(tmp_path: Path, kind: str, preset: str, head: str, tile: TileConfig) -> None:
    model, path = checkpoint(preset, head, tile), tmp_path / "network"
    assert export_network(model, kind, path, 3, ExportConfig(checked_tiles=3)) <= 1e-3
    shape = (32, 32) if tile.planes == 1 else (2, 32, 32)
    seen = (np.random.default_rng(5).random(shape) < 0.15).astype(np.uint8)
    wanted = model.network.hypotheses(seen, 3)
    poses, log_probability, region, covariance = answers_of(kind, path, seen[None])
    assert len(poses) == (3 if head == "cells" else 1)
    np.testing.assert_allclose(poses, wanted.poses, atol=1e-3)
    np.testing.assert_allclose(log_probability, wanted.log_probability, atol=1e-4)
    np.testing.assert_allclose(region, wanted.region, atol=1e-3)
    np.testing.assert_allclose(covariance, wanted.covariance, rtol=1e-4, atol=1e-3)


def test_files_say_what_they_are_and_where(tmp_path: Path) -> None:
    model = checkpoint("small", "cells", TileConfig(size_px=32))
    for kind in (ONNX, TORCHSCRIPT):
        export_network(model, kind, tmp_path / kind, 99, ExportConfig(checked_tiles=2))
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(tmp_path / ONNX, providers=["CPUExecutionProvider"])
    extra = dict.fromkeys(("datum", "area_hash", "tile", "cells"), "")
    torch.jit.load(tmp_path / TORCHSCRIPT, _extra_files=extra)
    for said in (session.get_modelmeta().custom_metadata_map, extra):
        assert json.loads(said["datum"]) == [model.datum.lat_deg, model.datum.lon_deg]
        assert said["area_hash"] in (model.area_hash, model.area_hash.encode())
        assert json.loads(said["tile"])["size_px"] == 32
        assert json.loads(said["cells"]) == CELLS.tolist()


def test_a_network_that_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    eager = export._eager
    monkeypatch.setattr(
        export, "_eager", lambda module: lambda tile: [o + 0.01 * isinstance(module, torch.jit.ScriptModule) for o in eager(module)(tile)]
    )
    with pytest.raises(ModelError, match=r"differ by 0.01 from the model's, 0.001 is allowed"):
        export_network(checkpoint("small", "cells", TileConfig(size_px=32)), TORCHSCRIPT, tmp_path / "m.pt", 3, ExportConfig())
    assert list(tmp_path.iterdir()) == []


def outputs(log_probability: list[float], east: list[float]) -> list[np.ndarray]:
    """Hypotheses at `east` in cells of 16 m."""
    k, east = len(east), np.array(east)
    region = np.stack([east - 8, np.full(k, -8.0), east + 8, np.full(k, 8.0)], axis=1)
    poses = np.stack([east, np.zeros(k), np.zeros(k)], axis=1)
    return [poses, np.array(log_probability), region, np.tile(np.eye(3), (k, 1, 1))]


def test_ties_may_be_in_another_order_and_nothing_else() -> None:
    wanted = outputs([-1.0, -2.0, -2.0], [8.0, 24.0, 40.0])
    assert export._difference(wanted, outputs([-1.0, -2.0, -2.0], [8.0, 40.0, 24.0]), 1e-3) == 0.0
    assert export._difference(wanted, outputs([-1.0, -2.0, -2.0], [8.0, 24.0, 56.0]), 1e-3) == 0.0  # equal to the last
    assert export._difference(wanted, outputs([-1.0, -2.0, -2.0], [72.0, 24.0, 40.0]), 1e-3) >= 16.0
    assert export._difference(wanted, outputs([-1.0, -2.5, -2.5], [8.0, 24.0, 40.0]), 1e-3) == 0.5
    assert export._difference(wanted, outputs([-1.0, -2.0], [8.0, 24.0]), 1e-3) == float("inf")
    assert not export._difference(wanted, outputs([-1.0, np.nan, -2.0], [8.0, 24.0, 40.0]), 1e-3) <= 1e-3


def test_the_command_exports_and_says_how_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_checkpoint(checkpoint("small", "cells", TileConfig(size_px=32)), tmp_path / "m.safetensors")
    assert (
        run(["export", str(tmp_path / "m.safetensors"), "--format", TORCHSCRIPT, "--out", str(tmp_path / "m.pt"), "--hypotheses", "2"]) == 0
    )
    assert "answers of 8 tiles differ by at most" in capsys.readouterr().out
    assert len(answers_of(TORCHSCRIPT, tmp_path / "m.pt", np.zeros((1, 32, 32), np.uint8))[0]) == 2
    with pytest.raises(SystemExit, match="2"):
        run(["export", "m", "--format", TORCHSCRIPT, "--out", "x", "--hypotheses", "0"])
