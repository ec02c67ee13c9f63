# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Several nodes in one graph, names, simulated time, and a node that is too slow for its clouds; over real DDS."""

from __future__ import annotations

import time

import pytest
from rclpy.executors import SingleThreadedExecutor
from ros_bench import T_MAP_ODOM, Bench, FakeLocalizer, cloud_message, odometry_message, time_of
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import NavSatStatus

from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.ros import qos
from urban_map_loc.ros.conversions import stamp_s as stamp_of


@pytest.fixture
def made():
    benches: list[Bench] = []
    yield benches
    for b in benches:
        b.close()


def test_nodes_side_by_side_keep_apart(made, ros_context):
    executor = SingleThreadedExecutor(context=ros_context)
    for names in ({"namespace": "/a"}, {"namespace": "/b"}, {"name": "third"}):
        made.append(Bench(ros_context, FakeLocalizer(), executor=executor, **names))
    a, b, third = made
    for k in range(3):
        fix_a = a.send(1.0 + 0.1 * k)
    fix_b = b.send(50.0)
    fix_third = third.send(80.0)
    assert (fix_a.status.status, fix_b.status.status, fix_third.status.status) == (NavSatStatus.STATUS_FIX, -1, -1)
    assert [len(x.localizer.clouds) for x in made] == [3, 1, 1]
    assert [x.node.get_fully_qualified_name() for x in made] == ["/a/urban_map_loc", "/b/urban_map_loc", "/third"]
    # One topic for all, told apart by name.
    a.spin_until(lambda: len({s.name for m in a.got["/diagnostics"] for s in m.status if s.name.endswith(": localization")}) == 3)
    a.node.trigger_deactivate()
    assert b.send(50.1).status.status == NavSatStatus.STATUS_NO_FIX


def test_two_nodes_of_the_same_inputs_are_independent(made, ros_context):
    executor = SingleThreadedExecutor(context=ros_context)
    made.append(Bench(ros_context, FakeLocalizer(), executor=executor, name="one"))
    made.append(Bench(ros_context, FakeLocalizer(), executor=executor, name="two"))
    one, two = made
    # What the first sends must have met both nodes, and a node that is still busy leaves clouds out.
    one.spin_until(lambda: min(sent.get_subscription_count() for sent in (one.points, one.odom)) == 2)
    for k in range(3):
        one.send(1.0 + 0.1 * k)
        two.spin_until(lambda k=k: len(two.got["~/fix"]) == k + 1)
    two.node._parts.worker.request_reset("asked to")
    two.spin_until(lambda: two.localizer.resets)
    assert one.send(1.3).status.status == NavSatStatus.STATUS_FIX
    two.spin_until(lambda: len(two.got["~/fix"]) == 4)
    assert two.got["~/fix"][-1].status.status == NavSatStatus.STATUS_NO_FIX


def test_topics_can_be_remapped(made, ros_context):
    made.append(Bench(ros_context, FakeLocalizer(), start=False, remap=("points:=lidar/top", "~/fix:=/fix")))
    (b,) = made
    b.node.start()
    assert b.node.resolve_topic_name("points") == "/lidar/top"
    subscribed = {name for name, _ in b.node.get_subscriber_names_and_types_by_node("urban_map_loc", "/")}
    published = {name for name, _ in b.node.get_publisher_names_and_types_by_node("urban_map_loc", "/")}
    assert {"/lidar/top", "/odom"} <= subscribed
    assert "/points" not in subscribed
    assert {"/fix", "/urban_map_loc/pose"} <= published


def test_simulated_time_and_a_clock_that_goes_back(made, ros_context):
    made.append(Bench(ros_context, FakeLocalizer(), use_sim_time=True))
    (b,) = made
    clock = b.peer.create_publisher(Clock, "/clock", qos.PLAYED)

    def at(stamp_s):
        def told():
            clock.publish(Clock(clock=time_of(stamp_s)))
            return b.node.get_clock().now().nanoseconds == round(stamp_s * 1e9)

        b.spin_until(told)

    for start_s in (500.0, 20.0):  # the second time the simulation has begun anew
        for k in range(3):
            at(start_s + 0.1 * k)
            fix = b.send(start_s + 0.1 * k)
        assert fix.status.status == NavSatStatus.STATUS_FIX
        _, values = b.diagnosis("odometry")
        assert abs(float(values["delay [s]"])) < 1.0
        stamp_s = start_s + 0.2
        b.spin_until(lambda s=stamp_s: stamp_of(b.got["/diagnostics"][-1].header) == pytest.approx(s))
    assert b.localizer.resets == ["time went back by 480.2 s"]


def test_a_stopped_clock_stops_neither_answers_nor_diagnostics(made, ros_context):
    made.append(Bench(ros_context, FakeLocalizer(), use_sim_time=True))
    (b,) = made
    for k in range(3):
        fix = b.send(7.0 + 0.1 * k)
    assert fix.status.status == NavSatStatus.STATUS_FIX
    assert "ahead of the clock" in b.diagnosis("points")[0].message


def test_late_odometry_is_waited_for_and_no_longer_than_said(made, ros_context):
    made.append(Bench(ros_context, FakeLocalizer(), odometry_wait_s=0.05))
    (b,) = made
    b.send(1.0, odometry=False)
    assert "no odometry" in b.diagnosis("skipped clouds")[1]["last skip"]
    b.odom.publish(odometry_message(1.0, x=4.0))
    b.odom.publish(odometry_message(1.1, x=4.1))
    b.spin_until(lambda: len(b.localizer.odometry) == 2)
    for stamp_s in (1.15, 1.2, 1.25):  # odometry is late from now on: the newest there is counts, as far as the localizer takes it
        fix = b.send(stamp_s, odometry=False)
    assert fix.status.status == NavSatStatus.STATUS_FIX
    b.spin_until(lambda: b.got["~/pose"])
    assert b.got["~/pose"][-1].pose.pose.position.y == pytest.approx((T_MAP_ODOM @ Pose2(4.1, 0.0, 0.0)).y)


def test_a_node_too_slow_for_its_clouds_answers_the_newest(made, ros_context):
    made.append(Bench(ros_context, FakeLocalizer(delay_s=0.15), odometry_wait_s=0.0))  # takes 6 Hz and gets 20
    (b,) = made
    answer, behind = b.localizer.add_cloud, []

    def look(cloud, single_scan=False):
        behind.append(b.node._parts.order._cloud_s - cloud.stamp_s)  # the newest that has come in
        return answer(cloud)

    b.localizer.add_cloud = look
    clouds, began = 30, time.monotonic()
    for k in range(clouds):
        b.spin_until(lambda due=began + 0.05 * k: time.monotonic() >= due)
        b.odom.publish(odometry_message(1.0 + 0.05 * k))
        b.points.publish(cloud_message(1.0 + 0.05 * k))
    b.spin_until(lambda: b.got["~/fix"] and stamp_of(b.got["~/fix"][-1].header) == pytest.approx(1.0 + 0.05 * (clouds - 1)))
    assert len(b.localizer.clouds) < clouds
    assert max(behind) < 0.1  # the newest, or one came in just as it was taken up
    status, values = b.diagnosis("dropped clouds")
    assert int(values["answered"]) == len(b.got["~/fix"])
    assert 0 < int(values["dropped"]) <= clouds - int(values["answered"])
    assert status.level != b"\x00"
