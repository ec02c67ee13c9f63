# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node with the real localizer, in a process of its own, over DDS: a barely trained model locks nowhere, and says so."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ros_bench import cloud_message, odometry_message, one_block

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.config import TileConfig, TrainConfig, TrainingConfig
from urban_map_loc.localization.result import State
from urban_map_loc.training.run import train


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Area and model of one block."""
    folder = tmp_path_factory.mktemp("block")
    area = one_block()
    write_area(area, folder / "area.gpkg")
    training = TrainingConfig(minutes=0.0, steps=2, batch_size=4, validation_tiles=16)
    train(area, TrainConfig(tile=TileConfig(size_px=32), training=training), folder / "model.safetensors", device="cpu")
    return folder / "area.gpkg", folder / "model.safetensors"


def walls():
    """A street between two walls, 8 m to either side."""
    x, z = np.meshgrid(np.arange(-20.0, 20.0, 0.2), np.arange(-1.5, 6.0, 0.3))
    sides = [np.column_stack([x.ravel(), np.full(x.size, y), z.ravel()]) for y in (-8.0, 8.0)]
    return np.concatenate(sides).astype(np.float32)


def test_real_localizer_in_the_real_node(files, ros_environment, monkeypatch):
    from rclpy.serialization import serialize_message

    from urban_map_loc.ros.player import Player
    from urban_map_loc.ros.recorder import recording

    monkeypatch.setenv("ROS_DOMAIN_ID", ros_environment["ROS_DOMAIN_ID"])
    area, model = files
    command = [sys.executable, "-m", "urban_map_loc.ros.main", "--ros-args", "-p", f"area:={area}", "-p", f"model:={model}"]
    node = subprocess.Popen(command, env=ros_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def messages():
        for k in range(10):
            stamp_s = 1.0 + 0.1 * k
            yield k * 10**8, "/odom", "nav_msgs/msg/Odometry", serialize_message(odometry_message(stamp_s, x=0.5 * k))
            yield k * 10**8, "/points", "sensor_msgs/msg/PointCloud2", serialize_message(cloud_message(stamp_s, walls()))

    try:
        topics = {"/odom": "nav_msgs/msg/Odometry", "/points": "sensor_msgs/msg/PointCloud2"}
        with recording() as recorder, Player(topics) as player:
            assert player.wait_for_subscribers(["/odom"], 100.0) == []
            player.play(messages())
            results = recorder.results()
    finally:
        node.send_signal(signal.SIGINT)
        _, err = node.communicate(timeout=20)
    assert node.returncode == 0, err
    assert "Traceback" not in err
    assert len(results) >= 5  # the first may come before the node is active, and a slow machine drops some
    assert {r.state for r, _ in results} == {State.INITIALIZING}
    # What the report plays back came along.
    tiles = [r.tile for r, _ in results if r.tile is not None]
    assert tiles
    assert recorder.tile_m == 1.0
    assert all(tile.hits.sum() > 10 and tile.free.sum() > 100 for tile in tiles)
    assert "skipped" not in err


def test_model_of_another_area_is_one_line(files, ros_environment, tmp_path):
    area = one_block()
    write_area(replace(area, building_ids=np.array(["way/2"])), tmp_path / "other.gpkg")
    command = [sys.executable, "-m", "urban_map_loc.ros.main", "--ros-args"]
    command += ["-p", f"area:={tmp_path / 'other.gpkg'}", "-p", f"model:={files[1]}"]
    done = subprocess.run(command, env=ros_environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "trained on area" in line
