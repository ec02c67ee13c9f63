# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What else comes into the node over DDS: first guesses, GNSS, sensors' places, the last pose; and stamps that are wrong."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from ros_bench import COVARIANCE, T_MAP_ODOM, TOO_OLD_S, cloud_message, lock, odometry_message, time_of
from sensor_msgs.msg import NavSatFix, NavSatStatus
from std_srvs.srv import Trigger

from urban_map_loc.geometry.pose2 import Pose2, quaternion_of_yaw
from urban_map_loc.ros import frames, qos
from urban_map_loc.ros.inputs import Inputs


def guess(stamp_s=0.0, x=30.0, y=-10.0, yaw=0.5, frame="map", variances=(4.0, 9.0, 0.1)) -> PoseWithCovarianceStamped:
    message = PoseWithCovarianceStamped()
    message.header.stamp, message.header.frame_id = time_of(stamp_s), frame
    message.pose.pose.position.x, message.pose.pose.position.y = x, y
    q = message.pose.pose.orientation
    q.x, q.y, q.z, q.w = quaternion_of_yaw(yaw)
    full = np.zeros((6, 6))
    full[0, 0], full[1, 1], full[5, 5] = variances
    message.pose.covariance = full.ravel().tolist()
    return message


def test_a_first_guess_reaches_the_localizer_once_there_is_odometry(bench):
    b = bench()
    b.guess.publish(guess())
    b.spin_until(lambda: b.node._parts.worker._guesses)  # kept: nobody knows yet where odometry is
    b.send(1.0)
    b.spin_until(lambda: b.localizer.guesses)
    prior, stamp_s = b.localizer.guesses[0]
    assert (prior.T_map_base.x, prior.T_map_base.y, prior.T_map_base.yaw) == pytest.approx((30.0, -10.0, 0.5))
    assert prior.covariance == pytest.approx(np.diag([4.0, 9.0, 0.1]))
    assert stamp_s is None
    b.guess.publish(guess(stamp_s=1.0, x=31.0))
    b.spin_until(lambda: len(b.localizer.guesses) == 2)
    assert b.localizer.guesses[1][1] == 1.0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (guess(frame="odom"), "in RViz, set the fixed frame to 'map'"),
        (guess(x=float("nan")), "not finite"),
        (guess(variances=(-4.0, 1.0, 0.1)), "without negative variances"),
        (guess(variances=(float("nan"), 1.0, 0.1)), "without negative variances"),
        (guess(x=1e5), "outside the area"),
    ],
)
def test_a_first_guess_that_cannot_be_is_refused_with_its_reason(bench, wrong, reason):
    b = bench()
    b.guess.publish(wrong)
    b.spin_until(lambda: b.node._parts.health.last_guess)
    assert reason in b.diagnosis()[1]["last refused guess"]
    b.send(1.0)
    assert not b.localizer.guesses


def test_a_wrong_first_guess_does_not_disturb_a_lock(bench):
    b = bench()
    lock(b)
    b.guess.publish(guess(stamp_s=TOO_OLD_S, x=-60.0))
    b.spin_until(lambda: b.localizer.guesses)
    assert b.send(1.3).status.status == NavSatStatus.STATUS_FIX
    assert not b.localizer.resets


def test_relocalize_while_a_scan_is_worked_on_takes_its_answer_back(bench):
    b = bench()
    lock(b)
    answer = b.localizer.add_cloud

    def asked_meanwhile(cloud, single_scan=False):
        b.node._on_relocalize(Trigger.Request(), Trigger.Response())
        return answer(cloud)

    b.localizer.add_cloud = asked_meanwhile
    count = len(b.got["~/fix"])
    b.odom.publish(odometry_message(1.3))
    b.points.publish(cloud_message(1.3))
    b.spin_until(lambda: b.localizer.resets)
    b.localizer.add_cloud = answer
    assert b.node._parts.worker.correction is None
    assert b.send(1.4).status.status == NavSatStatus.STATUS_NO_FIX
    assert len(b.got["~/fix"]) == count + 1


def gnss(b, stamp_s, east=5.0, north=6.0, variance=2.0, **changed) -> NavSatFix:
    lat_deg, lon_deg = b.localizer.area.plane.to_geodetic(np.array([east, north]))
    message = NavSatFix(latitude=float(lat_deg), longitude=float(lon_deg), position_covariance_type=2)
    message.header.stamp = time_of(stamp_s)
    message.status.status = NavSatStatus.STATUS_FIX
    message.position_covariance = np.diag([variance, 3.0, 9.0]).ravel().tolist()
    for name, value in changed.items():
        setattr(message, name, value)
    return message


def test_gnss_fixes_reach_the_localizer(bench):
    b = bench()
    b.send(1.0)
    b.gnss.publish(gnss(b, 1.0))
    b.gnss.publish(gnss(b, 1.1, variance=-1.0))  # a receiver that states no covariance is taken for a usual one
    b.spin_until(lambda: len(b.localizer.fixes) == 2)
    stated, usual = b.localizer.fixes
    assert stated.position == pytest.approx([5.0, 6.0], abs=1e-3)
    assert stated.covariance == pytest.approx(np.diag([2.0, 3.0]))
    assert stated.stamp_s == 1.0
    assert usual.covariance == pytest.approx(np.eye(2) * b.localizer.config.gnss.usual_m**2)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"latitude": float("nan")}, "nowhere"),
        ({"longitude": 200.0}, "nowhere"),
        ({"latitude": 0.0, "longitude": 0.0}, "km from the area"),
        ({"stamp_s": 0.9}, "not newer"),
        ({"stamp_s": 1e6}, "do their clocks agree?"),
    ],
)
def test_gnss_fixes_that_cannot_be_are_refused_with_their_reason(bench, changed, reason):
    b = bench()
    b.send(1.0)
    b.gnss.publish(gnss(b, 1.0))
    b.gnss.publish(gnss(b, **{"stamp_s": 1.1, **changed}))
    b.gnss.publish(gnss(b, 1.2))
    b.spin_until(lambda: len(b.localizer.fixes) == 2)
    assert [fix.stamp_s for fix in b.localizer.fixes] == [1.0, 1.2]
    status, values = b.diagnosis("gnss")
    assert values["refused"] == "1"
    assert reason in values["last refusal"]
    assert reason in status.message


def test_a_receiver_without_a_fix_is_no_fault(bench):
    b = bench()
    b.send(1.0)
    no_fix = gnss(b, 1.0, latitude=float("nan"))
    no_fix.status.status = NavSatStatus.STATUS_NO_FIX
    b.gnss.publish(no_fix)
    b.gnss.publish(gnss(b, 1.1))
    b.spin_until(lambda: b.localizer.fixes)
    assert b.diagnosis("gnss")[1]["refused"] == "0"


def static(parent, child, x, yaw=0.0, length=1.0) -> TransformStamped:
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.transform.translation.x = x
    q = message.transform.rotation
    q.x, q.y, q.z, q.w = (float(v * length) for v in quaternion_of_yaw(yaw))
    return message


def test_sensors_places_come_from_tf_static(bench, ros_context, monkeypatch):
    # tf2_msgs/TFMessage, a list of these, is not to be had from pip: one at a time here, with everything else as it is.
    take = Inputs._on_frames
    monkeypatch.setattr(frames, "TFMessage", TransformStamped)
    monkeypatch.setattr(Inputs, "_on_frames", lambda self, one: take(self, SimpleNamespace(transforms=[one])))
    b = bench(start=False)
    publisher = b.peer.create_publisher(TransformStamped, "/tf_static", qos.PLAYED_LATCHED)
    publisher.publish(static("base_link", "roof", 1.0))
    publisher.publish(static("roof", "lidar", 0.5, yaw=np.pi / 2))
    publisher.publish(static("base_link", "broken", 1.0, length=0.0))
    b.node.start()  # it comes later than the transforms, as always
    b.spin_until(lambda: b.connected() and b.node.frames.find("base_link", "lidar"))
    b.send(1.0, points=[[1.0, 0.0, 0.0]], frame_id="lidar")
    assert b.localizer.clouds[0].points == pytest.approx(np.array([[1.5, 1.0, 0.0]]), abs=1e-6)
    b.send(1.1, points=[[1.0, 0.0, 0.0]], frame_id="broken")
    assert len(b.localizer.clouds) == 1  # never taken for the base frame
    assert "publish it on /tf_static" in b.diagnosis("skipped clouds")[1]["last skip"]


def test_what_is_off_without_tf_is_said_once(bench, capfd):
    b = bench()
    b.node.trigger_deactivate()
    b.node.trigger_activate()
    said = [line for line in capfd.readouterr().err.splitlines() if "TF is off" in line]
    assert len(said) == 1
    assert "~/odometry" in said[0]
    assert "cloud_frames, sensor_frame and extrinsic" in said[0]


def test_the_last_pose_is_kept_and_is_a_guess_for_the_next_start(bench, tmp_path):
    file = tmp_path / "state" / "last_pose.json"
    b = bench(last_pose_file=str(file), last_pose_period_s=1000.0)
    assert not b.localizer.guesses
    lock(b)
    b.spin_until(file.exists)  # the first is written at once
    first = json.loads(file.read_text())
    b.send(1.3)
    assert json.loads(file.read_text()) == first  # the next when its time has come,
    b.node.trigger_deactivate()
    assert json.loads(file.read_text())["stamp_s"] == 1.3  # or when the node stops
    b.node.trigger_cleanup()
    b.node.start()
    b.spin_until(b.connected)
    b.send(2.0)
    prior, stamp_s = b.localizer.guesses[0]
    expected = T_MAP_ODOM @ Pose2(1.3, 0.0, 0.0)
    assert (prior.T_map_base.x, prior.T_map_base.y, prior.T_map_base.yaw) == pytest.approx((expected.x, expected.y, expected.yaw), abs=1e-3)
    assert prior.covariance[0, 0] > COVARIANCE[0, 0]
    assert (prior.source, stamp_s) == ("last pose", None)


def test_a_last_pose_that_cannot_be_written_is_said_and_disturbs_nothing(bench, tmp_path, capfd):
    (tmp_path / "file").write_text("")
    b = bench(last_pose_file=str(tmp_path / "file" / "last_pose.json"), last_pose_period_s=0.1)
    lock(b)
    b.send(1.3)
    b.node.trigger_deactivate()
    assert len([line for line in capfd.readouterr().err.splitlines() if "last pose: " in line]) == 1


def test_clouds_out_of_order_are_left_out(bench):
    b = bench()
    lock(b)
    for count, stamp_s in enumerate((1.1, 1.2, 0.0), start=1):  # overtaken, repeated, a slip
        b.points.publish(cloud_message(stamp_s))
        b.spin_until(lambda n=count: b.node._parts.health.points.refused == n)
    assert b.send(1.3).status.status == NavSatStatus.STATUS_FIX
    assert [c.stamp_s for c in b.localizer.clouds] == pytest.approx([1.0, 1.1, 1.2, 1.3])
    assert "not newer" in b.diagnosis("points")[1]["last refusal"]


def test_odometry_out_of_order_is_left_out_and_not_published(bench):
    b = bench()
    lock(b)
    for stamp_s in (1.3, 1.25, 1.3, 0.0, 1.4):
        b.odom.publish(odometry_message(stamp_s, x=stamp_s))
    b.spin_until(lambda: len(b.got["~/odometry"]) >= 2 and b.node._parts.health.odometry.refused == 3)
    b.send(1.5)
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in b.got["~/odometry"]]
    assert stamps == sorted(set(stamps))
    given = [stamp_s for stamp_s, _ in b.localizer.odometry]
    assert given == pytest.approx([1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    assert not b.localizer.resets


def test_a_jump_of_odometry_takes_the_correction_back_until_the_next_scan(bench):
    b = bench()
    lock(b)
    b.odom.publish(odometry_message(1.3, x=5000.0))
    b.spin_until(lambda: any(stamp_s == 1.3 for stamp_s, _ in b.localizer.odometry))
    assert b.node._parts.worker.correction is None
    assert not [m for m in b.got["~/odometry"] if m.pose.pose.position.y > 1000.0]


def test_a_bag_that_loops_is_found_again_each_time(bench):
    b = bench()
    for loop in range(3):
        lock(b, 10.0)
        assert len(b.localizer.resets) == loop
        for k in range(10):  # the rest of the bag, so that its beginning is long ago
            b.odom.publish(odometry_message(10.3 + 0.5 * k, x=10.3 + 0.5 * k))
        b.spin_until(lambda: b.node._parts.order.newest_s == 14.8)
    assert b.localizer.resets == ["time went back by 4.8 s"] * 2


def test_odometry_of_another_frame_is_said(bench):
    b = bench(**{"diagnostics.odometry_rate_warn_hz": 0.0, "diagnostics.odometry_rate_error_hz": 0.0, "diagnostics.delay_error_s": 1e12})
    b.odom.publish(odometry_message(1.0))
    message = odometry_message(1.1)
    message.child_frame_id = "imu"
    b.odom.publish(message)
    b.spin_until(lambda: b.node._parts.health.odometry.count == 2)
    assert os.linesep not in b.diagnosis("odometry")[0].message
    assert b.node._parts.health.odometry.complaint == "odometry is of frame 'imu', parameter base_frame is 'base_link'; make them the same"
