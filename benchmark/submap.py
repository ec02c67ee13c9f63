# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""One scan or the last metres: what network and verification answer to each, on a recorded drive (4 min).

Made for the files that benchmark/kitti07.py leaves; others can be named. A row says what the network sees and what is verified: `scan`, one
scan; `all`, with the submap; `view`, of that the nearest in each direction.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from pipeline import ROOT, percentiles, store

from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.raster import BuildingRaster, raster_cache
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import SeenScan, seen_scans
from urban_map_loc.cloud.cloud import BUILDING
from urban_map_loc.cloud.rays import along_rays
from urban_map_loc.cloud.submap import Submap
from urban_map_loc.config import CloudConfig, LocalizerConfig, SubmapConfig, TileConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.tile.from_cloud import ScanRenderer

MADE = ROOT / "build" / "benchmark" / "kitti07"
WINDOWS_M, MINIMUM_SCANS = (20.0, 40.0, 80.0), (1, 2)
RANKS, METRES = (1, 5, 20), (1.0, 5.0)
VIEW_RAYS = 360  # finer ones look through between the submap's points
SHOWN = (("scan", "all"), ("view", "all"), ("all", "all"), ("view", "view"))


class Submaps:
    """Submaps of several settings, and how long they take."""

    def __init__(self, range_m: float) -> None:
        configs = [SubmapConfig(window_m=w, minimum_scans=n) for w in WINDOWS_M for n in MINIMUM_SCANS]
        self.submaps = {f"{c.window_m:g} m, {c.minimum_scans} scans": Submap(c, range_m) for c in configs}
        self.range_m = range_m
        self.times: list[float] = []

    def _view(self, points: FloatArray) -> FloatArray:
        kinds = np.full(len(points), BUILDING, np.uint8)
        rays = TileConfig(sectors=VIEW_RAYS, range_m=self.range_m)
        return along_rays(np.column_stack([points, np.zeros(len(points))]).astype(np.float32), kinds, rays, 0.0).hits

    def add(self, seen: SeenScan) -> dict[str, dict[str, FloatArray]]:
        """Of each submap the points `(N, 2)` [m] that it shows."""
        shown = {}
        for name, submap in self.submaps.items():
            begin = time.perf_counter()
            everything = submap.extended(seen.scan, seen.T_odom_base).points
            self.times.append((time.perf_counter() - begin) * 1e3)
            view = self._view(everything)
            shown[name] = {"scan": seen.scan.points, "view": view, "all": everything}
        return shown


def main() -> None:
    """Print a row for each setting."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--area", type=Path, default=MADE / "kitti_07.gpkg")
    options.add_argument("--model", type=Path, default=MADE / "model_0.safetensors")
    options.add_argument("--bag", type=Path, default=MADE / "kitti_07")
    options.add_argument("--kind", default=CloudConfig().kind, help="of extraction (default: %(default)s)")
    options.add_argument("--scans", type=int, default=180, help="measured; the submap takes them all (default: %(default)s)")
    options.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "submap")
    given = options.parse_args()
    area, model, bag = read_area(given.area), load_checkpoint(given.model), BagReader(given.bag)
    config, truth = LocalizerConfig(cloud=CloudConfig(kind=given.kind)), bag.truth()
    assert truth is not None, f"{given.bag} has no truth"
    verifier = Verifier(area, BuildingRaster.from_area(area, config.raster, raster_cache(given.area)), config.verification)
    renderer, submaps = ScanRenderer(model.config.tile), Submaps(model.config.tile.range_m)
    ranks: dict[str, list[float]] = defaultdict(list)
    errors: dict[str, list[float]] = defaultdict(list)
    every = max(1, bag.cloud_count // given.scans)
    for k, seen in enumerate(seen_scans(bag, config, model.config.tile)):
        shown = submaps.add(seen)
        east, north, _ = truth.at([seen.scan.stamp_s], area.plane)[0]
        if k % every or not np.isfinite(east):
            continue
        rows = [("one scan", "scan", "scan", seen.scan.points, seen.scan.points)]
        rows += [(f"{name}: ", a, b, points[a], points[b]) for name, points in shown.items() for a, b in SHOWN]
        for name, a, b, pictured, verified in rows:
            row = name if name == "one scan" else f"{name}{a}, {b}"
            guesses = model.network.hypotheses(renderer.tile(pictured).image, config.verification.cells)
            west, south, right, top = guesses.region.T
            inside = (west <= east) & (east <= right) & (south <= north) & (north <= top)
            ranks[row].append(float(np.argmax(inside)) if inside.any() else np.inf)
            answers = verifier.answers(verified, guesses)
            errors[row].append(np.hypot(answers[0].T_map_base.x - east, answers[0].T_map_base.y - north) if answers else np.inf)
    report(given.out, ranks, errors, submaps.times)


def report(out: Path, ranks: dict[str, list[float]], errors: dict[str, list[float]], times_ms: list[float]) -> None:
    """One line a row, then the time of adding a scan."""
    results: dict[str, Any] = {"scans": len(ranks["one scan"]), "add_ms": percentiles(times_ms[100:])}
    lines = ["| network sees, verified is | truth in best 1 / 5 / 20 | answer within 1 / 5 m |", "|---|---|---|"]
    for row in ranks:
        best = [float(np.mean(np.array(ranks[row]) < r)) for r in RANKS]
        near = [float(np.mean(np.array(errors[row]) <= m)) for m in METRES]
        results[row] = {"in_best": best, "within": near}
        columns = [" / ".join(f"{100 * v:.1f}" for v in shares) + " %" for shares in (best, near)]
        lines.append(f"| {row} | {columns[0]} | {columns[1]} |")
    numbers = results["add_ms"]
    lines.append(f"{results['scans']} scans; adding a scan: mean {numbers['mean']:.2f}, p95 {numbers['p95']:.2f} ms")
    out.mkdir(parents=True, exist_ok=True)
    store(out, results, "\n".join(lines))


if __name__ == "__main__":
    main()
