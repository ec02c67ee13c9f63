# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Adapting to KITTI 07's first half, measured on its second (about 10 min a seed): does a drive without known poses help?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline import data_folder, parser, step, store
from pipeline.network import network_alone

from urban_map_loc.bags.reader import BagReader


def main() -> None:
    """Train, then go on in three ways, and measure each on the second half of the drive."""
    options = parser(__doc__ or "", "adapt", minutes=0.0)
    options.add_argument("--steps", type=int, default=300, help="further steps of each way (default: %(default)s)")
    options.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="setting of AdaptConfig (repeatable)")
    args = options.parse_args()
    source, out = data_folder(args.data) / "kitti" / "07", args.out
    out.mkdir(parents=True, exist_ok=True)
    area, bag = out / "kitti_07.gpkg", out / "kitti_07"
    if not (args.reuse and area.is_file()):
        step("area", "build", "--osm", source / "map.osm", "--out", area)
    if not (args.reuse and bag.is_dir()):
        step("convert", "kitti", source, "--out", bag)
    half_s = BagReader(bag).duration_s / 2.0
    settings = [word for text in args.set for word in ("--set", text)]
    ways = {
        "further steps on the map alone": ("--set", "drive_tiles=0"),
        "adapted to the first half": ("--end", str(half_s)),
        "adapted to the second half itself": ("--start", str(half_s)),
    }
    results: dict[str, dict[str, Any]] = {}
    for seed in args.seeds:
        trained = out / f"model_{seed}.safetensors"
        if not (args.reuse and trained.is_file()):
            budget = ("--minutes", str(args.minutes)) if args.minutes else ()
            step("train", area, "--out", trained, *budget, "--seed", str(seed))
        results[f"trained, seed {seed}"] = measured(trained, area, bag, half_s)
        for name, choice in ways.items():
            model = out / f"{name.replace(' ', '_')}_{seed}.safetensors"
            if not (args.reuse and model.is_file()):
                step(
                    "adapt",
                    trained,
                    bag,
                    "--area",
                    area,
                    "--out",
                    model,
                    "--steps",
                    str(args.steps),
                    "--seed",
                    str(seed),
                    *choice,
                    *settings,
                )
            results[f"{name}, seed {seed}"] = measured(model, area, bag, half_s)
    store(out, results, table(results))


def measured(model: Path, area: Path, bag: Path, start_s: float) -> dict[str, Any]:
    """The network alone, and network and map together on single scans, from `start_s` [s] on."""
    run = model.with_suffix(".run")
    step("localize", bag, "--area", area, "--model", model, "--out", run, "--start", str(start_s))
    step("evaluate", run)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return {**network_alone(model, area, bag, start_s), "single_scan_within_5_m": metrics["single_scan"]["within_5_m"]}


def table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown: one line a model."""
    columns = {
        "network alone: best within 5 m": "within_5_m",
        "truth in best 1": "in_best_1",
        "best 5": "in_best_5",
        "best 20": "in_best_20",
        "verified on the map: within 5 m": "single_scan_within_5_m",
    }
    lines = ["| second half of KITTI 07 | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    lines += [f"| {name} | " + " | ".join(f"{100.0 * row[key]:.1f} %" for key in columns.values()) + " |" for name, row in results.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
