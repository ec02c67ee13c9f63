# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The model file: rebuilds its network, knows its area, and a changed byte is found out."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from towns import crossing, one_block

from urban_map_loc import __version__
from urban_map_loc.config import BUILDINGS_AND_ROADS, MapNetConfig, TileConfig, TrainConfig
from urban_map_loc.errors import ModelError
from urban_map_loc.mapnet.checkpoint import (
    METADATA_SUM,
    TENSORS_SUM,
    Checkpoint,
    load_checkpoint,
    read_tensors,
    save_checkpoint,
    sum_of_metadata,
    sum_of_tensors,
)
from urban_map_loc.mapnet.network import MapNet

CELLS = np.array([[8.0, 8.0], [24.0, 8.0], [8.0, -8.0], [-40.0, 56.0]])


def checkpoint(channels: str = TileConfig().channels, **settings: object) -> Checkpoint:
    """A tiny untrained model of `one_block`."""
    torch.manual_seed(0)
    network = MapNetConfig(feature_size=32, **settings)  # type: ignore[arg-type]
    config = TrainConfig(network=network, tile=TileConfig(channels=channels))
    area = one_block()
    return Checkpoint(
        MapNet(network, config.tile, CELLS, np.column_stack([CELLS, np.zeros(len(CELLS))])).eval(),
        config,
        area.datum,
        area.content_hash,
        {"steps": 1},
    )


def rewrite(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Write a file whose sums are right whatever it says."""
    metadata = metadata | {TENSORS_SUM: sum_of_tensors(tensors)}
    save_file(tensors, path, metadata | {METADATA_SUM: sum_of_metadata(metadata)})


def same_answers(a: Checkpoint, b: Checkpoint, tile: np.ndarray) -> None:
    mine, other = a.network.hypotheses(tile, 4), b.network.hypotheses(tile, 4)
    for name in ("poses", "log_probability", "region", "covariance"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(other, name))


@pytest.mark.parametrize("head", ["cells", "regression"])
@pytest.mark.parametrize("preset", ["small", "resnet34"])
def test_a_checkpoint_rebuilds_the_network_with_its_calibration(tmp_path: Path, preset: str, head: str) -> None:
    model, path = checkpoint(head=head, preset=preset), tmp_path / "m.safetensors"
    model.network.head.residual_covariance.copy_(torch.diag(torch.tensor([4.0, 1.0, 0.1])))
    save_checkpoint(model, path)
    back = load_checkpoint(path)
    same_answers(back, model, (np.random.default_rng(0).random((96, 96)) > 0.9).astype(np.uint8))
    assert (back.config, back.datum, back.area_hash, back.summary) == (model.config, model.datum, model.area_hash, {"steps": 1})
    assert read_tensors(path)[1]["package_version"] == __version__
    back.check_area(one_block(), "block.gpkg")


def test_another_area_is_refused_with_both_values() -> None:
    mine, other = checkpoint(), crossing()
    with pytest.raises(ModelError, match=rf"{mine.area_hash[:12]}.*crossing.gpkg is {other.content_hash[:12]}.*train again"):
        mine.check_area(other, "crossing.gpkg")


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(ModelError, match=r"no such file.*train"):
        load_checkpoint(path)
    for damaged in (b"", b"\xff" * 200):
        path.write_bytes(damaged)
        with pytest.raises(ModelError, match="damaged or no safetensors file"):
            load_checkpoint(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="no model of urban_map_loc"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("999", "format 999, newer than .*; update"),
        ("1", "format 1, older than .*; train anew"),
        ("x", "damaged: its format version is 'x'"),
    ],
)
def test_other_formats_are_refused_and_told_newer_from_older(tmp_path: Path, version: str, says: str) -> None:
    path = tmp_path / "m.safetensors"
    save_checkpoint(checkpoint(), path)
    tensors, metadata = read_tensors(path)
    rewrite(path, tensors, metadata | {"format_version": version})
    with pytest.raises(ModelError, match=says):
        load_checkpoint(path)


def test_what_was_changed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_checkpoint(checkpoint(), path)
    tensors, metadata = read_tensors(path)
    save_file(tensors, path, metadata | {"datum": "[1.0, 2.0]"})
    with pytest.raises(ModelError, match="its metadata do not have the SHA-256"):
        load_checkpoint(path)
    name = "head.residual_covariance"
    for changed in (tensors[name] + 1e-6, tensors[name].double(), tensors[name].flatten()):
        save_file(tensors | {name: changed}, path, metadata)
        with pytest.raises(ModelError, match="its tensors do not have the SHA-256"):
            load_checkpoint(path)


@pytest.mark.parametrize(
    ("entry", "value"), [("config", '{"network": {"preset": "giant"}}'), ("config", '{"colour": 1}'), ("datum", "[1]"), ("summary", "{")]
)
def test_a_whole_file_that_does_not_fit_this_version_is_refused_in_one_line(tmp_path: Path, entry: str, value: str) -> None:
    path = tmp_path / "m.safetensors"
    save_checkpoint(checkpoint(), path)
    tensors, metadata = read_tensors(path)
    rewrite(path, tensors, metadata | {entry: value})
    with pytest.raises(ModelError, match=rf"made by urban_map_loc {__version__} and does not fit.*train anew") as refusal:
        load_checkpoint(path)
    assert "\n" not in str(refusal.value)


@cache
def small_file() -> tuple[bytes, int]:
    """A model's bytes and where its header ends."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        save_checkpoint(checkpoint(), path)
        content = path.read_bytes()
    return content, 8 + int.from_bytes(content[:8], "little")


def refused(content: bytes) -> str:
    """The refusal of a file with this content."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        path.write_bytes(content)
        with pytest.raises(ModelError) as refusal:
            load_checkpoint(path)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@given(part=st.sampled_from(["length", "header", "tensors"]), where=st.floats(0.0, 1.0, exclude_max=True), change=st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(part: str, where: float, change: int) -> None:
    content, header_end = small_file()
    low, high = {"length": (0, 8), "header": (8, header_end), "tensors": (header_end, len(content))}[part]
    position = low + int(where * (high - low))
    damaged = bytearray(content)
    damaged[position] ^= change
    if part == "header" and content[position : position + 1] == b" " and damaged[position] in b"\t\n\r":
        return  # white space after the JSON text means the same
    refused(bytes(damaged))


@given(st.floats(0.0, 1.0, exclude_max=True), st.booleans())
def test_no_truncated_or_lengthened_file_is_read(where: float, in_header: bool) -> None:
    content, header_end = small_file()
    assert "damaged" in refused(content[: int(where * (header_end if in_header else len(content)))])
    assert "damaged" in refused(content + b"\0")


@pytest.mark.parametrize("preset", ["small", "resnet34"])
def test_a_road_channel_is_a_second_plane_and_the_checkpoint_says_so(tmp_path: Path, preset: str) -> None:
    model, path = checkpoint(BUILDINGS_AND_ROADS, preset=preset), tmp_path / "m.safetensors"
    save_checkpoint(model, path)
    back = load_checkpoint(path)
    same_answers(back, model, (np.random.default_rng(0).random((2, 96, 96)) > 0.8).astype(np.uint8))
    assert back.config.tile.planes == 2
    back.check_area(one_block(), "block.gpkg")


def test_settings_that_came_later_take_their_defaults(tmp_path: Path) -> None:
    model, path = checkpoint(), tmp_path / "m.safetensors"
    save_checkpoint(model, path)
    tensors, metadata = read_tensors(path)
    config = json.loads(metadata["config"])
    del config["roads"]
    config["tile"] = {name: config["tile"][name] for name in ("size_px", "resolution_m", "range_m", "sectors")}
    rewrite(path, tensors, metadata | {"config": json.dumps(config)})
    assert load_checkpoint(path).config == model.config
