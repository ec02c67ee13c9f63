# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Hours of driving through the real node over DDS, faster than they last, all in one process: do memory and latency stay as they are?

The first seconds of a drive are played to and fro. At 5 times the speed 10 Hz of clouds become 50 Hz, and two hours 24 minutes; stamps go
on as driven. Every figure is that of a stretch of the drive: resident and anonymous memory (without the file of clouds, which is mapped),
publishing to fix, and how many clouds were answered, with a position or without. Nothing is kept of a stretch but its row.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from pipeline import ROOT, memory_mb, store
from pipeline.over_dds import FIRST_STAMP_S, Bench, Drive, prepare

STRETCHES = 24
WARM_UP = 3  # stretches that count for nothing: caches fill
LAST_ANSWER_S = 3.0
ODOMETRY_HZ = 50.0
# What is wanted: neither may grow by more than so much over a whole run, whatever its length.
GROWTH_MB, SLOWER = 20.0, 1.25


class Soak(Bench):
    """Publishes for hours and keeps a row a stretch."""

    def __init__(self, drive: Drive, rate: float) -> None:
        super().__init__(drive)
        self.rate = rate
        self.rows: list[dict[str, float]] = []
        self._delays: list[float] = []
        self._fixes = self._published = 0

    def _on_fix(self, message: Any) -> None:
        stamp = message.header.stamp.sec * 1000 + round(message.header.stamp.nanosec / 1e6)
        if (sent := self.sent.pop(stamp, None)) is not None:
            self._delays.append((time.monotonic() - sent) * 1e3)
            self._fixes += message.status.status >= 0

    def play_hours(self, hours: float) -> None:
        """Publish that much of the endless drive."""
        began, length_s = time.monotonic(), hours * 3600.0
        ends = np.linspace(0.0, length_s, STRETCHES + 1)[1:]
        for due_s, k in self._schedule(length_s, ODOMETRY_HZ):
            while due_s >= ends[len(self.rows)]:
                self._note(float(ends[len(self.rows)]))
            cloud = self.drive.cloud(k) if k is not None else None
            message = bytes(cloud[0]) if cloud else self.odometry_message(FIRST_STAMP_S + due_s)
            left_s = began + due_s / self.rate - time.monotonic()
            self.late_s = max(self.late_s, -left_s)
            time.sleep(max(0.0, left_s))
            if cloud:
                self._published += 1
                self.sent[round(cloud[1] * 1e3)] = time.monotonic()
                self.clouds.publish(message)
            else:
                self.odometry.publish(message)
        time.sleep(LAST_ANSWER_S)
        self._note(length_s)

    def _note(self, driven_s: float) -> None:
        """Close a stretch: clouds that have not been answered by now count as not answered."""
        gc.collect()
        resident, anonymous = memory_mb()
        delays, self._delays = self._delays, []
        fixes, self._fixes = self._fixes, 0
        published, self._published = self._published, 0
        self.sent.clear()
        row = {"hours": driven_s / 3600.0, "resident_mb": resident, "anonymous_mb": anonymous, "clouds": float(published)}
        row |= {"answered": float(len(delays)), "fixes": float(fixes)}
        if delays:
            row |= {"mean_ms": float(np.mean(delays)), "p95_ms": float(np.percentile(delays, 95)), "max_ms": float(np.max(delays))}
        self.rows.append(row)
        print(json.dumps({name: round(value, 3) for name, value in row.items()}), flush=True)

    def summary(self) -> dict[str, Any]:
        """Growth and slowing down after the warm-up."""
        kept = [row for row in self.rows[WARM_UP:] if "mean_ms" in row]
        if len(kept) < 2:
            sys.exit("nothing was answered after the warm-up; see the node's messages above")
        hours, mb, ms = (np.array([row[name] for row in kept]) for name in ("hours", "anonymous_mb", "mean_ms"))
        third = max(1, len(kept) // 3)
        slope = float(np.polyfit(hours, mb, 1)[0])
        return {
            "hours": self.rows[-1]["hours"],
            "rate": self.rate,
            "publisher_late_ms": self.late_s * 1e3,
            "growth_mb_per_hour_driven": slope,
            "growth_mb": slope * float(hours[-1] - hours[0]),
            "memory_mb": [float(mb[0]), float(mb[-1]), float(mb.max())],
            "first_third_ms": float(ms[:third].mean()),
            "last_third_ms": float(ms[-third:].mean()),
            "answered": sum(row["answered"] for row in kept) / sum(row["clouds"] for row in kept),
            "with_a_fix": sum(row["fixes"] for row in kept) / max(1.0, sum(row["answered"] for row in kept)),
            "dropped": self.statuses.get("dropped clouds", {}).get("dropped"),
            "skipped": self.statuses.get("skipped clouds", {}).get("skipped"),
            "rows": self.rows,
        }


def text_of(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    flat = abs(found["growth_mb"]) <= GROWTH_MB
    steady = found["last_third_ms"] <= SLOWER * found["first_third_ms"]
    lines = [
        f"{found['hours']:g} hours at {found['rate']:g} times the speed, published {found['publisher_late_ms']:.0f} ms late at most; "
        f"{found['answered']:.1%} of the clouds answered, {found['with_a_fix']:.1%} of these with a position.",
        "",
        f"Memory grows by {found['growth_mb_per_hour_driven']:+.2f} MB per hour driven ({'flat' if flat else 'NOT flat'}); latency is "
        f"{found['first_third_ms']:.1f} ms in the first third, {found['last_third_ms']:.1f} ms in the last, on average "
        f"({'flat' if steady else 'NOT flat'}).",
        "",
        "| hours driven | resident [MB] | anonymous [MB] | answered | with a fix | mean [ms] | 95 % [ms] | max [ms] |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        delays = " | ".join(f"{row[name]:.1f}" if name in row else "–" for name in ("mean_ms", "p95_ms", "max_ms"))
        counts = f"{row['answered']:.0f} of {row['clouds']:.0f} | {row['fixes']:.0f}"
        lines.append(f"| {row['hours']:.3g} | {row['resident_mb']:.0f} | {row['anonymous_mb']:.1f} | {counts} | {delays} |")
    return "\n".join(lines)


def main() -> None:
    """Start the node in this process, drive, and say what became of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("area", type=Path, metavar="AREA.gpkg")
    parser.add_argument("model", type=Path, metavar="MODEL.safetensors")
    parser.add_argument("bag", type=Path, metavar="BAG", help="a drive in the area")
    parser.add_argument("--hours", type=float, default=2.0, help="hours of driving (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=5.0, help="times as fast as driven (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the bag, played to and fro (default: %(default)s)")
    parser.add_argument("--points", type=int, default=30_000, help="points a cloud (default: %(default)s)")
    parser.add_argument("--cloud-hz", type=float, default=10.0, help="clouds a second driven (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "benchmark" / "soak", help="where the figures go (default: %(default)s)"
    )
    options = parser.parse_args()
    scratch = prepare(options.out)

    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import Parameter

    from urban_map_loc.localization.localizer import Localizer
    from urban_map_loc.ros.node import LocalizerNode

    drive = Drive(options.bag, options.seconds, options.points, options.cloud_hz, scratch)
    soak = Soak(drive, options.rate)
    files = [Parameter(name, value=str(getattr(options, name))) for name in ("area", "model")]
    node = LocalizerNode(Localizer.load, parameter_overrides=files)
    node.start()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    threading.Thread(target=executor.spin, name="node", daemon=True).start()
    deadline = time.monotonic() + 60.0
    while not (soak.clouds.get_subscription_count() and soak.odometry.get_subscription_count()):
        if time.monotonic() > deadline:
            sys.exit("the node does not listen to points and odom; see its messages above")
        time.sleep(0.1)
    try:
        soak.play_hours(options.hours)
    finally:
        scratch.unlink(missing_ok=True)
    found = soak.summary()
    store(options.out, found, text_of(found))
    sys.stdout.flush()
    os._exit(0)  # daemon threads of DDS have nothing to say any more


if __name__ == "__main__":
    main()
