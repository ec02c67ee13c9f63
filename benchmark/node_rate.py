"""10 Hz of 100,000-point clouds over DDS into the real node: scan to answer, growth of the delay, clouds without an answer."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pipeline import ROOT, percentiles, store

from urban_map_loc.bags.reader import BagReader, CloudRecord, OdometryRecord
from urban_map_loc.cloud.decode import decode
from urban_map_loc.geometry.pose2 import quaternion_of_yaw
from urban_map_loc.ros.middleware import prepare_environment

WINDOW_S = 10.0
START_TIMEOUT_S = 120.0
LAST_ANSWER_S = 3.0


def exactly(points: np.ndarray, count: int) -> np.ndarray:
    """`(count, 4)` float32 x y z intensity: points `(N, 3)` thinned evenly, or repeated, to `count`."""
    chosen = np.linspace(0, len(points) - 1, count).astype(np.int64) if len(points) >= count else np.arange(count) % len(points)
    out = np.zeros((count, 4), np.float32)
    out[:, :3] = points[chosen]
    return out


class Bench:
    """Publishes the drive and hears the answers, both by the cloud's stamp in whole ms."""

    def __init__(self, points: int) -> None:
        import rclpy
        from nav_msgs.msg import Odometry
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node
        from sensor_msgs.msg import NavSatFix, PointCloud2

        from urban_map_loc.ros import qos

        rclpy.init()
        self.points, self.sent, self.answered, self.fixed = points, {}, {}, set()
        self.node = Node("node_rate")
        self.clouds = self.node.create_publisher(PointCloud2, "points", qos.PLAYED)
        self.odometry = self.node.create_publisher(Odometry, "odom", qos.PLAYED)
        self.node.create_subscription(NavSatFix, "/urban_map_loc/fix", self._on_fix, qos.ANSWERS)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        threading.Thread(target=self.executor.spin, daemon=True).start()

    def _on_fix(self, message: Any) -> None:
        now = time.monotonic()
        stamp = message.header.stamp.sec * 1000 + round(message.header.stamp.nanosec / 1e6)
        self.answered.setdefault(stamp, now)
        if message.status.status >= 0:
            self.fixed.add(stamp)

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until the node listens; ends the benchmark where it does not."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (self.clouds.get_subscription_count() and self.odometry.get_subscription_count()):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("localizer_node does not listen to points and odom; see its message above")
            time.sleep(0.1)
        time.sleep(1.0)

    def message(self, record: CloudRecord | OdometryRecord) -> Any:
        """The ROS message of a record."""
        from builtin_interfaces.msg import Time
        from nav_msgs.msg import Odometry
        from sensor_msgs.msg import PointCloud2, PointField
        from std_msgs.msg import Header

        stamp_ns = round(record.stamp_s * 1e9)
        stamp = Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        if isinstance(record, CloudRecord):
            data = array("B", exactly(decode(record.message).points, self.points).tobytes())
            fields = [
                PointField(name=n, offset=4 * k, datatype=PointField.FLOAT32, count=1) for k, n in enumerate(("x", "y", "z", "intensity"))
            ]
            cloud = PointCloud2(header=Header(stamp=stamp, frame_id="base_link"), height=1, width=self.points, fields=fields)
            cloud.point_step, cloud.row_step, cloud.data, cloud.is_dense = 16, 16 * self.points, data, True
            return cloud
        odometry = Odometry(header=Header(stamp=stamp, frame_id="odom"), child_frame_id="base_link")
        pose = odometry.pose.pose
        pose.position.x, pose.position.y = record.T_odom_base.x, record.T_odom_base.y
        pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = quaternion_of_yaw(record.T_odom_base.yaw)
        return odometry

    def play(self, records: Iterator[CloudRecord | OdometryRecord], seconds: float) -> None:
        """Publish for so many seconds, each message when its stamp is due; messages are made before that moment."""
        first = began = None
        for record in records:
            message = self.message(record)
            first, began = (record.stamp_s, time.monotonic()) if first is None or began is None else (first, began)
            due = record.stamp_s - first
            if due > seconds:
                break
            time.sleep(max(0.0, began + due - time.monotonic()))
            if isinstance(record, CloudRecord):
                self.sent[round(record.stamp_s * 1e3)] = time.monotonic()
                self.clouds.publish(message)
            else:
                self.odometry.publish(message)
        time.sleep(LAST_ANSWER_S)

    def figures(self) -> dict[str, Any]:
        """Delays [ms] from handing a cloud to DDS to hearing its fix."""
        stamps = sorted(self.sent)
        if not stamps:
            sys.exit("the bag holds no cloud in the time played; give a longer drive")
        answered = [s for s in stamps if s in self.answered]
        if not answered:
            sys.exit("no cloud was answered; see the node's messages above")
        sent = np.array([self.sent[s] - self.sent[stamps[0]] for s in answered])
        delay = np.array([(self.answered[s] - self.sent[s]) * 1e3 for s in answered])
        windows = [delay[(sent >= t) & (sent < t + WINDOW_S)] for t in np.arange(0.0, sent[-1], WINDOW_S)]
        times = np.array([self.sent[s] for s in stamps])
        slope = float(np.polyfit(sent / 60.0, delay, 1)[0]) if len(sent) > 2 else float("nan")
        located = [d for s, d in zip(answered, delay, strict=True) if s in self.fixed]
        return {
            "clouds": len(stamps),
            "rate_hz": (len(stamps) - 1) / (times[-1] - times[0]) if len(stamps) > 1 else float("nan"),
            "unanswered": len(stamps) - len(answered),
            "delay_ms": percentiles(delay.tolist()),
            "delay_with_fix_ms": percentiles(located) if located else None,
            "delay_by_window_ms": [float(w.mean()) if len(w) else None for w in windows],
            "growth_ms_per_minute": slope,
        }


def text_of(f: dict[str, Any], points: int) -> str:
    """The figures as a Markdown table."""
    windows = ", ".join("–" if w is None else f"{w:.0f}" for w in f["delay_by_window_ms"])
    rows = [
        ("clouds", f"{f['clouds']} of {points} points at {f['rate_hz']:.2f} Hz"),
        ("scan to answer, mean / median / 95 % / max [ms]", " / ".join(f"{f['delay_ms'][n]:.0f}" for n in ("mean", "p50", "p95", "max"))),
        (f"mean of each {WINDOW_S:.0f} s [ms]", windows),
        ("growth of the delay [ms/min]", f"{f['growth_ms_per_minute']:+.1f}"),
        ("clouds without an answer", str(f["unanswered"])),
        ("node: processor time / wall time", f"{f['node_cpu_share']:.2f}"),
        ("node: peak memory [MB]", f"{f['node_peak_memory_mb']:.0f}"),
    ]
    if f["delay_with_fix_ms"]:
        rows.insert(
            2, ("scan to pose while locked, mean / 95 % [ms]", " / ".join(f"{f['delay_with_fix_ms'][n]:.0f}" for n in ("mean", "p95")))
        )
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def main() -> None:
    """Start the node, play, stop it, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("area", type=Path, help="area file")
    options.add_argument("model", type=Path, help="model of that area")
    options.add_argument("bag", type=Path, help="drive in that area, such as `simulate --sensor hdl64` makes")
    options.add_argument("--points", type=int, default=100_000, help="points of every cloud (default: %(default)s)")
    options.add_argument("--seconds", type=float, default=60.0, help="at most so long (default: %(default)s)")
    options.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "node_rate", help="default: %(default)s")
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    prepare_environment()
    os.environ.setdefault("ROS_DOMAIN_ID", str(40 + os.getpid() % 50))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    parameters = [word for name in ("area", "model") for word in ("-p", f"{name}:={getattr(args, name).resolve()}")]
    process = subprocess.Popen([sys.executable, "-m", "urban_map_loc.ros.main", "--ros-args", *parameters])
    began = time.monotonic()
    try:
        bench = Bench(args.points)
        bench.wait(process)
        bench.play(BagReader(args.bag).records(), args.seconds)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    usage, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    figures = bench.figures() | {
        "node_cpu_share": (usage.ru_utime + usage.ru_stime) / wall,
        "node_peak_memory_mb": usage.ru_maxrss / 1024.0,
    }
    store(args.out, figures, text_of(figures, args.points))
    os._exit(0)  # the spinning thread has nothing left to say


if __name__ == "__main__":
    main()
