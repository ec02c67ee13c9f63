# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What an atlas costs and whether it is as good as one area: KITTI 07's map, or a larger one around it, split into regions.

Building, training, a region's loading and memory, the network alone and the verified answer across all regions, a scout's pass, and
KITTI's real drive with few regions in memory: errors, jumps at borders, and the slowest scan while regions are loaded beside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from pipeline import ROOT, data_folder, step, store

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.atlas import read_atlas
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.osm import read_osm
from urban_map_loc.area.regions import build_atlas
from urban_map_loc.area.side_by_side import side_by_side
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import SeenScan, seen_scans
from urban_map_loc.config import AtlasConfig, LocalizerConfig, RegionsConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.localization.atlas.ground import AtlasGround
from urban_map_loc.localization.atlas.region import ReadyRegion, load_region
from urban_map_loc.localization.atlas.scout import Scout
from urban_map_loc.localization.ground import Ground
from urban_map_loc.localization.loading import load_ground
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.search import Search
from urban_map_loc.localization.timing import StageTimer
from urban_map_loc.tile.from_cloud import ScanRenderer

NTH_SCAN = 10  # of the drive, for answers to single scans


def resident_mb() -> float:
    """Memory of this process now [MB]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and how long it took [s]."""
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def alone(ground: Ground, scans: list[SeenScan], truth: np.ndarray) -> dict[str, float]:
    """Answers to single scans: the network's first guess and best 20 against the truth `(N, 3)`, and how long they take."""
    renderer, search = ScanRenderer(ground.trained.tile), Search(ground.network, ground.verifier)
    first, among, network_ms, verified, verified_ms = [], [], [], [], []
    for seen, true in zip(scans, truth, strict=True):
        image = renderer.tile(seen.scan.points).image
        found, seconds = timed(lambda image=image: ground.network.hypotheses(image, 20))
        error = np.hypot(*(found.poses[:, :2] - true[:2]).T)
        west, south, east, north = found.region.T
        first.append(error[0] <= 5.0)
        among.append(((west <= true[0]) & (true[0] <= east) & (south <= true[1]) & (true[1] <= north)).any())
        network_ms.append(1e3 * seconds)
        answers, seconds = timed(lambda seen=seen, image=image: search.answers(seen.scan, image, StageTimer()))
        best = answers.poses[0].T_map_base if answers.poses else Pose2(np.inf, np.inf, 0.0)
        verified.append(np.hypot(best.x - true[0], best.y - true[1]) <= 5.0)
        verified_ms.append(1e3 * seconds)
    return {
        "network alone, first guess within 5 m [%]": 100.0 * float(np.mean(first)),
        "network alone, truth in best 20 [%]": 100.0 * float(np.mean(among)),
        "verified, within 5 m [%]": 100.0 * float(np.mean(verified)),
        "network's answer, median [ms]": float(np.median(network_ms)),
        "verified answer, median [ms]": float(np.median(verified_ms)),
    }


def drive(localizer: Localizer, scans: list[SeenScan], truth: np.ndarray) -> dict[str, Any]:
    """The whole drive, one scan after the other: errors, jumps of the map frame, durations."""
    errors, durations, work, jumps, first_lock = [], [], [], [], None
    before: Pose2 | None = None
    for seen, true in zip(scans, truth, strict=True):
        localizer.add_odometry(seen.scan.stamp_s, seen.T_odom_base)
        began = time.thread_time()
        result, seconds = timed(lambda seen=seen: localizer.add_scan(seen.scan))
        work.append(1e3 * (time.thread_time() - began))
        durations.append(1e3 * seconds)
        now = localizer.T_map_odom
        if result.estimate is not None:
            first_lock = seen.scan.stamp_s - scans[0].scan.stamp_s if first_lock is None else first_lock
            errors.append(float(np.hypot(result.estimate.T_map_base.x - true[0], result.estimate.T_map_base.y - true[1])))
            if before is not None and now is not None:
                jumps.append((before @ seen.T_odom_base).distance_to(now @ seen.T_odom_base))
        before = now
    return {
        "locked after [s]": first_lock,
        "locked [% of scans]": 100.0 * len(errors) / len(scans),
        "position error while locked, mean [m]": float(np.mean(errors)) if errors else None,
        "position error while locked, max [m]": max(errors, default=None),
        "largest step of the map frame between scans [m]": max(jumps, default=None),
        "a scan, mean [ms]": float(np.mean(durations)),
        "a scan, slowest [ms]": max(durations),
        "a scan, processor time of its thread, mean [ms]": float(np.mean(work)),
        "a scan, processor time of its thread, most [ms]": max(work),
    }


def loads(folder: Path) -> dict[str, float]:
    """Loading every region, in a process of its own, and what one takes in memory once its map has been looked at."""
    atlas, config = read_atlas(folder), LocalizerConfig(device="cpu", atlas=AtlasConfig(regions_in_memory=10_000))
    durations: list[float] = []

    def load(*arguments: Any) -> ReadyRegion:
        region, seconds = timed(lambda: load_region(*arguments))
        durations.append(seconds)
        if len(durations) == 1:
            began.append(resident_mb())  # the libraries are there, and one region
        touched.append(int(region.verifier.raster.distance.astype(int).sum() + region.verifier.raster.building.astype(int).sum()))
        return region

    began: list[float] = []
    touched: list[int] = []
    ground = AtlasGround(atlas, config, load=load)
    count = len(ground.ready.regions)
    return {
        "first load of a process [s]": durations[0],
        "load of a region, median [s]": float(np.median(durations[1:] or durations)),
        "load of a region, longest but the first [s]": max(durations[1:] or durations),
        "memory of a region, all of its map looked at [MB]": (resident_mb() - began[0]) / max(count - 1, 1),
    }


def scouting(folder: Path, first: ReadyRegion, scans: list[SeenScan], truth: np.ndarray) -> dict[str, float]:
    """How long a pass over all regions takes, and how often the car's is the likeliest, or among four, after one scan and after eight."""
    atlas = read_atlas(folder)
    scout = Scout(atlas, 8)
    renderer, seconds = ScanRenderer(first.trained.tile), []
    ranks = []
    for k, (seen, true) in enumerate(zip(scans, truth, strict=True)):
        image = renderer.tile(seen.scan.points).image
        seconds.append(timed(lambda image=image: scout.look(image, first))[1])
        likeliest = scout.likeliest()
        (own,) = atlas.owner(true[None, :2])
        ranks.append(likeliest.index(own) if own in likeliest else len(atlas.regions))
        if k % 8 == 7:
            scout.forget()
    after = np.array(ranks)
    return {
        "scout, first pass [s]": seconds[0],
        "scout, pass, median [s]": float(np.median(seconds[1:])),
        "scout, the car's region likeliest after one scan [%]": 100.0 * float(np.mean(after[::8] == 0)),
        "scout, the car's region among four after eight scans [%]": 100.0 * float(np.mean(after[7::8] < 4)),
    }


def larger(data: Path, towns: list[Path]) -> AreaMap:
    """KITTI 07's map with Oxford's and towns' beside it."""
    return side_by_side(read_osm(data / "kitti/07/map.osm"), [read_osm(data / "oxford/oxford.osm"), *map(read_osm, towns)], 5)


def main() -> None:
    """One area, split and whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    parser.add_argument("--with-oxford", action="store_true", help="Oxford's map beside KITTI 07's")
    parser.add_argument("--towns", type=Path, nargs="*", default=[], help="with Oxford: OpenStreetMap files beside it")
    parser.add_argument("--region-size", type=float, default=400.0, help="[m] (default: %(default)s)")
    parser.add_argument("--memory", type=int, default=4, help="regions in memory while driving (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="processes that train (default: %(default)s)")
    parser.add_argument("--drive", action="store_true", help="also drive, in one area and in the atlas")
    parser.add_argument("--whole", type=Path, nargs=2, metavar=("AREA", "MODEL"), help="the same map as one area, for comparison")
    parser.add_argument("--scans", type=int, help="so many of the drive's scans (default: all)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="passed on to train (repeatable)")
    parser.add_argument("--bag", type=Path, help="KITTI 07 as a bag (default: converted)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "atlas", help="default: %(default)s")
    parser.add_argument("--reuse", action="store_true", help="keep an atlas that is there already")
    parser.add_argument("--loads", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loads:
        print(json.dumps(loads(options.loads)))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    data, folder, bag = data_folder(options.data), options.out / "regions", options.bag or options.out / "kitti_07"
    if not bag.is_dir():
        step("convert", "kitti", data / "kitti" / "07", "--out", bag)
    figures: dict[str, Any] = {}
    settings = [word for given in options.set for word in ("--set", given)]
    if not (options.reuse and folder.is_dir()):
        area = larger(data, options.towns) if options.with_oxford else read_osm(data / "kitti/07/map.osm")
        if options.whole:
            area = read_area(options.whole[0])
        _, figures["building [s]"] = timed(lambda: build_atlas(area, folder, RegionsConfig(size_m=options.region_size)))
        figures["training [s]"] = step("train", folder, "--jobs", str(options.jobs), "--device", "cpu", *settings)
    config = LocalizerConfig(device="cpu")
    everything = replace(config, atlas=AtlasConfig(regions_in_memory=10_000))
    atlas = read_atlas(folder)
    ground = AtlasGround(atlas, everything, wait=True)
    scans = list(islice(seen_scans(BagReader(bag), config, ground.trained.tile), options.scans))
    truth = Trajectory.read_csv(bag / "truth.csv").at(np.array([seen.scan.stamp_s for seen in scans]), atlas.plane)
    models = {"regions": len(atlas.regions), "models together [MB]": sum(r.model.stat().st_size for r in atlas.regions) / 1e6}
    models["references"] = sum(len(region.head.references) for region in ground.ready.regions)
    loaded = json.loads(subprocess.run([sys.executable, __file__, "--loads", folder], capture_output=True, text=True, check=True).stdout)
    watched = scouting(folder, ground.ready.regions[0], scans[::NTH_SCAN], truth[::NTH_SCAN])
    results = {"atlas": figures | models | loaded | watched | alone(ground, scans[::NTH_SCAN], truth[::NTH_SCAN])}
    if options.whole:
        results["one area"] = alone(load_ground(*options.whole, config), scans[::NTH_SCAN], truth[::NTH_SCAN])
    if options.drive:
        few = replace(config, atlas=AtlasConfig(regions_in_memory=options.memory, load_ahead_m=100.0))
        # As fast as it goes a second of loading is many of driving: hence a drive in which loads take no time, and one for durations.
        results["atlas"] |= drive(Localizer(AtlasGround(atlas, few, wait=True), few), scans, truth)
        beside = drive(Localizer(AtlasGround(atlas, few), few), scans, truth)
        results["atlas"] |= {name: value for name, value in beside.items() if name.startswith("a scan")}
        if options.whole:
            results["one area"] |= drive(Localizer.load(*options.whole, config), scans, truth)
    lines = ["| | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for row in dict.fromkeys(name for found in results.values() for name in found):
        cells = ["–" if found.get(row) is None else f"{found[row]:.3g}" for found in results.values()]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    store(options.out, results, "\n".join(lines))


if __name__ == "__main__":
    main()
