# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The player and the recorder over real DDS, and `play` as a command."""

from __future__ import annotations

import io
import itertools
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time

import numpy as np
import pytest
import rclpy
from conftest import new_domain
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message
from ros_bench import COVARIANCE, cloud_message, odometry_message, time_of
from rosbags.rosbag2 import StoragePlugin, Writer
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from urban_map_loc.area.area_map import GeoPoint
from urban_map_loc.bags.messages import nanoseconds, typestore
from urban_map_loc.bags.messages import odometry_message as bag_odometry
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.cli.keys import PauseKey
from urban_map_loc.cli.main import run
from urban_map_loc.errors import BagError, ConfigurationError
from urban_map_loc.geometry.geodesy import LocalTangentPlane
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.result import PoseEstimate, State
from urban_map_loc.ros import conversions, qos
from urban_map_loc.ros.ahead import MOST_BYTES, read_ahead
from urban_map_loc.ros.player import Player
from urban_map_loc.ros.recorder import Recorder

TOPICS = {"/points": "sensor_msgs/msg/PointCloud2", "/odom": "nav_msgs/msg/Odometry", "/strange": "nobody_msgs/msg/Nothing"}


@pytest.fixture
def domain(monkeypatch):
    number = new_domain()
    monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
    return number


@pytest.fixture
def listener(domain):
    """Collects what is played, in a thread of its own."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    node = Node("listener", context=context)
    got = {"/points": [], "/odom": [], "/clock": []}
    for topic, kind in (("/points", PointCloud2), ("/odom", Odometry), ("/clock", Clock)):
        node.create_subscription(kind, topic, got[topic].append, qos.ODOMETRY_IN)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    yield got
    executor.shutdown()
    thread.join(5.0)
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def messages(seconds=0.3):
    for k in range(int(seconds * 50)):
        yield k * 20_000_000, "/odom", TOPICS["/odom"], serialize_message(odometry_message(1.0 + 0.02 * k, x=k))
        if k % 5 == 0:
            yield k * 20_000_000, "/points", TOPICS["/points"], serialize_message(cloud_message(1.0 + 0.02 * k))
    yield int(seconds * 1e9), "/strange", TOPICS["/strange"], b"\0\1\0\0"


@pytest.mark.parametrize("rate", [1.0, 3.0])
def test_everything_arrives_unchanged_in_its_own_time(listener, rate):
    with Player(TOPICS) as player:
        assert player.missing == ["/strange"]
        assert player.wait_for_subscribers(("/points", "/odom"), 10.0) == []
        began, times = time.monotonic(), []
        played = player.play(messages(), rate, times.append)
        assert time.monotonic() - began >= 0.3 / rate
    assert played == 18
    assert [m.pose.pose.position.x for m in listener["/odom"]] == list(range(15))
    assert [m.header.stamp for m in listener["/points"]] == [time_of(1.0 + 0.1 * k) for k in range(3)]
    assert bytes(listener["/points"][0].data) == np.ones((10, 3), np.float32).tobytes()
    clock = [m.clock.sec * 10**9 + m.clock.nanosec for m in listener["/clock"]]
    assert clock == sorted(clock)
    assert clock[-1] == 300_000_000
    assert times[-1] == pytest.approx(0.3)


def test_nobody_listens(domain):
    with Player({"/points": TOPICS["/points"]}) as player:
        assert player.wait_for_subscribers(("/points",), 0.1) == ["/points"]


def test_nothing_to_play(domain):
    with pytest.raises(ConfigurationError, match="/strange are not installed"):
        Player({"/strange": TOPICS["/strange"]})


@pytest.fixture
def bag(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        for k in range(5):
            writer.write_odometry(1.0 + 0.02 * k, Pose2(k, 0.0, 0.0), velocity=(1.0, 0.0))
        writer.write_cloud(1.1, np.ones((7, 3), np.float32))
    return tmp_path / "bag"


def test_play_command(listener, bag, capsys):
    assert run(["play", str(bag), "--rate", "2", "--wait", "20"]) == 0
    assert "6 messages" in capsys.readouterr().out
    assert len(listener["/odom"]) == 5
    assert listener["/points"][0].width == 7


def test_play_says_that_nobody_listens(domain, bag, capsys):
    assert run(["play", str(bag), "--wait", "0.1"]) == 1
    assert "nobody subscribes to /points, /odom" in capsys.readouterr().err


def test_play_from_a_later_start_and_under_other_names(listener, tmp_path, capsys):
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics = {name: writer.add_connection(name, TOPICS["/odom"], typestore=typestore()) for name in ("/wheels", "/odom")}
        for k in range(5):
            for name, x in (("/wheels", float(k)), ("/odom", -1.0)):
                message = bag_odometry(1.0 + 0.02 * k, Pose2(x, 0.0, 0.0), (0.0, 0.0))
                writer.write(topics[name], nanoseconds(1.0 + 0.02 * k), typestore().serialize_cdr(message, TOPICS["/odom"]))
    command = ["play", str(tmp_path / "bag"), "--wait", "20", "--topic", "odom=/wheels", "--start", "0.04"]
    assert run(command) == 0
    assert [m.pose.pose.position.x for m in listener["/odom"]] == [2.0, 3.0, 4.0]
    assert "3 messages over 0.0 s" in capsys.readouterr().out
    assert run([*command[:-1], "5"]) == 1
    assert "a start at 5.0 s is outside" in capsys.readouterr().err


def test_play_in_a_loop_until_interrupted(listener, bag, ros_environment):
    environment = {**ros_environment, "ROS_DOMAIN_ID": os.environ["ROS_DOMAIN_ID"]}
    process = subprocess.Popen([sys.executable, "-m", "urban_map_loc", "play", str(bag), "--loop"], env=environment, stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 30.0
        while len(listener["/odom"]) < 12:
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(20.0) == 130
    finally:
        process.kill()
        process.communicate()
    assert {m.pose.pose.position.x for m in listener["/odom"]} == {0.0, 1.0, 2.0, 3.0, 4.0}
    clock = [m.clock.sec * 10**9 + m.clock.nanosec for m in listener["/clock"]]
    assert min(np.diff(clock)) < 0  # each round begins anew


def test_while_paused_neither_messages_nor_the_clock_go_on(listener):
    pausing = iter([False] * 3 + [True] * 20)
    with Player(TOPICS) as player:
        assert player.wait_for_subscribers(("/points", "/odom"), 10.0) == []
        began = time.monotonic()
        seen = []

        def paused():
            now = next(pausing, False)
            seen.append((now, len(listener["/clock"])))
            return now

        assert player.play(messages(0.1), paused=paused) == 6
        assert time.monotonic() - began >= 0.1 + 20 * 0.01
    assert [m.pose.pose.position.x for m in listener["/odom"]] == list(range(5))
    assert sum(now for now, _ in seen) == 20
    # One tick may still be on its way when the pause begins.
    assert max(ticks for now, ticks in seen if now) <= 3 + 1
    # Messages after the pause are as far apart as before.
    assert player.late_s[-1] < 0.05 * 20


def test_late_subscribers_get_what_is_latched(ros_context, domain, monkeypatch):
    number = ros_context.get_domain_id()
    monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
    node, got = Node("late", context=ros_context), []
    executor = SingleThreadedExecutor(context=ros_context)
    with Player({"/odom": TOPICS["/odom"]}, latched={"/odom"}) as player:
        player.play([(0, "/odom", TOPICS["/odom"], serialize_message(odometry_message(1.0, x=7.0)))])
        node.create_subscription(Odometry, "/odom", got.append, qos.LATCHED)
        executor.add_node(node)
        end = time.monotonic() + 20.0
        while not got:
            assert time.monotonic() < end
            executor.spin_once(timeout_sec=0.05)
    executor.shutdown()
    node.destroy_node()
    assert got[0].pose.pose.position.x == 7.0


def test_reading_ahead_keeps_order_and_errors():
    def failing():
        yield from ((k, "/odom", "", bytes(100)) for k in range(2500))
        raise BagError("damaged")

    seen = []
    with pytest.raises(BagError, match="damaged"):
        seen.extend(k for k, *_ in read_ahead(failing()))
    assert seen == list(range(2500))


def test_reading_ahead_is_bounded_and_ends_with_its_reader():
    taken = []

    def endless():
        for k in itertools.count():
            taken.append(k)
            yield k, "/points", "", bytes(1 << 20)

    ahead = read_ahead(endless())
    assert next(ahead)[0] == 0
    time.sleep(0.2)
    assert len(taken) <= MOST_BYTES // (1 << 20) + 3
    ahead.close()
    assert not any(thread.name == "read ahead" for thread in threading.enumerate())


def test_the_space_bar(monkeypatch):
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        before = termios.tcgetattr(terminal)
        with PauseKey() as key:
            assert key.there
            assert not key.paused()
            os.write(ours, b"x ")
            assert key.paused()
            assert key.paused()
            os.write(ours, b" ")
            assert not key.paused()
        assert termios.tcgetattr(terminal) == before
    os.close(ours)
    monkeypatch.setattr(sys, "stdin", io.StringIO(" "))
    with PauseKey() as key:
        assert not key.there
        assert not key.paused()


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "x"])
def test_a_rate_that_is_none_is_wrong_usage(bag, rate):
    with pytest.raises(SystemExit) as end:
        run(["play", str(bag), "--rate", rate])
    assert end.value.code == 2


def test_recorder_tells_states_poses_and_latency(ros_context):
    recorder = Recorder(ros_context)
    peer = Node("peer", context=ros_context)
    executor = SingleThreadedExecutor(context=ros_context)
    executor.add_node(recorder)
    fix = peer.create_publisher(conversions.NavSatFix, "/urban_map_loc/fix", qos.ANSWERS)
    pose = peer.create_publisher(conversions.PoseWithCovarianceStamped, "/urban_map_loc/pose", qos.ANSWERS)
    points = peer.create_publisher(PointCloud2, "points", qos.PLAYED)
    end = time.monotonic() + 20.0

    def spin_until(condition):
        while not condition():
            assert time.monotonic() < end
            executor.spin_once(timeout_sec=0.02)

    spin_until(lambda: fix.get_subscription_count() and pose.get_subscription_count() and points.get_subscription_count())
    plane = LocalTangentPlane(GeoPoint(51.76, -1.26))
    estimate = PoseEstimate(Pose2(3.0, 4.0, 0.5), COVARIANCE, 0.9)
    for count, (stamp_s, found) in enumerate(((1.0, None), (1.1, estimate), (1.2, None)), start=1):
        header = Header(stamp=time_of(stamp_s))
        points.publish(cloud_message(stamp_s))
        spin_until(lambda n=count: recorder.clouds == n)
        if found is not None:
            pose.publish(conversions.pose_with_covariance(header, found))
        fix.publish(conversions.fix(header, plane, found))
    spin_until(lambda: len(recorder.results()) == 3 and recorder.results()[1][0].estimate is not None)
    results = [r for r, _ in recorder.results()]
    assert [r.state for r in results] == [State.INITIALIZING, State.LOCKED, State.LOST]
    assert [r.stamp_s for r in results] == pytest.approx([1.0, 1.1, 1.2])
    assert results[1].estimate.T_map_base.as_array() == pytest.approx([3.0, 4.0, 0.5])
    assert results[1].estimate.covariance == pytest.approx(COVARIANCE)
    assert all(latency >= 0.0 for _, latency in recorder.results())
    executor.shutdown()
    recorder.destroy_node()
    peer.destroy_node()
