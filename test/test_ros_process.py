# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""localizer_node as a process of its own: it starts, answers to signals and refuses what is wrong."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import rclpy
from nav_msgs.msg import Odometry
from rclpy.node import Node
from ros_bench import cloud_message, odometry_message
from sensor_msgs.msg import PointCloud2

from urban_map_loc.ros.recorder import recording

TEST = Path(__file__).parent
START = f"""
import sys, time
sys.path.insert(0, {str(TEST)!r})
from urban_map_loc.ros.main import main
from ros_bench import FakeLocalizer
"""
WITH_FAKE = f"{START}main(load=lambda *_: FakeLocalizer())"
# Each says "busy" when it has begun what takes a minute.
BUSY = {
    "loading": """
def load(*_):
    print("busy", flush=True)
    time.sleep(60.0)
main(load=load)
""",
    "loading with a library that swallows interrupts": """
def load(*_):
    print("busy", flush=True)
    while True:
        try:
            time.sleep(60.0)
        except KeyboardInterrupt:
            pass
main(load=load)
""",
    "working on a scan": """
class Slow(FakeLocalizer):
    def add_cloud(self, cloud, single_scan=False):
        print("busy", flush=True)
        time.sleep(60.0)
main(load=lambda *_: Slow())
""",
}


@pytest.fixture
def started(ros_environment):
    """Start processes with the fake localizer; ends them all."""
    running = []

    def start(*arguments, code=WITH_FAKE):
        command = [sys.executable, "-c", code, "--ros-args", *arguments]
        running.append(subprocess.Popen(command, env=ros_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def listening(domain: str):
    """Publishers of clouds and odometry, once the node hears them."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(domain))
    node = Node("waiting", context=context)
    publishers = node.create_publisher(PointCloud2, "points", 1), node.create_publisher(Odometry, "odom", 1)
    end = time.monotonic() + 100.0
    while not all(p.get_subscription_count() for p in publishers):
        assert time.monotonic() < end, "nobody subscribed to points and odom"
        time.sleep(0.05)
    yield publishers
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def publish_until(publishers, condition, from_s=1.0):
    """Clouds and odometry at 10 Hz until the condition holds: the first may be lost while the two get to know each other."""
    clouds, odometry = publishers
    for k in range(600):
        odometry.publish(odometry_message(from_s + 0.1 * k))
        clouds.publish(cloud_message(from_s + 0.1 * k))
        time.sleep(0.1)
        if condition():
            return
    raise AssertionError("no answer to 600 clouds")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_status_0(started, ros_environment, number):
    process = started("-p", "area:=a", "-p", "model:=m")
    with listening(ros_environment["ROS_DOMAIN_ID"]):
        process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("with_what", BUSY)
def test_a_signal_ends_it_whatever_it_is_busy_with(started, ros_environment, with_what, number):
    process = started("-p", "area:=a", "-p", "model:=m", code=START + BUSY[with_what])
    if with_what == "working on a scan":
        with listening(ros_environment["ROS_DOMAIN_ID"]) as publishers:
            publish_until(publishers, lambda: select.select([process.stdout], [], [], 0.0)[0])
    assert process.stdout.readline() == "busy\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=15)  # not the minute that it would take
    assert process.returncode == 0, err
    assert "Traceback" not in err


def test_a_signal_keeps_the_last_pose(started, ros_environment, tmp_path, monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", ros_environment["ROS_DOMAIN_ID"])
    file = tmp_path / "last_pose.json"
    process = started("-p", "area:=a", "-p", "model:=m", "-p", f"last_pose_file:={file}", "-p", "last_pose_period_s:=1000.0")
    with listening(ros_environment["ROS_DOMAIN_ID"]) as publishers, recording() as recorder:
        # From the third cloud on there is a pose: the first of them is written at once, the others when it ends.
        publish_until(publishers, file.exists)
        first = json.loads(file.read_text())["stamp_s"]
        publish_until(publishers, lambda: recorder.results() and recorder.results()[-1][0].stamp_s > first + 0.05, from_s=first + 0.1)
        process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=15)
    assert process.returncode == 0, err
    assert json.loads(file.read_text())["stamp_s"] > first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-p", "modell:=m"), "did you mean model?"),
        (("-p", "model:=m"), "parameter area is not set"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_1(started, arguments, message):
    process = started(*arguments)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    ours = [line for line in err.splitlines() if line.startswith("localizer_node: ")]
    assert len(ours) == 1
    assert message in ours[0]
    assert "Traceback" not in err


def test_misspelt_key_of_a_parameter_file_is_named(started, tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("/**:\n  ros__parameters:\n    fusion:\n      lock_distance: 3.0\n")
    process = started("--params-file", str(file))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "fusion.lock_distance; did you mean fusion.lock_distance_m?" in err
