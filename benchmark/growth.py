# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Cost and recall against the area's size: KITTI 07's map alone, then with Oxford and generated towns beside it.

The same minutes for every size; without minutes, the packaged weights are only shown the map. Real recall is of KITTI 07's building
ranges, whose place must be found among all others.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pipeline import ROOT, data_folder, memory_mb, step, store
from pipeline.network import network_alone

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import read_area, write_area
from urban_map_loc.area.osm import read_osm
from urban_map_loc.area.raster import BuildingRaster, raster_cache
from urban_map_loc.area.side_by_side import side_by_side
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import seen_scans
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.search import Search
from urban_map_loc.localization.timing import StageTimer
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.mapnet.inference import Inference, choose_device
from urban_map_loc.simulation.town import write_town
from urban_map_loc.tile.from_cloud import ScanRenderer

# A quarter of a square kilometre is cut out of a town.
QUARTER_M = 500.0


def cut(area: AreaMap, side_m: float) -> AreaMap:
    """The square about the middle of the map."""
    west, south, east, north = area.bounds
    x, y = (west + east) / 2, (south + north) / 2
    square = shapely.box(x - side_m / 2, y - side_m / 2, x + side_m / 2, y + side_m / 2)
    inside, there = shapely.intersects(area.buildings, square), shapely.intersects(area.roads, square)
    clipped = [
        shapely.transform(part, lambda p: area.plane.to_geodetic(p)[:, ::-1])
        for road in shapely.intersection(area.roads[there], square)
        for part in shapely.get_parts(road)
        if part.geom_type == "LineString"
    ]
    return AreaMap(
        area.datum,
        area.buildings_wgs84[inside],
        area.building_heights[inside],
        area.building_ids[inside],
        np.array(clipped, dtype=object),
        np.full(len(clipped), "residential", dtype=object),
    )


def square_kilometres(area: AreaMap) -> float:
    """Of the ground within 60 m of a drivable road: gaps between maps do not count."""
    return float(shapely.union_all(shapely.buffer(area.roads, 60.0)).area / 1e6)


def query_ms(model: Path) -> float:
    """Median time [ms] of one answer."""
    checkpoint = load_checkpoint(model)
    inference, seconds = Inference(checkpoint.network, choose_device("cpu")), []
    tile = (np.random.default_rng(0).random((96, 96)) < 0.03).astype(np.uint8)
    for _ in range(30):
        start = time.perf_counter()
        inference.hypotheses(tile, 120)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds) * 1e3)


def verified_ms(model: Path, path: Path, bag: Path, cells: int) -> float:
    """Median time [ms] from a scan of the drive to its answer, tile, network and verification of so many cells included."""
    config, checkpoint = LocalizerConfig(), load_checkpoint(model)
    area = read_area(path)
    verification = replace(config.verification, cells=cells)
    verifier = Verifier(area, BuildingRaster.from_area(area, config.raster, raster_cache(path)), verification)
    search, renderer = Search(Inference(checkpoint.network, choose_device("cpu")), verifier), ScanRenderer(checkpoint.config.tile)
    seconds = []
    for seen in islice(seen_scans(BagReader(bag), config, checkpoint.config.tile), 0, None, 20):
        start = time.perf_counter()
        search.answers(seen.scan, renderer.tile(seen.scan.points).image, StageTimer())
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds) * 1e3)


def load(path: Path, model: Path) -> tuple[float, float, float]:
    """Seconds until a localizer is there, and this process's memory then, resident and without files that are mapped [MB]."""
    start = time.perf_counter()
    localizer = Localizer.load(path, model, LocalizerConfig(), wait=True)
    seconds = time.perf_counter() - start
    resident, anonymous = memory_mb()
    del localizer
    return seconds, resident, anonymous


def loaded(path: Path, model: Path) -> tuple[float, float, float]:
    """`load` in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        return alone.submit(load, path, model).result()


def main() -> None:
    """One training a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    parser.add_argument("--minutes", type=float, default=0.0, help="training budget of each size (default: none)")
    parser.add_argument("--towns", type=int, nargs="+", default=[0, 5, 31], help="generated towns beside the real maps (default: 0 5 31)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "growth", help="default: %(default)s")
    parser.add_argument("--reuse", action="store_true", help="keep models that are there already")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data, bag = data_folder(options.data), options.out / "kitti_07"
    kitti, oxford = read_osm(data / "kitti/07/map.osm"), read_osm(data / "oxford/oxford.osm")
    if not bag.is_dir():
        step("convert", "kitti", data / "kitti" / "07", "--out", bag)
    towns = []
    for seed in range(max(1, *options.towns)):
        path = options.out / f"town_{seed}.osm"
        if not path.is_file():
            write_town(path, 1000 + seed)
        towns.append(read_osm(path))
    areas = {"quarter": (cut(towns[0], QUARTER_M), False), "kitti07": (kitti, True)}
    for count in options.towns:
        columns = max(1, round(np.sqrt(count + 1)))
        areas[f"kitti07, oxford, {count} towns"] = (side_by_side(kitti, [oxford, *towns[:count]], columns), True)
    results: dict[str, dict[str, Any]] = {}
    times: dict[str, float] = {}
    for name, (area, real) in areas.items():
        path = options.out / f"{name.replace(', ', '_').replace(' ', '_')}.gpkg"
        model = path.with_suffix(".safetensors")
        if not (options.reuse and model.is_file()):
            write_area(area, path)
            seconds = step("train", path, "--out", model, *(("--minutes", str(options.minutes)) if options.minutes else ("--steps", "0")))
            times[name] = seconds / 60.0
        summary = load_checkpoint(model).summary
        found = network_alone(model, path, bag) if real else {}
        load_s, resident_mb, anonymous_mb = loaded(path, model)
        results[name] = {
            "area [km²]": square_kilometres(read_area(path)),
            "buildings": len(area.buildings_wgs84),
            "cells": summary["cells"],
            "set-up, training included [min]": times.get(name),
            "model [MB]": model.stat().st_size / 1e6,
            "load to localize [s]": load_s,
            "memory, resident [MB]": resident_mb,
            "memory without mapped files [MB]": anonymous_mb,
            "network's answer [ms]": query_ms(model),
            "verified answer, 20 cells [ms]": verified_ms(model, path, bag, 20) if real else None,
            "verified answer, default [ms]": verified_ms(model, path, bag, LocalizerConfig().verification.cells) if real else None,
            "simulated: within 10 m": 100.0 * summary["validation"]["within_10_m"],
            "simulated: true cell in best 20": 100.0 * summary["validation"]["true_cell_in_best_20"],
            "real: within 5 m": 100.0 * found["within_5_m"] if found else None,
            "real: truth in best 20": 100.0 * found["in_best_20"] if found else None,
        }
        (options.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    rows = list(next(iter(results.values())))
    lines = ["| | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for row in rows:
        values = [found[row] for found in results.values()]
        lines.append(
            f"| {row} | " + " | ".join("–" if v is None else f"{v:.2f}" if row == "area [km²]" else f"{v:.4g}" for v in values) + " |"
        )
    store(options.out, results, "\n".join(lines))
    picture(options.out / "growth.png", results)


def picture(path: Path, results: dict[str, dict[str, Any]]) -> None:
    """Size and time of an answer, and recall, against area."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = sorted(results.values(), key=lambda r: r["area [km²]"])
    area = [r["area [km²]"] for r in rows]
    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.5), layout="constrained")
    plots = (("model [MB]",), ("verified answer, default [ms]",), ("simulated: true cell in best 20", "real: within 5 m"))
    for axis, names in zip(axes, plots, strict=True):
        for name in names:
            axis.plot(area, [np.nan if r[name] is None else r[name] for r in rows], "o-", label=name)
        axis.set_xscale("log")
        axis.set_xlabel("area [km²]")
        axis.legend()
        axis.set_ylim(bottom=0.0)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
