"""localizer_node as a process of its own: it starts, answers to signals and refuses what is wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2

TEST = Path(__file__).parent
WITH_FAKE = f"""
import sys
sys.path.insert(0, {str(TEST)!r})
from urban_map_loc.ros.main import main
from ros_bench import FakeLocalizer
main(load=lambda *_: FakeLocalizer())
"""


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


def wait_until_it_listens(domain: str) -> None:
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(domain))
    node = Node("waiting", context=context)
    publisher = node.create_publisher(PointCloud2, "points", 1)
    end = time.monotonic() + 60.0
    while not publisher.get_subscription_count():
        assert time.monotonic() < end, "nobody subscribed to points"
        time.sleep(0.05)
    node.destroy_node()
    rclpy.try_shutdown(context=context)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_status_0(started, ros_environment, number):
    process = started("-p", "area:=a", "-p", "model:=m")
    wait_until_it_listens(ros_environment["ROS_DOMAIN_ID"])
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert "Traceback" not in err


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
