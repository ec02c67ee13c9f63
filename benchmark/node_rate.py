# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The real node under load for minutes, in a process of its own: 10 Hz of 120,000-point clouds and 50 Hz odometry over DDS.

The first seconds of a drive are played to and fro, so that a short bag makes a long continuous drive: each cloud stays where it was taken,
stamps go on, and odometry has no jump. All is measured from outside the node: scan to fix with DDS and decoding, clouds without an answer
while it tracks, its processor time and its memory (/proc), and what it says on /diagnostics.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from pipeline import ROOT, store
from pipeline.over_dds import WINDOW_S, Bench, Drive, measured, prepare

# What is wanted of it.
WANTED = {"mean": 25.0, "p95": 60.0, "cpu": 1.0, "growth": 1.0}


def text_of(f: dict[str, Any], points: int, odometry_hz: float) -> str:
    """The figures as a Markdown table."""

    def judged(text: str, good: bool) -> str:
        return text if good else f"{text} (missed)"

    windows = ", ".join("–" if w is None else f"{w:.0f}" for w in f["delay_by_window_ms"])
    memory, fix = f["node_memory_mb"], f["delay_with_fix_ms"]
    rows = [
        (
            "played",
            f"{f['clouds']} clouds of {points} points at {f['rate_hz']:.2f} Hz, odometry at {odometry_hz:g} Hz, {f['seconds']:.0f} s",
            "",
        ),
        ("locked after", f"{f['locked_after_clouds']} clouds", ""),
        (
            "clouds while tracking without an answer / without a fix",
            judged(f"{f['tracked_without_answer']} / {f['tracked_without_fix']} of {f['tracked']}", f["tracked_without_answer"] == 0),
            "0",
        ),
        ("dropped and skipped by the node in all, finding included", f"{f['dropped']} and {f['skipped']}", ""),
        (
            "scan to pose while locked, mean / median / 95 % / max [ms]",
            judged(
                " / ".join(f"{fix[n]:.0f}" for n in ("mean", "p50", "p95", "max")),
                fix["mean"] <= WANTED["mean"] and fix["p95"] <= WANTED["p95"],
            )
            if fix
            else "never locked",
            f"mean ≤ {WANTED['mean']:g}, 95 % ≤ {WANTED['p95']:g}",
        ),
        (f"mean of each {WINDOW_S:.0f} s [ms]", windows, "not growing"),
        ("processor time of the node, of one core", judged(f"{f['node_cpu_share']:.2f}", f["node_cpu_share"] <= WANTED["cpu"]), "≤ 1"),
        ("memory of the node after warming up, at the end, largest [MB]", " / ".join(f"{m:.0f}" for m in memory), ""),
        (
            "growth of the memory after warming up [MB/min]",
            judged(f"{f['node_memory_growth_mb_per_min']:+.2f}", f["node_memory_growth_mb_per_min"] < WANTED["growth"]),
            f"< {WANTED['growth']:g}",
        ),
        ("latest publishing behind schedule [ms]", f"{f['publisher_late_ms']:.0f}", ""),
    ]
    return "\n".join(["| | measured | wanted |", "|---|---|---|", *(f"| {name} | {value} | {wanted} |" for name, value, wanted in rows)])


def main() -> None:
    """Start the node, play, stop it, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("area", type=Path, help="area file")
    options.add_argument("model", type=Path, help="model of that area")
    options.add_argument("bag", type=Path, help="drive in that area, such as `simulate --sensor hdl64 --duration 40` makes")
    options.add_argument("--points", type=int, default=120_000, help="points of every cloud (default: %(default)s)")
    options.add_argument("--cloud-hz", type=float, default=10.0, help="clouds a second (default: %(default)s)")
    options.add_argument("--odometry-hz", type=float, default=50.0, help="odometry messages a second (default: %(default)s)")
    options.add_argument("--seconds", type=float, default=600.0, help="play so long (default: %(default)s)")
    options.add_argument(
        "--drive-seconds", type=float, default=40.0, help="the part of the drive that goes to and fro (default: %(default)s)"
    )
    options.add_argument("--warm-up", type=float, default=60.0, help="seconds before processor and memory count (default: %(default)s)")
    options.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "node_rate", help="default: %(default)s")
    args = options.parse_args()
    scratch = prepare(args.out)
    bench = Bench(Drive(args.bag, args.drive_seconds, args.points, args.cloud_hz, scratch))
    parameters = [word for name in ("area", "model") for word in ("-p", f"{name}:={getattr(args, name).resolve()}")]
    command = [sys.executable, "-m", "urban_map_loc.ros.main", "--ros-args", *parameters]
    try:
        watch, status = measured(bench, command, args.seconds, args.odometry_hz)
    finally:
        scratch.unlink(missing_ok=True)
    began = watch.samples[0][0]
    figures = bench.figures() | watch.figures(began + min(args.warm_up, args.seconds / 2.0)) | {"node_exit_status": status}
    store(args.out, figures, text_of(figures, args.points, args.odometry_hz))
    sys.stdout.flush()
    os._exit(0)  # the spinning thread has nothing left to say


if __name__ == "__main__":
    main()
