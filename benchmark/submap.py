"""A tile of one scan or of the last metres: what network and verification answer to each, on a recorded drive (5 min).

Made for the files that benchmark/kitti07.py and benchmark/oxford.py leave; other ones can be named.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pipeline import ROOT, percentiles, store

from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.raster import BuildingRaster, raster_cache
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import SeenScan, seen_scans
from urban_map_loc.cloud.submap import Submap
from urban_map_loc.config import CloudConfig, LocalizerConfig, SubmapConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.tile.from_cloud import ScanRenderer

MADE = ROOT / "build" / "benchmark" / "kitti07"
WINDOWS_M = (10.0, 20.0, 40.0, 80.0)
MINIMUM_SCANS = (1, 2, 3)
RANKS = (1, 5, 20)
SCAN = "one scan"
SCANS_OF_A_DRIVE = 200  # measured; the submap takes them all


def sources(range_m: float, times: dict[str, list[float]]) -> Iterator[tuple[str, Callable[[SeenScan, bool], FloatArray | None]]]:
    """What a tile can be drawn from: its name, and a function of each scan that gives points `(N, 2)` [m] where they are wanted."""
    yield SCAN, lambda seen, wanted: seen.scan.points
    for window in WINDOWS_M:
        for needed in MINIMUM_SCANS:
            submap = Submap(SubmapConfig(window_m=window, minimum_scans=needed), range_m)

            def points(seen: SeenScan, wanted: bool, submap: Submap = submap, view: bool = True) -> FloatArray | None:
                begin = time.perf_counter()
                submap.add(seen.scan.stamp_s, seen.scan.points, seen.T_odom_base)
                middle = time.perf_counter()
                times["add"].append((middle - begin) * 1e3)
                if not wanted:
                    return None
                if not view:
                    return np.concatenate([seen.scan.points, submap.points(seen.T_odom_base)])
                seen_points = submap.view(seen.scan.points, seen.T_odom_base)
                times["view"].append((time.perf_counter() - middle) * 1e3)
                return seen_points

            yield f"{window:g} m, {needed} scans, seen from here", points
            if needed == 1:
                yield f"{window:g} m, {needed} scans, all of it", lambda seen, wanted, points=points: points(seen, wanted, view=False)


def main() -> None:
    """Print a row for each kind of tile."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--area", type=Path, default=MADE / "kitti_07.gpkg")
    options.add_argument("--model", type=Path, default=MADE / "model_0.safetensors")
    options.add_argument("--bag", type=Path, default=MADE / "kitti_07")
    options.add_argument("--kind", default=CloudConfig().kind, help="of extraction (default: %(default)s)")
    options.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "submap")
    given = options.parse_args()
    area, model, bag = read_area(given.area), load_checkpoint(given.model), BagReader(given.bag)
    config, tile = LocalizerConfig(cloud=CloudConfig(kind=given.kind)), model.config.tile
    verifier = Verifier(area, BuildingRaster.from_area(area, config.raster, raster_cache(given.area)), config.verification)
    renderer, truth = ScanRenderer(tile), bag.truth()
    assert truth is not None, f"{given.bag} has no truth"
    times: dict[str, list[float]] = defaultdict(list)
    kinds = list(sources(tile.range_m, times))
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)  # rank of the true region, error of the answer [m]
    every = max(1, bag.cloud_count // SCANS_OF_A_DRIVE)
    for k, seen in enumerate(seen_scans(bag, config, tile)):
        east, north, _ = truth.at([seen.scan.stamp_s], area.plane)[0]
        wanted = k % every == 0 and bool(np.isfinite(east))
        for name, points_of in kinds:
            points = points_of(seen, wanted)
            if not wanted or points is None:
                continue
            guesses = model.network.hypotheses(renderer.tile(points).image, config.verification.cells)
            west, south, right, top = guesses.region.T
            inside = (west <= east) & (east <= right) & (south <= north) & (north <= top)
            answers = verifier.answers(points, guesses)
            error = np.hypot(answers[0].T_map_base.x - east, answers[0].T_map_base.y - north) if answers else np.inf
            found[name].append((float(np.argmax(inside)) if inside.any() else np.inf, float(error)))
    store_table(given.out, found, times)


def store_table(out: Path, found: dict[str, list[tuple[float, float]]], times: dict[str, list[float]]) -> None:
    """One row a kind of tile, then the times."""
    results: dict[str, Any] = {}
    lines = ["| tile | truth in best 1 / 5 / 20 of the network | verified answer within 1 / 5 m |", "|---|---|---|"]
    for name, values in found.items():
        rank, error = np.array(values).T
        best, near = [float(np.mean(rank < r)) for r in RANKS], [float(np.mean(error <= m)) for m in (1.0, 5.0)]
        results[name] = {"in_best": best, "within": near, "scans": len(values)}
        lines.append(
            f"| {name} | " + " / ".join(f"{100 * v:.1f}" for v in best) + " % | " + " / ".join(f"{100 * v:.1f}" for v in near) + " % |"
        )
    for name, values in times.items():
        numbers = percentiles(values[20:])
        results[f"{name}_ms"] = numbers
        lines.append(f"| {name}: mean {numbers['mean']:.2f}, p95 {numbers['p95']:.2f} ms | | |")
    out.mkdir(parents=True, exist_ok=True)
    store(out, results, "\n".join(lines))


if __name__ == "__main__":
    main()
