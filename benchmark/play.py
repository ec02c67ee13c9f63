# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""How punctual `play` is: clouds of 2 MB at 10 Hz and odometry at 100 Hz through DDS to a subscriber in another process.

    python benchmark/play.py [--seconds 20]

Says how late messages were handed to DDS, how much later than its due time each was received, and how late a loop that does nothing but
sleep is woken meanwhile: what the machine's other work costs. `chrt -r 1 python benchmark/play.py` leaves that out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CLOUD_POINTS = 131_072  # of 16 bytes: 2 MB
LISTENER = """
import sys, time
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from nav_msgs.msg import Odometry
from sensor_msgs.msg import PointCloud2
from urban_map_loc.ros import qos
rclpy.init()
node = Node("listener")
got = {"/points": [], "/odom": []}
def note(topic):
    def received(raw):
        got[topic].append(time.monotonic())
    return received
node.create_subscription(PointCloud2, "/points", note("/points"), qos.PLAYED, raw=True)
node.create_subscription(Odometry, "/odom", note("/odom"), qos.PLAYED, raw=True)
executor = SingleThreadedExecutor()
executor.add_node(node)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    executor.spin_once(timeout_sec=0.2)
for topic, times in got.items():
    print(topic, *(f"{t:.6f}" for t in times))
"""


def write_drive(path: Path, seconds: float) -> None:
    """A bag of it."""
    from urban_map_loc.bags.writer import BagWriter
    from urban_map_loc.geometry.pose2 import Pose2

    points = np.random.default_rng(0).normal(0.0, 20.0, (CLOUD_POINTS, 3)).astype(np.float32)
    intensity = np.zeros(CLOUD_POINTS, np.float32)
    with BagWriter(path) as bag:
        for k in range(int(seconds * 100)):
            at = 100.0 + 0.01 * k
            bag.write_odometry(at, Pose2(0.1 * k, 0.0, 0.0))
            if k % 10 == 0:
                bag.write_cloud(at, points, intensity=intensity)


def bare_loop(seconds: float) -> np.ndarray:
    """How late sleeping to each hundredth of a second ends [ms]."""
    began, late = time.monotonic(), []
    for k in range(int(seconds * 100)):
        time.sleep(max(0.0, began + 0.01 * k - time.monotonic()))
        late.append((time.monotonic() - began - 0.01 * k) * 1e3)
    return np.array(late)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    from urban_map_loc.bags.reader import BagReader
    from urban_map_loc.ros.middleware import prepare_environment

    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    prepare_environment()
    from urban_map_loc.ros.player import Player

    with tempfile.TemporaryDirectory() as folder:
        write_drive(Path(folder, "drive"), args.seconds)
        bag = BagReader(Path(folder, "drive"))
        listener = subprocess.Popen([sys.executable, "-c", LISTENER, str(args.seconds + 15.0)], stdout=subprocess.PIPE, text=True)
        with Player(bag.topics) as player:
            if lonely := player.wait_for_subscribers(("/points", "/odom"), 20.0):
                sys.exit(f"nobody subscribes to {lonely}")
            time.sleep(1.0)
            bare_ms = bare_loop(min(5.0, args.seconds))
            player.play(bag.raw())
            late_ms = np.array(player.late_s) * 1e3
            began = player.began
        lines = [line.split() for line in listener.communicate()[0].splitlines() if line.startswith("/")]
    print(f"a loop that only sleeps [ms]: mean {bare_ms.mean():.2f}, 95 % {np.quantile(bare_ms, 0.95):.2f}, max {bare_ms.max():.2f}")
    print(f"handed over late [ms]: mean {late_ms.mean():.2f}, 95 % {np.quantile(late_ms, 0.95):.2f}, max {late_ms.max():.2f}")
    print(f"later than 2 ms: {(late_ms > 2.0).sum()} of {len(late_ms)}")
    for topic, *times in lines:
        period = 0.1 if topic == "/points" else 0.01
        sent = int(args.seconds / period + 0.5)
        received = np.array(times, np.float64)
        text = f"{topic}: {len(received)} of {sent} received"
        if len(received) == sent:
            behind = (received - began - period * np.arange(sent)) * 1e3
            text += f", after their time [ms]: mean {behind.mean():.2f}, 95 % {np.quantile(behind, 0.95):.2f}, max {behind.max():.2f}"
        print(text)


if __name__ == "__main__":
    main()
