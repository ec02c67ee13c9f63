# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A node that is slow on purpose, in a process of its own, and clouds at 20 Hz over DDS: is the answer always to the newest cloud?

The node's localizer is a stand-in that sleeps for as long as it is told and answers nothing of use. The delay is bounded where it never
exceeds the work on two scans and the way there and back; what is not answered has to be counted as dropped on /diagnostics.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from pipeline import ROOT, percentiles, store
from pipeline.over_dds import LAST_ANSWER_S, Bench, Drive, measured, prepare

SLOW_NODE = """
import sys, time
sys.path.insert(0, {test!r})
from ros_bench import FakeLocalizer
from urban_map_loc.ros.main import main
main(load=lambda *_: FakeLocalizer(delay_s={work_s}))
"""
WAY_MS = 100.0  # DDS and decoding of a large cloud, there and back, on a busy machine


class Newest(Bench):
    """Notes which cloud was the newest sent when an answer came."""

    def behind(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """For each answer the number of clouds sent after the one that it answers."""
        sent_at = np.array(sorted(self.sent.values()))
        number = {stamp: k for k, stamp in enumerate(sorted(self.sent))}
        return np.array([np.searchsorted(sent_at, at) - 1 - number[s] for s, at in sorted(self.answered.items())], dtype=np.int64)


def main() -> None:
    """Start the slow node, play, stop it, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("bag", type=Path, help="any drive; its clouds are repeated")
    options.add_argument("--points", type=int, default=120_000, help="points of every cloud (default: %(default)s)")
    options.add_argument("--cloud-hz", type=float, default=20.0, help="clouds a second (default: %(default)s)")
    options.add_argument("--work-ms", type=float, default=230.0, help="so slow is the node with each cloud (default: %(default)s)")
    options.add_argument("--seconds", type=float, default=30.0, help="play so long (default: %(default)s)")
    options.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "node_slow", help="default: %(default)s")
    args = options.parse_args()
    scratch = prepare(args.out)
    bench = Newest(Drive(args.bag, 2.0, args.points, args.cloud_hz, scratch))
    code = SLOW_NODE.format(test=str(ROOT / "test"), work_s=args.work_ms / 1e3)
    command = [sys.executable, "-c", code, "--ros-args", "-p", "area:=none", "-p", "model:=none"]
    try:
        measured(bench, command, args.seconds, 50.0)
    finally:
        scratch.unlink(missing_ok=True)
    stamps = sorted(bench.answered)
    delay_ms = [(bench.answered[s] - bench.sent[s]) * 1e3 for s in stamps]
    third = max(1, len(delay_ms) // 3)
    largest_ms = 2.0 * args.work_ms + WAY_MS
    dropped = int(bench.statuses.get("dropped clouds", {}).get("dropped", 0))
    figures = {
        "clouds": len(bench.sent),
        "answered": len(stamps),
        "dropped": dropped,
        "newest_answered": stamps[-1:] == [max(bench.sent)],
        "behind_clouds": percentiles(bench.behind().tolist()),
        "delay_ms": percentiles(delay_ms),
    }
    first_ms, last_ms = (float(np.mean(part)) for part in (delay_ms[:third], delay_ms[-third:]))
    delay = " / ".join(f"{figures['delay_ms'][n]:.0f}" for n in ("mean", "p95", "max"))
    rows = [
        ("clouds, answered, dropped", f"{len(bench.sent)}, {len(stamps)}, {dropped}", f"the last two add up to {len(bench.sent)}"),
        ("the last cloud was answered", "yes" if figures["newest_answered"] else "no", "yes"),
        ("delay, mean / 95 % / max [ms]", delay, f"max ≤ {largest_ms:.0f}"),
        ("mean delay in the first and the last third [ms]", f"{first_ms:.0f} and {last_ms:.0f}", "the same"),
    ]
    text = "\n".join(["| | measured | wanted |", "|---|---|---|", *(f"| {name} | {value} | {wanted} |" for name, value, wanted in rows)])
    store(args.out, figures, text + f"\n\n{LAST_ANSWER_S:g} s were left for the last answer.")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
