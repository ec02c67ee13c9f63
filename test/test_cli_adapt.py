# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc adapt`: a model and a bag in, another model out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drives import straight, untrained
from towns import crossing, one_block

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import seen_scans
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.cli.main import run
from urban_map_loc.config import LocalizerConfig, TileConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.mapnet.checkpoint import load_checkpoint, save_checkpoint

SMALL = [
    "--set",
    "map_tiles=8",
    "--set",
    "drive_tiles=8",
    "--set",
    "tuple_length=4",
    "--set",
    "tuple_spacing_m=5",
    "--set",
    "keyframe_m=0.9",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An area, a model of it, and a drive of 60 m."""
    area = crossing()
    write_area(area, tmp_path / "area.gpkg")
    model = untrained(area)
    training = replace(model.config.training, validation_tiles=16)
    save_checkpoint(replace(model, config=replace(model.config, training=training)), tmp_path / "model.safetensors")
    with BagWriter(tmp_path / "bag") as bag:
        for moment in straight(area, Pose2(-30.0, 0.0, 0.0), 60.0):
            bag.write_odometry(moment.stamp_s, moment.T_odom_base)
            bag.write_cloud(moment.stamp_s, moment.cloud.points, label=moment.cloud.label)
    return tmp_path


def adapt(folder: Path, *options: str) -> int:
    files = [str(folder / name) for name in ("model.safetensors", "bag")]
    out = ["--area", str(folder / "area.gpkg"), "--out", str(folder / "adapted.safetensors"), "--device", "cpu"]
    return run(["adapt", *files, *out, *options])


def test_a_model_is_adapted_and_the_old_one_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "model.safetensors").read_bytes()
    assert adapt(folder, "--steps", "2", *SMALL) == 0
    assert "2 steps with 61 scans of 60 m" in capsys.readouterr().out
    assert (folder / "model.safetensors").read_bytes() == before
    old, new = (load_checkpoint(folder / name) for name in ("model.safetensors", "adapted.safetensors"))
    assert new.config == old.config
    assert not torch.equal(new.network.state_dict()["head.log_sharpness"], old.network.state_dict()["head.log_sharpness"])
    new.check_area(crossing(), "area.gpkg")


def test_a_part_of_the_drive(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adapt(folder, "--steps", "1", "--start", "2", "--end", "8", *SMALL) == 0
    assert "31 scans of 30 m" in capsys.readouterr().out


def test_what_does_not_fit_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adapt(folder, "--steps", "1") == 1
    assert "give a longer drive" in capsys.readouterr().err
    assert adapt(folder, "--steps", "1", "--set", "no_such=3") == 1
    assert "no_such is no setting of AdaptConfig" in capsys.readouterr().err
    write_area(one_block(), folder / "area.gpkg")
    assert adapt(folder, "--steps", "1") == 1
    assert "was trained on area" in capsys.readouterr().err
    assert not (folder / "adapted.safetensors").exists()


def test_scans_with_odometry_are_those_of_the_clouds(folder: Path) -> None:
    seen = list(seen_scans(BagReader(folder / "bag"), LocalizerConfig(), TileConfig()))
    moments = list(straight(crossing(), Pose2(-30.0, 0.0, 0.0), 60.0))
    assert [s.scan.stamp_s for s in seen] == pytest.approx([m.stamp_s for m in moments])
    np.testing.assert_allclose([s.T_odom_base.as_array() for s in seen], [m.T_odom_base.as_array() for m in moments], atol=1e-6)
    assert {s.part for s in seen} == {0}


def test_where_odometry_jumps_a_new_part_begins(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for k, moment in enumerate(straight(crossing(), Pose2(-30.0, 0.0, 0.0), 20.0)):
            bag.write_odometry(moment.stamp_s, Pose2(500.0 * (k > 9), 0.0, 0.0) @ moment.T_odom_base)
            bag.write_cloud(moment.stamp_s, moment.cloud.points, label=moment.cloud.label)
    parts = [s.part for s in seen_scans(BagReader(tmp_path / "bag"), LocalizerConfig(), TileConfig())]
    assert parts == sorted(parts)
    assert set(parts) == {0, 1}
    assert parts.count(0) in (9, 10)  # the scan at the jump has the odometry of one side or the other
