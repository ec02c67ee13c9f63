# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Starting the node: its parameters, and what keeps it from starting, one line each."""

from __future__ import annotations

import pytest
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from ros_bench import Bench, FakeLocalizer

from urban_map_loc.errors import ModelError, UrbanMapLocError
from urban_map_loc.ros import qos
from urban_map_loc.ros.node import LocalizerNode


def test_parameters_reach_the_localizer(ros_context):
    b = Bench(ros_context, FakeLocalizer(), **{"fusion.lock_distance_m": 12.5, "cloud.building_labels": [50, 51]})
    _, _, config = b.loaded[0]
    assert config.fusion.lock_distance_m == 12.5
    assert config.cloud.building_labels == (50, 51)
    b.close()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fusion.lok_distance_m", 1.0, "did you mean fusion.lock_distance_m"),
        ("fusion.lock_distance_m", 2, "write it like 8.0"),
        ("fusion.lock_distance_m", -2.0, "outside"),
        ("cloud.kind", "magic", "choose one of"),
        ("extrinsic", [1.0, 2.0], "give six finite numbers"),
        ("area", 5, "wrong type"),
        ("qos_overrides./pionts.subscription.reliability", "reliable", "the node has no '/pionts.subscription'; there are .*/points"),
        ("qos_overrides./points.publisher.reliability", "reliable", "the node has no '/points.publisher'"),
        ("qos_overrides./points.subscription.lifespan", 1, "'lifespan' cannot be overridden; there are depth"),
        ("qos_overrides./points.subscription.reliability", "best", "choose one of reliable, best_effort"),
        ("qos_overrides./odom.subscription.depth", 0, "give a whole number from 1 on"),
    ],
)
def test_wrong_parameters_are_refused_in_one_line(ros_context, name, value, message):
    with pytest.raises(UrbanMapLocError, match=message) as refused:
        Bench(ros_context, FakeLocalizer(), **{name: value})
    assert "\n" not in str(refused.value)


def test_files_that_are_not_named_or_not_there(ros_context):
    def load(area, model, config):
        raise ModelError("m is of another area; train one for this area")

    node = LocalizerNode(load, context=ros_context)
    with pytest.raises(UrbanMapLocError, match="parameter area is not set"):
        node.start()
    node.set_parameters([Parameter("area", value="a"), Parameter("model", value="m")])
    with pytest.raises(UrbanMapLocError, match="another area"):
        node.start()
    node.close()


def test_quality_of_service_is_overridden_the_way_ros_has_it(ros_context):
    overrides = {
        "qos_overrides./points.subscription.reliability": "reliable",
        "qos_overrides./points.subscription.depth": 7,
        "qos_overrides./urban_map_loc/fix.publisher.durability": "transient_local",
    }
    b = Bench(ros_context, FakeLocalizer(), **overrides)
    (points,) = b.peer.get_subscriptions_info_by_topic("/points")
    (fix,) = b.peer.get_publishers_info_by_topic("/urban_map_loc/fix")
    (odom,) = b.peer.get_subscriptions_info_by_topic("/odom")
    assert points.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    assert fix.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert odom.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    assert b.node.get_parameter("qos_overrides./points.subscription.depth").value == 7
    assert b.node.get_parameter("qos_overrides./odom.subscription.depth").value == qos.ODOMETRY_IN.depth
    b.node.trigger_deactivate()
    b.node.trigger_activate()  # the same again
    b.spin_until(b.connected)
    (points,) = b.peer.get_subscriptions_info_by_topic("/points")
    assert points.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    b.close()
    assert (qos.CLOUDS_IN.depth, qos.CLOUDS_IN.reliability) == (5, ReliabilityPolicy.BEST_EFFORT)
