# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The demo's own decisions: when a model is used again, what a node that fails says."""

from __future__ import annotations

import numpy as np
import pytest
from ros_bench import one_block

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.cli import demo
from urban_map_loc.cli.through_node import drive_through_node
from urban_map_loc.config import MapNetConfig, TrainConfig, TrainingConfig
from urban_map_loc.errors import UrbanMapLocError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.mapnet.checkpoint import Checkpoint, save_checkpoint
from urban_map_loc.mapnet.network import MapNet


@pytest.mark.parametrize(
    ("config", "area_hash", "again"),
    [
        (TrainConfig(training=TrainingConfig(minutes=3.0)), "abc", True),
        (TrainConfig(training=TrainingConfig(minutes=4.0)), "abc", False),
        (TrainConfig(training=TrainingConfig(minutes=3.0), network=MapNetConfig(headings=8)), "abc", False),
        (TrainConfig(training=TrainingConfig(minutes=3.0)), "xyz", False),
    ],
)
def test_a_model_is_used_again_only_when_it_is_the_same(tmp_path, config, area_hash, again):
    network = MapNet(config.network, config.tile, np.zeros((3, 2)))
    model = tmp_path / "m.safetensors"
    assert not demo._is_trained(model, "abc", 3.0)
    save_checkpoint(Checkpoint(network, config, one_block().datum, area_hash, {}), model)
    assert demo._is_trained(model, "abc", 3.0) is again
    model.write_bytes(b"damaged")
    assert not demo._is_trained(model, "abc", 3.0)


def test_a_node_that_ends_is_told_with_its_last_line(tmp_path, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "0")  # restored afterwards: the drive chooses one of its own
    write_area(one_block(), tmp_path / "area.gpkg")
    with BagWriter(tmp_path / "bag") as bag:
        bag.write_odometry(1.0, Pose2.identity(), velocity=(0.0, 0.0))
        bag.write_cloud(1.0, np.ones((5, 3)))
    with pytest.raises(UrbanMapLocError, match=r"status 1: localizer_node: .*no such file.*; .*localizer_node.log says more"):
        drive_through_node(tmp_path / "area.gpkg", tmp_path / "missing.safetensors", tmp_path / "bag", tmp_path / "run")
    assert not (tmp_path / "run").exists()
