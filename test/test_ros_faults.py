# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Faults injected into a running node, over real DDS: what docs/faults.md promises of each."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from drives import T_ODOM_MAP, Moment, straight, untrained
from geometry_msgs.msg import TransformStamped
from ros_bench import lock, odometry_message, time_of
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import NavSatStatus, PointCloud2, PointField
from std_msgs.msg import Header
from towns import crossing

from urban_map_loc.config import LocalizerConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.ros import frames

WARN, ERROR = DiagnosticStatus.WARN, DiagnosticStatus.ERROR
AREA = crossing()
POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("label", "<u4")])


# -- the real localizer in the real node: clouds and odometry that go wrong


@cache
def moments() -> list[Moment]:
    return list(straight(AREA, Pose2(-95.0, -1.0, 0.0), 90.0))


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return Localizer.of_area(AREA, untrained(AREA), LocalizerConfig())


def labelled_message(moment: Moment) -> PointCloud2:
    """A drive's cloud as a driver would send it, labels and all."""
    cloud = moment.cloud
    points = np.zeros(len(cloud.points), POINT)
    points["x"], points["y"], points["z"] = cloud.points.T
    points["label"] = cloud.label
    kinds = {"x": PointField.FLOAT32, "y": PointField.FLOAT32, "z": PointField.FLOAT32, "label": PointField.UINT32}
    fields = [PointField(name=name, offset=4 * k, datatype=kind, count=1) for k, (name, kind) in enumerate(kinds.items())]
    return PointCloud2(
        header=Header(stamp=time_of(moment.stamp_s), frame_id="base_link"),
        height=1,
        width=len(points),
        fields=fields,
        point_step=POINT.itemsize,
        row_step=points.nbytes,
        data=array("B", points.tobytes()),
    )


def publish(b, moment: Moment, T_odom_base: Pose2) -> None:
    b.odom.publish(odometry_message(moment.stamp_s, T_odom_base.x, T_odom_base.y, T_odom_base.yaw))
    b.points.publish(labelled_message(moment))


def drive(b, which: range, odometry: Callable[[int], Pose2]) -> list[tuple[float, float]]:
    """Send moments and wait for the answer to each; error [m] and stated sigma [m] of every position that was offered."""
    out = []
    for k in which:
        answered = len(b.got["~/fix"]) + 1
        publish(b, moments()[k], odometry(k))
        b.spin_until(lambda n=answered: len(b.got["~/fix"]) >= n)
        fix = b.got["~/fix"][-1]
        if fix.status.status == NavSatStatus.STATUS_FIX:
            east, north = AREA.plane.to_enu(fix.latitude, fix.longitude)
            truth = moments()[k].T_map_base
            sigma = np.sqrt(np.linalg.eigvalsh(np.array(fix.position_covariance).reshape(3, 3)[:2, :2])[-1])
            out.append((float(np.hypot(east - truth.x, north - truth.y)), float(sigma)))
    return out


def right(k: int) -> Pose2:
    return T_ODOM_MAP @ moments()[k].T_map_base


@pytest.fixture
def driving(bench, localizer):
    """A node with the real localizer, locked after 30 m."""
    localizer.reset("a test of its own")
    b = bench(localizer, odometry_wait_s=5.0)  # a busy machine takes its time to deliver
    assert drive(b, range(30), right)[-1][0] < 1.0
    return b


def test_frozen_odometry_is_named_in_diagnostics_and_no_position_is_claimed(driving):
    offered = drive(driving, range(30, 50), lambda k: right(30))
    assert sum(error > 3.0 * sigma and error > 3.0 for error, sigma in offered) <= 3
    status, values = driving.diagnosis()
    assert (status.level, values["state"]) == (ERROR, "lost")
    assert "odometry disagrees with the walls: they show the car" in status.message
    assert "check the node that publishes odom" in status.message
    # The fault ends: odometry goes on from where it stood.
    again = drive(driving, range(50, 90), lambda k: right(30) @ right(50).inverse() @ right(k))
    assert again
    assert again[-1][0] < 1.0


def test_a_jump_of_odometry_is_named_and_the_place_found_again(driving):
    far = Pose2(20.0, 0.0, 0.0)
    for metres, later_s in ((0.0, 0.05), (20.0, 0.1)):
        T = right(29) @ Pose2(metres, 0.0, 0.0)
        driving.odom.publish(odometry_message(moments()[29].stamp_s + later_s, T.x, T.y, T.yaw))
    driving.spin_until(lambda: driving.node._parts.worker.correction is None)  # at once, without a cloud
    assert drive(driving, range(30, 31), lambda k: right(k) @ far) == []
    status, _ = driving.diagnosis()
    assert status.level == ERROR
    assert "odometry jumped" in status.message
    assert "check the node that publishes odom" in status.message
    again = drive(driving, range(31, 75), lambda k: right(k) @ far)
    assert again[-1][0] < 1.0


def test_clouds_lost_twice_and_overtaken_leave_the_position_right(driving):
    random = np.random.default_rng(1)
    watch = driving.node._parts.health.points
    for k in range(30, 50):
        if random.random() < 0.5:  # lost
            driving.odom.publish(odometry_message(moments()[k].stamp_s, right(k).x, right(k).y, right(k).yaw))
            continue
        assert drive(driving, range(k, k + 1), right)[-1][0] < 1.0
        for again in (k, k - 1):
            refused = watch.refused
            while watch.refused == refused:  # best effort: one more may be lost on the way
                driving.points.publish(labelled_message(moments()[again]))
                for _ in range(50):
                    driving.executor.spin_once(timeout_sec=0.02)
                    if watch.refused > refused:
                        break
    status, values = driving.diagnosis("points")
    assert status.level in (WARN, ERROR)
    assert "not newer than the one before; do the sensor's stamps run?" in values["last refusal"]
    assert watch.refused >= 10


def test_a_cloud_that_is_delayed_is_answered_for_its_own_stamp(driving):
    for k in range(30, 40):
        T = right(k)
        driving.odom.publish(odometry_message(moments()[k].stamp_s, T.x, T.y, T.yaw))
    driving.spin_until(lambda: driving.node._parts.order.newest_s == pytest.approx(moments()[39].stamp_s))
    answered = len(driving.got["~/fix"]) + 1
    driving.points.publish(labelled_message(moments()[34]))  # a second late
    driving.spin_until(lambda: len(driving.got["~/fix"]) >= answered)
    fix = driving.got["~/fix"][-1]
    assert fix.header.stamp == time_of(moments()[34].stamp_s)
    east, north = AREA.plane.to_enu(fix.latitude, fix.longitude)
    assert np.hypot(east - moments()[34].T_map_base.x, north - moments()[34].T_map_base.y) < 1.0


# -- clocks


def test_simulated_time_that_loops_and_leaps(bench):
    """`/clock` goes back with a looped bag and forward with a clock that is set: each time the node goes on, diagnostics too."""
    b = bench(use_sim_time=True)
    clock = b.peer.create_publisher(Clock, "/clock", 10)
    b.spin_until(clock.get_subscription_count)
    for begins_s, resets in ((1000.0, 0), (10.0, 1), (5000.0, 1)):
        clock.publish(Clock(clock=time_of(begins_s)))
        b.spin_until(lambda t=begins_s: b.node.get_clock().now().nanoseconds == round(t * 1e9))
        if begins_s == 5000.0:
            b.odom.publish(odometry_message(begins_s - 0.1))  # the first of a time far ahead may be a slip
        for k in range(3):
            fix = b.send(begins_s + 0.1 * k)
        assert fix.status.status == NavSatStatus.STATUS_FIX
        assert len(b.localizer.resets) == resets
        assert b.diagnosis()[1]["state"] == "locked"


def test_a_clock_that_is_set_back_by_less_than_a_restart_costs_that_long(bench):
    b = bench()
    lock(b, 10.0)
    for stamp_s in (9.7, 9.9, 10.1, 10.3):  # half a second back
        b.odom.publish(odometry_message(stamp_s))
    b.spin_until(lambda: b.node._parts.order.newest_s == pytest.approx(10.3))
    assert b.node._parts.health.odometry.refused == 3
    assert not b.localizer.resets
    assert b.send(10.4).status.status == NavSatStatus.STATUS_FIX


# -- TF


def test_a_sensors_place_that_comes_late_is_waited_for_cloud_by_cloud(bench, monkeypatch):
    b = bench()
    b.send(1.0, frame_id="roof")
    assert "'roof'" in b.diagnosis("skipped clouds")[1]["last skip"]
    transform = TransformStamped(header=Header(frame_id="base_link"), child_frame_id="roof")
    transform.transform.rotation.w = 1.0
    frames.add_transform(b.node.frames, transform)  # as /tf_static brings it; test_ros_inputs.py has the topic
    b.send(1.1, frame_id="roof")
    assert len(b.localizer.clouds) == 1
