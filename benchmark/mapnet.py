# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The MapNet family on one map with the same minutes: what each network answers by itself, simulated and on real scans.

`--map kitti07` measures on the map's own tiles and on KITTI 07's real building ranges, `--map oxford` on its own tiles. What is
trained already is kept under --out with `--reuse`, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from pipeline import ROOT, data_folder, step, store
from pipeline.network import network_alone

from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.raster import raster_cache
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.tile.from_map import NO_EFFECTS
from urban_map_loc.training.batches import Drives, TileBatches
from urban_map_loc.training.validation import validate

# Each member of the family: the flags of `train` that make it.
FAMILY = {
    "cells": [],
    "cells, only shown the map": ["--steps", "0"],
    "cells, from random weights": ["--start", "none"],
    "cells, resnet34": ["--preset", "resnet34", "--set", "network.reference_spacing_m=4"],
    "MapNet regression": ["--head", "regression"],
    "MapNet regression, resnet34": ["--head", "regression", "--preset", "resnet34"],
    "PoseNet": ["--head", "regression", "--set", "sampler.tuple_length=1", "--set", "criterion.weights=fixed"],
}
# Variants of the criterion, measured when named.
VARIANTS = {
    "cells, tuples of 3": ["--set", "sampler.tuple_length=3"],
    "cells, tuples of 3, absolute term": ["--set", "sampler.tuple_length=3", "--set", "criterion.relative_weight=0"],
    "MapNet regression, log quaternion": ["--head", "regression", "--set", "network.rotation=log_quaternion"],
    "PoseNet, resnet34": [
        *("--head", "regression", "--preset", "resnet34"),
        *("--set", "sampler.tuple_length=1", "--set", "criterion.weights=fixed"),
    ],
}
MAPS = {"kitti07": "kitti/07/map.osm", "oxford": "oxford/oxford.osm"}
SIMULATED = {
    "simulated: median [m]": "median_m",
    "simulated: within 5 m": "within_5_m",
    "simulated: within 10 m": "within_10_m",
    "simulated: true cell in best 1": "true_cell_in_best_1",
    "simulated: true cell in best 20": "true_cell_in_best_20",
}
# The sensor alone, without anything in its way or wrong in the map, but for two vans about the car: what the prototype was judged by.
LIGHT = replace(NO_EFFECTS, range_noise_m=0.15, dropout=0.1, vehicles=2.0)
REAL = {
    "real: median [m]": "median_m",
    "real: within 5 m": "within_5_m",
    "real: within 10 m": "within_10_m",
    "real: truth in best 20": "in_best_20",
}


def figures(area: Path, model: Path, bag: Path | None) -> dict[str, Any]:
    """What one model reaches, and its size."""
    checkpoint = load_checkpoint(model)
    summary = checkpoint.summary
    batches = TileBatches(read_area(area), replace(checkpoint.config, effects=LIGHT), raster_cache(area))
    light = validate(checkpoint.network, batches.drives(Drives.VALIDATION, checkpoint.config.training.validation_tiles))
    real = network_alone(model, area, bag) if bag else {}
    return {
        "minutes": summary["minutes"],
        "steps": summary["steps"],
        "size_mb": model.stat().st_size / 1e6,
        **{name: summary["validation"].get(key) for name, key in SIMULATED.items()},
        **{name.replace("simulated", "light effects"): light.get(key) for name, key in SIMULATED.items()},
        **{name: real.get(key) for name, key in REAL.items() if bag},
    }


def shown(name: str, values: list[float | None]) -> str:
    """Median over seeds, and all of them where there are several."""
    there = [v for v in values if v is not None]
    if not there:
        return "–"
    scale, unit = (1.0, "") if "[m]" in name or name in ("minutes", "steps", "size_mb") else (100.0, " %")
    alone = [f"{scale * v:.1f}" for v in there]
    return f"{scale * median(there):.1f}{unit}" + (f" ({', '.join(alone)})" if len(alone) > 1 else "")


def main() -> None:
    """Train and measure each member once a seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--map", choices=MAPS, default="kitti07", help="default: %(default)s")
    parser.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    parser.add_argument(
        "--family", nargs="+", choices=FAMILY | VARIANTS, default=list(FAMILY), help="default: all but variants of the criterion"
    )
    parser.add_argument("--minutes", type=float, default=15.0, help="training budget of each (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="a budget in steps instead: the same on a machine that has other work to do")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="default: 0")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "mapnet", help="default: %(default)s")
    parser.add_argument("--reuse", action="store_true", help="keep models that are there already")
    options = parser.parse_args()
    out = options.out / options.map
    out.mkdir(parents=True, exist_ok=True)
    data, area = data_folder(options.data), out / "area.gpkg"
    step("area", "build", "--osm", data / MAPS[options.map], "--out", area)
    bag = out / "drive" if options.map == "kitti07" else None
    if bag and not bag.is_dir():
        step("convert", "kitti", data / "kitti" / "07", "--out", bag)
    budget = ["--minutes", str(options.minutes)] if options.steps is None else ["--steps", str(options.steps)]
    results: dict[str, list[dict[str, Any]]] = {}
    for name in options.family:
        for seed in options.seeds:
            model = out / f"{name.replace(', ', '_').replace(' ', '_')}_{seed}.safetensors"
            if not (options.reuse and model.is_file()):
                flags = (FAMILY | VARIANTS)[name]
                step("train", area, "--out", model, *([] if "--steps" in flags else budget), "--seed", str(seed), *flags)
            results.setdefault(name, []).append(figures(area, model, bag))
            (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    rows = list(next(iter(results.values()))[0])
    lines = ["| | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    lines += [f"| {row} | " + " | ".join(shown(row, [f[row] for f in found]) for found in results.values()) + " |" for row in rows]
    store(out, results, "\n".join(lines))


if __name__ == "__main__":
    main()
