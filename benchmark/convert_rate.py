# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ten minutes of HDL-64 clouds at 10 Hz, converted and localized: how much faster than real time, and how much memory.

    python benchmark/convert_rate.py [--seconds 600] [--area AREA.gpkg --model MODEL.safetensors]

The drive is KITTI 07's odometry with the few real scans of that sequence, one after the other, again and again: their number, size and
content cost what a drive costs, but they show no drive, so nothing locks and every cloud is answered from the whole map, which costs most.
Without --area and --model the map of KITTI 07 is built and a network trained for a few steps: weights do not change the time. Each
command runs in a process of its own, held to --cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from pipeline import ROOT, data_folder

SCANS_HZ = 10.0


def build_source(data: Path, folder: Path, seconds: float) -> Path:
    """A sequence of so many frames: links to the scans, rows of a trajectory that begins anew where it ends."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "velodyne").mkdir(parents=True)
    scans = sorted((data / "kitti_raw" / "07" / "velodyne").glob("*.bin"))
    rows = (data / "kitti" / "07" / "odometry_cam0.txt").read_text(encoding="ascii").splitlines()
    frames = int(seconds * SCANS_HZ)
    for k in range(frames):
        (folder / "velodyne" / f"{k:06d}.bin").symlink_to(scans[k % len(scans)])
    there_and_back = [*rows, *reversed(rows[1:-1])]
    (folder / "odometry_cam0.txt").write_text("\n".join(there_and_back[k % len(there_and_back)] for k in range(frames)) + "\n")
    (folder / "times.txt").write_text("".join(f"{k / SCANS_HZ:.6f}\n" for k in range(frames)))
    shutil.copy(data / "kitti" / "07" / "calib.txt", folder)
    return folder


def command(cores: int, *words: str | Path) -> tuple[float, float, float]:
    """Seconds, seconds of processors and megabytes of memory at the peak of one command of `urban_map_loc`."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "urban_map_loc", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": str(cores)},
        preexec_fn=lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores]),
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(map(str, words))} failed")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="length of the drive (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--area", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "convert_rate")
    args = parser.parse_args()
    data = data_folder(args.data)
    args.out.mkdir(parents=True, exist_ok=True)
    area, model = args.area or args.out / "area.gpkg", args.model or args.out / "model.safetensors"
    if args.area is None:
        command(args.cores, "area", "build", "--osm", data / "kitti" / "07" / "map.osm", "--out", area)
    if args.model is None:
        command(args.cores, "train", area, "--out", model, "--steps", "2", "--device", "cpu")
    source, bag, run = build_source(data, args.out / "source", args.seconds), args.out / "bag", args.out / "run"
    convert_s, convert_cpu_s, convert_mb = command(args.cores, "convert", "kitti", source, "--out", bag)
    localize_s, localize_cpu_s, localize_mb = command(args.cores, "localize", bag, "--area", area, "--model", model, "--out", run)
    figures = {
        "drive_s": args.seconds,
        "convert_s": convert_s,
        "convert_processor_s": convert_cpu_s,
        "convert_peak_mb": convert_mb,
        "localize_s": localize_s,
        "localize_processor_s": localize_cpu_s,
        "localize_peak_mb": localize_mb,
        "times_real_time": args.seconds / (convert_s + localize_s),
        "times_real_time_by_one_processors_time": args.seconds / (convert_cpu_s + localize_cpu_s),
    }
    (args.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for name, value in figures.items():
        print(f"{name}: {value:.1f}")
    shutil.rmtree(bag, ignore_errors=True)


if __name__ == "__main__":
    main()
