# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node over real DDS, in this process, with a localizer whose answers are known."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from ros_bench import COVARIANCE, T_MAP_ODOM, FakeLocalizer, cloud_message, lock, odometry_message
from sensor_msgs.msg import NavSatFix, NavSatStatus
from std_srvs.srv import Trigger

from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.ros import frames
from urban_map_loc.ros.conversions import UNKNOWN_VARIANCE
from urban_map_loc.ros.conversions import stamp_s as stamp_of


def has_odometry_of(b, stamp_s):
    """Whether the newest `~/odometry` is of this stamp: earlier ones may still have been under way."""
    got = b.got["~/odometry"]
    return bool(got) and stamp_of(got[-1].header) == pytest.approx(stamp_s)


def test_no_fix_until_locked_then_fix_and_pose(bench):
    b = bench()
    fix = b.send(1.0)
    assert fix.status.status == NavSatStatus.STATUS_NO_FIX
    assert np.isnan([fix.latitude, fix.longitude, fix.altitude]).all()
    assert fix.position_covariance_type == NavSatFix.COVARIANCE_TYPE_UNKNOWN
    assert not b.got["~/pose"]
    assert not b.got["~/odometry"]

    b.send(1.1)
    fix = b.send(1.2)
    b.spin_until(lambda: b.got["~/pose"])
    pose = b.got["~/pose"][-1]
    expected = T_MAP_ODOM @ Pose2(1.2, 0.0, 0.0)
    assert (pose.pose.pose.position.x, pose.pose.pose.position.y) == pytest.approx((expected.x, expected.y))
    assert pose.header.frame_id == "map"
    assert (pose.header.stamp.sec, pose.header.stamp.nanosec) == (1, 200_000_000)
    full = pose.pose.covariance.reshape(6, 6)
    assert full[np.ix_((0, 1, 5), (0, 1, 5))] == pytest.approx(COVARIANCE)
    assert full[2, 2] == full[3, 3] == full[4, 4] == UNKNOWN_VARIANCE

    assert fix.status.status == NavSatStatus.STATUS_FIX
    assert fix.header.frame_id == "base_link"
    assert b.localizer.area.plane.to_enu(fix.latitude, fix.longitude) == pytest.approx([expected.x, expected.y], abs=1e-3)
    assert np.isnan(fix.altitude)
    assert fix.position_covariance.reshape(3, 3)[:2, :2] == pytest.approx(COVARIANCE[:2, :2])
    assert fix.position_covariance_type == NavSatFix.COVARIANCE_TYPE_KNOWN


def test_odometry_in_the_map_at_odometrys_rate(bench):
    b = bench()
    lock(b)
    before = len(b.got["~/odometry"])
    for k in range(20):
        b.odom.publish(odometry_message(2.0 + 0.02 * k, x=1.2, yaw=0.01 * k))
    b.spin_until(lambda: len(b.got["~/odometry"]) >= before + 20 and has_odometry_of(b, 2.38))
    last = b.got["~/odometry"][-1]
    assert (last.header.frame_id, last.child_frame_id) == ("map", "base_link")
    expected = T_MAP_ODOM @ Pose2(1.2, 0.0, 0.19)
    assert (last.pose.pose.position.x, last.pose.pose.position.y) == pytest.approx((expected.x, expected.y))
    assert last.twist.twist.linear.x == 3.0


def test_uncertainty_grows_with_the_distance_since_the_last_cloud(bench):
    b = bench()
    lock(b)
    b.odom.publish(odometry_message(2.0, x=51.2))
    b.odom.publish(odometry_message(2.9, x=101.2))
    b.spin_until(lambda: has_odometry_of(b, 2.9))
    assert b.got["~/odometry"][-1].pose.covariance[0] == pytest.approx(COVARIANCE[0, 0] + 3.0**2, rel=1e-3)


def test_map_tile_and_hypotheses(bench):
    b = bench()
    b.send(1.0)
    b.spin_until(lambda: b.got["~/map"] and b.got["~/tile"] and b.got["~/hypotheses"])
    grid = b.got["~/map"][0]
    assert np.count_nonzero(np.array(grid.data) == 100) == np.count_nonzero(b.localizer.raster.building > 0) > 0
    # The tile's pixel (0, 0) is the farthest forward and left: the last column and the last row of a grid that starts behind, right.
    tile = b.got["~/tile"][0]
    assert tile.header.frame_id == "base_link"
    data = np.array(tile.data).reshape(96, 96)
    assert data[95, 95] == 100
    assert data[94, 95] == 0  # the pixel right of it: one cell less along y
    assert (np.delete(data.ravel(), [95 * 96 + 95, 94 * 96 + 95]) == -1).all()
    assert (tile.info.origin.position.x, tile.info.origin.position.y) == (-48.0, -48.0)
    assert b.got["~/hypotheses"][0].poses[0].position.y == 2.0


NAN = np.full((10, 3), np.nan)


@pytest.mark.parametrize(
    ("cloud", "reason"),
    [
        ({"frame_id": "velodyne"}, "'velodyne'"),
        ({"frame_id": ""}, "cloud_frames"),
        ({"points": NAN}, "NaN"),
        ({"points": np.zeros((0, 3))}, "empty"),
        ({"names": "xyw"}, "no field z"),
    ],
)
def test_a_bad_cloud_is_skipped_with_its_reason_and_the_next_one_counts(bench, cloud, reason):
    b = bench()
    fix = b.send(1.0, **cloud)
    assert fix.status.status == NavSatStatus.STATUS_NO_FIX
    _, values = b.diagnosis("skipped clouds")
    assert values["skipped"] == "1"
    assert reason in values["last skip"]
    lock(b, 2.0)


def test_truncated_cloud_is_skipped(bench):
    b = bench()
    message = cloud_message(1.0)
    message.width = 1000
    b.odom.publish(odometry_message(1.0))
    b.points.publish(message)
    b.spin_until(lambda: b.got["~/fix"])
    assert "truncated" in b.diagnosis("skipped clouds")[1]["last skip"]


def test_sensor_frame_goes_through_the_extrinsic(bench):
    b = bench(sensor_frame="lidar", extrinsic=[1.0, 2.0, 3.0, 0.0, 0.0, np.pi / 2])
    b.send(1.0, points=[[1.0, 0.0, 0.0]], frame_id="lidar")
    b.send(1.1, points=[[1.0, 0.0, 0.0]])
    moved, same = b.localizer.clouds
    assert moved.points == pytest.approx(np.array([[1.0, 3.0, 3.0]]), abs=1e-6)
    assert moved.frame_id == "base_link"
    assert same.points == pytest.approx(np.array([[1.0, 0.0, 0.0]]))


def test_odometry_that_stops(bench):
    b = bench()
    lock(b)
    b.send(9.0, odometry=False)
    assert "no odometry" in b.diagnosis("skipped clouds")[1]["last skip"]


def test_cloud_waits_for_odometry_that_is_under_way(bench):
    b = bench(odometry_wait_s=5.0)
    b.points.publish(cloud_message(1.0))
    worker = b.node._parts.worker
    b.spin_until(lambda: b.node._parts.health.points.count and not worker._cloud)
    assert not b.localizer.clouds
    b.odom.publish(odometry_message(1.0))
    b.spin_until(lambda: b.got["~/fix"])
    assert b.diagnosis("skipped clouds")[1]["skipped"] == "0"


@pytest.mark.parametrize(("field", "value"), [("x", np.nan), ("x", np.inf), ("quaternion", 0.0), ("quaternion", 1e200)])
def test_bad_odometry_is_refused_with_its_reason(bench, field, value):
    b = bench()
    message = odometry_message(1.0)
    if field == "x":
        message.pose.pose.position.x = value
    else:
        message.pose.pose.orientation.w = value
    b.odom.publish(message)
    b.send(1.0)
    _, values = b.diagnosis("odometry")
    assert values["refused"] == "1"
    assert "odometry has a" in values["last refusal"]
    assert len(b.localizer.odometry) == 1


def test_odometry_is_never_blocked_and_only_the_newest_cloud_waits(bench):
    b = bench(FakeLocalizer())
    lock(b)
    free = threading.Event()
    started = threading.Event()
    answer = b.localizer.add_cloud

    def slow(cloud, single_scan=False):
        started.set()
        assert free.wait(20.0)
        return answer(cloud)

    b.localizer.add_cloud = slow
    before = len(b.got["~/odometry"])
    b.odom.publish(odometry_message(2.0))
    b.points.publish(cloud_message(2.0))
    b.spin_until(started.is_set)
    for stamp_s, dropped in ((2.1, 0), (2.2, 1), (2.3, 2)):
        b.points.publish(cloud_message(stamp_s))
        b.spin_until(lambda n=dropped: b.node._parts.worker._cloud is not None and b.node._parts.worker.dropped == n)
    for k in range(10):
        b.odom.publish(odometry_message(2.1 + 0.1 * k))
    b.spin_until(lambda: len(b.got["~/odometry"]) >= before + 11)  # while the scan is still worked on
    free.set()
    b.spin_until(lambda: len(b.localizer.clouds) == 5)
    assert [round(c.stamp_s, 3) for c in b.localizer.clouds[3:]] == [2.0, 2.3]
    assert b.diagnosis("dropped clouds")[1]["dropped"] == "2"


def test_a_restarted_bag_starts_afresh(bench):
    b = bench()
    lock(b, 100.0)
    fix = b.send(1.0)
    assert b.localizer.resets == ["time went back by 99.2 s"]
    assert fix.status.status == NavSatStatus.STATUS_NO_FIX


def test_relocalize(bench):
    b = bench()
    lock(b)
    assert b.relocalize.wait_for_service(10.0)
    answer = b.relocalize.call_async(Trigger.Request())
    b.spin_until(answer.done)
    assert answer.result().success
    b.spin_until(lambda: b.localizer.resets)
    assert b.send(2.0).status.status == NavSatStatus.STATUS_NO_FIX


def test_a_bug_in_the_localizer_does_not_end_the_node(bench):
    b = bench()
    answer = b.localizer.add_cloud
    b.localizer.add_cloud = lambda cloud: 1 / 0
    assert b.send(1.0).status.status == NavSatStatus.STATUS_NO_FIX
    assert "ZeroDivisionError" in b.diagnosis("skipped clouds")[1]["last skip"]
    b.localizer.add_cloud = answer
    lock(b, 2.0)


def test_diagnostics_say_what_is_going_on(bench):
    b = bench()
    lock(b)
    status, values = b.diagnosis()
    assert (status.level, values["state"]) == (DiagnosticStatus.OK, "locked")
    assert b.localizer.area.content_hash[:12] in values["area"]


def test_namespace(bench):
    b = bench(namespace="/car")
    lock(b)
    assert b.node.get_fully_qualified_name() == "/car/urban_map_loc"


@pytest.mark.parametrize("wanted", [True, False])
def test_map_to_odom_on_tf_while_locked(bench, monkeypatch, wanted):
    sent = []

    class Broadcaster:
        def __init__(self, node):
            self.sendTransform = sent.append

    monkeypatch.setattr(frames, "TransformBroadcaster", Broadcaster)  # tf2_ros is not to be had from pip
    b = bench(publish_tf=wanted)
    b.send(1.0)
    assert not sent
    lock(b, 1.1)
    b.odom.publish(odometry_message(2.0, x=5.0))
    b.spin_until(lambda: has_odometry_of(b, 2.0))
    if not wanted:
        assert not sent
        return
    message = sent[-1]
    assert (message.header.frame_id, message.child_frame_id, message.header.stamp.sec) == ("map", "odom", 2)
    t, q = message.transform.translation, message.transform.rotation
    assert (t.x, t.y, t.z) == pytest.approx((T_MAP_ODOM.x, T_MAP_ODOM.y, 0.0))
    assert (q.z, q.w) == pytest.approx((np.sin(np.pi / 4), np.cos(np.pi / 4)))
