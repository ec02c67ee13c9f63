# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A node in a process of its own, measured from outside: an endless drive is published over DDS, its answers are heard."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import percentiles
from urban_map_loc.bags.reader import BagReader, CloudRecord, OdometryRecord
from urban_map_loc.cloud.decode import decode
from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import Pose2, quaternion_of_yaw
from urban_map_loc.localization.odometry import OdometryBuffer
from urban_map_loc.ros.middleware import prepare_environment

WINDOW_S = 60.0
START_TIMEOUT_S = 120.0
END_TIMEOUT_S = 20.0
LAST_ANSWER_S = 3.0
SAMPLE_S = 1.0
FIRST_STAMP_S = 1000.0


class Drive:
    """The first seconds of a bag, to be driven to and fro without end."""

    def __init__(self, bag: Path, seconds: float, points: int, cloud_hz: float, scratch: Path) -> None:
        """Clouds are kept serialised in the file `scratch`, since a minute of them would fill the memory that the node is to have."""
        from rclpy.serialization import serialize_message

        self.cloud_hz = cloud_hz
        self._odometry = OdometryBuffer(FusionConfig(odometry_buffer_s=1e6))
        stamps: list[float] = []
        self.size = 0
        with scratch.open("wb") as file:
            for record in BagReader(bag).records():
                if isinstance(record, OdometryRecord):
                    self._odometry.add(record.stamp_s, record.T_odom_base)
                elif isinstance(record, CloudRecord):
                    if stamps and record.stamp_s - stamps[0] > seconds:
                        break
                    raw = serialize_message(cloud_message(decode(record.message).points, points))
                    self.size = len(raw)
                    file.write(raw)
                    stamps.append(record.stamp_s)
        if len(stamps) < 2:
            sys.exit(f"{bag} has no drive in its first {seconds:g} s")
        self._stamps = np.array(stamps)
        self._clouds = np.memmap(scratch, np.uint8, "r", shape=(len(stamps), self.size))

    def cloud(self, k: int) -> tuple[bytearray, float]:
        """The k-th cloud of the endless drive, serialised with its stamp, and that stamp [s]."""
        raw = bytearray(self._clouds[self._fold(k)])
        stamp_s = FIRST_STAMP_S + k / self.cloud_hz
        whole = int(stamp_s)
        struct.pack_into("<iI", raw, 4, whole, round((stamp_s - whole) * 1e9))
        return raw, stamp_s

    def pose(self, stamp_s: float) -> Pose2:
        """Odometry of the endless drive, between that of the clouds about `stamp_s`."""
        place = max(0.0, (stamp_s - FIRST_STAMP_S) * self.cloud_hz)
        k = int(place)
        before, after = (self._stamps[self._fold(i)] for i in (k, k + 1))
        pose = self._odometry.at(float(before + (place - k) * (after - before)))
        if isinstance(pose, str):
            sys.exit(pose)
        return pose

    def _fold(self, k: int) -> int:
        """To and fro: 0 1 2 3 2 1 0 1 ..."""
        period = 2 * (len(self._stamps) - 1)
        return min(k % period, period - k % period)


def cloud_message(points: np.ndarray[Any, Any], count: int) -> Any:
    """A cloud of exactly `count` points, x y z intensity: `points (N, 3)` thinned evenly, or repeated."""
    from sensor_msgs.msg import PointCloud2, PointField
    from std_msgs.msg import Header

    chosen = np.linspace(0, len(points) - 1, count).astype(np.int64) if len(points) >= count else np.arange(count) % len(points)
    data = np.zeros((count, 4), np.float32)
    data[:, :3] = points[chosen]
    fields = [PointField(name=n, offset=4 * k, datatype=PointField.FLOAT32, count=1) for k, n in enumerate(("x", "y", "z", "intensity"))]
    cloud = PointCloud2(header=Header(frame_id="base_link"), height=1, width=count, fields=fields, is_dense=True)
    cloud.point_step, cloud.row_step, cloud.data = 16, 16 * count, array("B", data.tobytes())
    return cloud


class Process:
    """Processor time and memory of the node, read from /proc."""

    def __init__(self, pid: int) -> None:
        self._stat, self._statm = Path(f"/proc/{pid}/stat"), Path(f"/proc/{pid}/statm")
        self.samples: list[tuple[float, float, float]] = []

    def look(self) -> None:
        """Note time [s], processor time [s] and resident memory [MB]."""
        fields = self._stat.read_text().rsplit(")", 1)[1].split()
        used_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        pages = int(self._statm.read_text().split()[1])
        self.samples.append((time.monotonic(), used_s, pages * os.sysconf("SC_PAGESIZE") / 2**20))

    def figures(self, after: float) -> dict[str, Any]:
        """Share of one core and memory since the moment `after`."""
        at, used_s, mb = np.array([s for s in self.samples if s[0] >= after]).T
        return {
            "node_cpu_share": float((used_s[-1] - used_s[0]) / (at[-1] - at[0])),
            "node_memory_mb": [float(mb[0]), float(mb[-1]), float(mb.max())],
            "node_memory_growth_mb_per_min": float(np.polyfit((at - at[0]) / 60.0, mb, 1)[0]),
        }


class Bench:
    """Publishes the drive and hears the answers, both by the cloud's stamp in whole ms."""

    def __init__(self, drive: Drive) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from nav_msgs.msg import Odometry
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node
        from sensor_msgs.msg import NavSatFix, PointCloud2

        from urban_map_loc.ros import qos

        rclpy.init()
        self.drive = drive
        self.sent: dict[int, float] = {}
        self.answered: dict[int, float] = {}
        self.fixed: set[int] = set()
        self.statuses: dict[str, dict[str, str]] = {}
        self.late_s = 0.0
        self.node = Node("node_rate")
        self.clouds = self.node.create_publisher(PointCloud2, "points", qos.PLAYED)
        self.odometry = self.node.create_publisher(Odometry, "odom", qos.PLAYED)
        self.node.create_subscription(NavSatFix, "/urban_map_loc/fix", self._on_fix, qos.ANSWERS)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.ANSWERS)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        threading.Thread(target=self.executor.spin, daemon=True).start()

    def _on_fix(self, message: Any) -> None:
        now = time.monotonic()
        stamp = message.header.stamp.sec * 1000 + round(message.header.stamp.nanosec / 1e6)
        self.answered.setdefault(stamp, now)
        if message.status.status >= 0:
            self.fixed.add(stamp)

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            self.statuses[status.name.split(": ")[-1]] = {v.key: v.value for v in status.values}

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until the node listens; ends the benchmark where it does not."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (self.clouds.get_subscription_count() and self.odometry.get_subscription_count()):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("localizer_node does not listen to points and odom; see its message above")
            time.sleep(0.1)
        time.sleep(1.0)

    def odometry_message(self, stamp_s: float) -> Any:
        """The drive's odometry at a stamp."""
        from builtin_interfaces.msg import Time
        from nav_msgs.msg import Odometry
        from std_msgs.msg import Header

        whole, T = int(stamp_s), self.drive.pose(stamp_s)
        stamp = Time(sec=whole, nanosec=min(999_999_999, round((stamp_s - whole) * 1e9)))
        message = Odometry(header=Header(stamp=stamp, frame_id="odom"), child_frame_id="base_link")
        pose = message.pose.pose
        pose.position.x, pose.position.y = float(T.x), float(T.y)
        pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = quaternion_of_yaw(T.yaw)
        return message

    def play(self, seconds: float, odometry_hz: float, process: Process) -> None:
        """Publish for so many seconds, everything when it is due; it is made before that moment."""
        began, sampled = time.monotonic(), -SAMPLE_S
        for due, k in self._schedule(seconds, odometry_hz):
            cloud = self.drive.cloud(k) if k is not None else None
            message = bytes(cloud[0]) if cloud else self.odometry_message(FIRST_STAMP_S + due)
            if due - sampled >= SAMPLE_S:
                process.look()
                sampled = due
            left = began + due - time.monotonic()
            self.late_s = max(self.late_s, -left)
            time.sleep(max(0.0, left))
            if cloud:
                self.sent[round(cloud[1] * 1e3)] = time.monotonic()
                self.clouds.publish(message)
            else:
                self.odometry.publish(message)
        process.look()
        time.sleep(LAST_ANSWER_S)

    def _schedule(self, seconds: float, odometry_hz: float) -> Iterator[tuple[float, int | None]]:
        """When what is due [s]: the number of a cloud, or None for odometry, which goes before a cloud of the same time."""
        k = 0
        for n in range(int(seconds * odometry_hz)):
            while k / self.drive.cloud_hz < n / odometry_hz:
                yield k / self.drive.cloud_hz, k
                k += 1
            yield n / odometry_hz, None

    def figures(self) -> dict[str, Any]:
        """Delays [ms] from handing a cloud to DDS to hearing its fix, and what was lost on the way."""
        stamps = sorted(self.sent)
        answered = [s for s in stamps if s in self.answered]
        if not answered:
            sys.exit("no cloud was answered; see the node's messages above")
        delay = {s: (self.answered[s] - self.sent[s]) * 1e3 for s in answered}
        times = np.array([self.sent[s] for s in stamps])
        located = [s for s in answered if s in self.fixed]
        tracked = [s for s in stamps if located and s >= located[0]]
        started = self.sent[stamps[0]]
        windows = [
            [delay[s] for s in answered if t <= self.sent[s] - started < t + WINDOW_S]
            for t in np.arange(0.0, times[-1] - started, WINDOW_S)
        ]
        return {
            "clouds": len(stamps),
            "rate_hz": (len(stamps) - 1) / (times[-1] - times[0]) if len(stamps) > 1 else float("nan"),
            "seconds": float(times[-1] - times[0]),
            "publisher_late_ms": self.late_s * 1e3,
            "locked_after_clouds": stamps.index(located[0]) if located else None,
            "tracked": len(tracked),
            "tracked_without_answer": sum(s not in self.answered for s in tracked),
            "tracked_without_fix": sum(s not in self.fixed for s in tracked),
            "dropped": self.statuses.get("dropped clouds", {}).get("dropped"),
            "skipped": self.statuses.get("skipped clouds", {}).get("skipped"),
            "lost_on_the_way": self.statuses.get("points", {}).get("lost on the way"),
            "delay_ms": percentiles(list(delay.values())),
            "delay_with_fix_ms": percentiles([delay[s] for s in located]) if located else None,
            "delay_by_window_ms": [float(np.mean(w)) if w else None for w in windows],
        }


def measured(bench: Bench, command: Sequence[str], seconds: float, odometry_hz: float) -> tuple[Process, int]:
    """Start the node, publish for so many seconds, end it; what it used, and its exit status."""
    process = subprocess.Popen(command)
    watch = Process(process.pid)
    try:
        bench.wait(process)
        bench.play(seconds, odometry_hz, watch)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return watch, process.returncode


def prepare(out: Path) -> Path:
    """The folder and the environment of a benchmark, before ROS starts; a file for the drive's clouds."""
    out.mkdir(parents=True, exist_ok=True)
    prepare_environment()
    os.environ.setdefault("ROS_DOMAIN_ID", str(40 + os.getpid() % 50))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return out / "clouds.raw"
