# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RViz's configuration and Foxglove's layout show what the node publishes; navsat_transform gets fixes that it takes."""

from __future__ import annotations

import json
from math import isnan, nan

import launch_stand_ins
import pytest
import yaml
from launch_stand_ins import ROOT, launch_file
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_bench import Bench, FakeLocalizer
from sensor_msgs.msg import NavSatFix

from urban_map_loc.ros import qos
from urban_map_loc.ros.fix_with_altitude import FixWithAltitude

RVIZ = yaml.safe_load((ROOT / "config/urban_map_loc.rviz").read_text())
FOXGLOVE = json.loads((ROOT / "config/foxglove_layout.json").read_text())
DISPLAYS = RVIZ["Visualization Manager"]["Displays"]
# What each kind of display can show.
SHOWS = {
    "rviz_default_plugins/Map": "nav_msgs/msg/OccupancyGrid",
    "rviz_default_plugins/PoseArray": "geometry_msgs/msg/PoseArray",
    "rviz_default_plugins/PoseWithCovariance": "geometry_msgs/msg/PoseWithCovarianceStamped",
    "rviz_default_plugins/Odometry": "nav_msgs/msg/Odometry",
}
WANTED = {f"/urban_map_loc/{name}" for name in ("map", "tile", "hypotheses", "pose", "odometry")}


@pytest.fixture(scope="module")
def published():
    """Topic and type of everything that the node publishes, asked of the ROS graph."""
    import rclpy
    from conftest import new_domain

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=new_domain())
    bench = Bench(context, FakeLocalizer(), publish_tf=False)
    found = dict(bench.peer.get_publisher_names_and_types_by_node("urban_map_loc", "/"))
    bench.close()
    rclpy.try_shutdown(context=context)
    return {topic: kinds[0] for topic, kinds in found.items()}


def test_rviz_shows_what_is_published(published):
    assert {d["Topic"]["Value"] for d in DISPLAYS} == WANTED
    for display in DISPLAYS:
        assert published[display["Topic"]["Value"]] == SHOWS[display["Class"]]
        assert display["Enabled"]
    assert RVIZ["Visualization Manager"]["Global Options"]["Fixed Frame"] == "map"


def test_rviz_receives_what_is_said_once():
    (buildings,) = (d for d in DISPLAYS if d["Topic"]["Value"].endswith("/map"))
    assert buildings["Topic"]["Durability Policy"] == "Transient Local"


def test_a_namespace_moves_all_that_rviz_shows(monkeypatch):
    launch_stand_ins.install(monkeypatch)
    launch = launch_file("localize.launch.py")
    assert {f"/{topic}" for topic in launch.RVIZ_TOPICS} == {d["Topic"]["Value"] for d in DISPLAYS}
    sent = {tool["Topic"]["Value"] for tool in RVIZ["Visualization Manager"]["Tools"] if "Topic" in tool}
    assert {f"/{topic}" for topic in launch.RVIZ_TOOLS} == sent


def panels(layout) -> set[str]:
    return {layout} if isinstance(layout, str) else panels(layout["first"]) | panels(layout["second"])


def test_foxglove_shows_what_is_published(published):
    configs = FOXGLOVE["configById"]
    assert panels(FOXGLOVE["layout"]) == configs.keys()
    scene = configs["3D!urban_map_loc"]
    assert scene["followTf"] == "map"
    assert set(scene["topics"]) == WANTED
    others = {configs["map!urban_map_loc"]["followTopic"], configs["DiagnosticSummary!urban_map_loc"]["topicToRender"]}
    others |= {path["value"].split(".")[0] for path in configs["Plot!urban_map_loc"]["paths"]}
    assert set(scene["topics"]) | others <= published.keys()


@pytest.mark.parametrize(("altitude", "repeated"), [(nan, 250.0), (12.5, 12.5)])
def test_a_fix_without_altitude_gets_one(ros_context, altitude, repeated):
    node = FixWithAltitude(context=ros_context, parameter_overrides=[Parameter("altitude_m", value=250.0)])
    peer = Node("peer", context=ros_context)
    got: list[NavSatFix] = []
    peer.create_subscription(NavSatFix, "fix_with_altitude", got.append, qos.ANSWERS)
    out = peer.create_publisher(NavSatFix, "fix", qos.ANSWERS)
    executor = SingleThreadedExecutor(context=ros_context)
    for n in (node, peer):
        executor.add_node(n)
    sent = NavSatFix(latitude=51.76, longitude=-1.26, altitude=altitude)
    sent.header.frame_id = "base_link"
    for _ in range(500):
        if got:
            break
        if out.get_subscription_count():
            out.publish(sent)
        executor.spin_once(timeout_sec=0.02)
    assert (got[0].latitude, got[0].longitude, got[0].header.frame_id) == (51.76, -1.26, "base_link")
    assert got[0].altitude == repeated
    assert not isnan(got[0].altitude)
    executor.shutdown()
    for n in (node, peer):
        n.destroy_node()
