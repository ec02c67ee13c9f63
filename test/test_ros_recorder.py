# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The recorder over real DDS: hypotheses and tiles, which the report plays back."""

from __future__ import annotations

import time

import numpy as np
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from ros_bench import time_of
from std_msgs.msg import Header

from urban_map_loc.area.area_map import GeoPoint
from urban_map_loc.config import TileConfig
from urban_map_loc.geometry.geodesy import LocalTangentPlane
from urban_map_loc.ros import conversions, qos
from urban_map_loc.ros.recorder import Recorder
from urban_map_loc.tile.from_cloud import BuildingTile
from urban_map_loc.tile.grid import TileGrid


def test_recorder_hears_hypotheses_and_tiles(ros_context):
    recorder = Recorder(ros_context)
    peer = Node("peer", context=ros_context)
    executor = SingleThreadedExecutor(context=ros_context)
    executor.add_node(recorder)
    kinds = {"fix": conversions.NavSatFix, "hypotheses": conversions.PoseArray, "tile": conversions.OccupancyGrid}
    out = {name: peer.create_publisher(kind, f"/urban_map_loc/{name}", qos.ANSWERS) for name, kind in kinds.items()}
    end = time.monotonic() + 60.0

    def spin_until(condition):
        while not condition():
            assert time.monotonic() < end
            executor.spin_once(timeout_sec=0.02)

    spin_until(lambda: all(publisher.get_subscription_count() for publisher in out.values()))
    hits = np.eye(16, dtype=np.uint8)
    tile = BuildingTile(hits, np.triu(1 - hits).astype(np.uint8))
    poses = np.array([[3.0, 4.0, 0.5], [-100.0, 20.0, -3.0]])
    grid = TileGrid(TileConfig(size_px=16, resolution_m=0.5))
    assert recorder.tile_m is None
    for stamp_s, seen in ((1.0, True), (1.1, False)):
        header = Header(stamp=time_of(stamp_s))
        if seen:
            out["hypotheses"].publish(conversions.pose_array(header, poses))
            out["tile"].publish(conversions.tile_grid(header, tile, grid))
        out["fix"].publish(conversions.fix(header, LocalTangentPlane(GeoPoint(51.76, -1.26)), None))
    spin_until(lambda: recorder.fixes == 2 and recorder.tile_m is not None and len(recorder.results()[0][0].hypotheses))
    (first, _), (second, _) = recorder.results()
    assert first.hypotheses == pytest.approx(poses)
    assert (first.tile.hits == tile.hits).all()
    assert (first.tile.free == tile.free).all()
    assert recorder.tile_m == 0.5
    assert second.tile is None
    assert second.hypotheses.shape == (0, 3)
    executor.shutdown()
    recorder.destroy_node()
    peer.destroy_node()
