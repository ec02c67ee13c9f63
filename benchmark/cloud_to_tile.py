# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a PointCloud2 of 120,000 points to the tile: time of each stage, and memory over many clouds (2 min).

The clouds are KITTI's HDL-64E scans, cut or repeated to exactly as many points, as messages with x, y, z and intensity.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pipeline import ROOT, data_folder, percentiles, store

from urban_map_loc.bags.messages import cloud_message
from urban_map_loc.cloud.decode import decode
from urban_map_loc.cloud.scan import scan_of_cloud
from urban_map_loc.cloud.submap import Submap
from urban_map_loc.config import BUILDINGS, BUILDINGS_AND_ROADS, CloudConfig, SubmapConfig, TileConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.tile.from_cloud import ScanRenderer

POINTS = 120_000
WARM_UP = 20
SETTLED = 1000  # clouds after which memory may grow no more
STAGES = ("decode", "extraction and rays", "drawing", "all", "all, processor time", "submap, not in all")
WANTED_MS = {"decode": {"mean": 1.5}, "all": {"mean": 12.0, "p95": 25.0}}


def messages(data: Path) -> list[Any]:
    """One of each raw scan of KITTI 00 and 07."""
    made = []
    for path in sorted((data / "kitti_raw").glob("0[07]/velodyne/*.bin")):
        table = np.resize(np.fromfile(path, np.float32).reshape(-1, 4), (POINTS, 4))
        made.append(cloud_message(100.0, table[:, :3], table[:, 3], None, "base_link"))
    return made


def resident_mb() -> float:
    """Memory of this process now [MB]."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    """Print the time of each stage and the memory after 1,000 clouds, halfway and at the end."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    options.add_argument("--clouds", type=int, default=10_000, help="default %(default)s")
    options.add_argument("--fcn", default="", metavar="FCN", help="a segmentation that tells buildings (default: their shape)")
    options.add_argument("--channels", choices=(BUILDINGS, BUILDINGS_AND_ROADS), default=TileConfig().channels)
    options.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "cloud_to_tile")
    given = options.parse_args()
    clouds, tile = messages(data_folder(given.data)), TileConfig(channels=given.channels)
    config = CloudConfig(kind="fcn" if given.fcn else "geometric", fcn_model=given.fcn)
    renderer, submap = ScanRenderer(tile), Submap(SubmapConfig(window_m=40.0), tile.range_m)
    times = np.ones((given.clouds, len(STAGES)))  # all of it written to now: it must not look like memory that grows
    memory: dict[int, float] = {}
    for k, message in enumerate(itertools.islice(itertools.cycle(clouds), given.clouds)):
        marks, busy = [time.perf_counter()], time.process_time()
        cloud = decode(message, config)
        marks.append(time.perf_counter())
        scan = scan_of_cloud(cloud, config, tile)
        marks.append(time.perf_counter())
        renderer.tile(scan.points, scan.seen_m, scan.road)
        marks.append(time.perf_counter())
        busy = time.process_time() - busy
        submap.extended(replace(scan, stamp_s=0.1 * k), Pose2(0.5 * k, 0.0, 0.0))
        times[k] = (*np.diff(marks), marks[-1] - marks[0], busy, time.perf_counter() - marks[-1])
        if k + 1 in (SETTLED, given.clouds // 2, given.clouds):
            memory[k + 1] = resident_mb()
    numbers = {name: percentiles(values.tolist()) for name, values in zip(STAGES, 1e3 * times[WARM_UP:].T, strict=True)}
    lines = ["| stage | mean | median | 95 % | max [ms] | wanted |", "|---|---|---|---|---|---|"]
    for name, figures in numbers.items():
        wanted = [f"{what} ≤ {limit:g}" + ("" if figures[what] <= limit else ": NOT") for what, limit in WANTED_MS.get(name, {}).items()]
        cells = [name, *(f"{figures[n]:.2f}" for n in ("mean", "p50", "p95", "max")), ", ".join(wanted).replace("p95", "95 %")]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    lines.append("Resident memory after " + ", ".join(f"{k} clouds: {mb:.1f} MB" for k, mb in memory.items()))
    given.out.mkdir(parents=True, exist_ok=True)
    store(given.out, {"clouds": given.clouds, "points": POINTS, "memory_mb": memory, "ms": numbers}, "\n".join(lines))


if __name__ == "__main__":
    main()
