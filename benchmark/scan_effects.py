# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What real scans suffer: real against rendered ranges (1 min), and what each scan effect is worth to MapNet (--ablation).

With --channels, buildings alone are compared with buildings and roads instead, on simulated drives: the real ranges have no roads.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pipeline import data_folder, parser, store
from pipeline.real_scans import RANGE_M, SECTORS, RealScans, kitti_00, kitti_07

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.osm import read_osm
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import BUILDINGS, BUILDINGS_AND_ROADS, ScanEffectsConfig, TileConfig, TrainConfig
from urban_map_loc.geometry.pose2 import wrap_angle
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.settings import from_dict, nested
from urban_map_loc.tile.from_map import NO_EFFECTS, MapRenderer
from urban_map_loc.training.batches import TileBatches
from urban_map_loc.training.run import train

BINS_M = ((0, 10), (10, 15), (15, 20), (20, 30), (30, 40), (40, 50), (0, 50))
AGREE_M = 2.0
# What the tables leave out: other sensors than the one that made the ranges, and maps that are off as a whole, as this one hardly is.
ONE_SENSOR = {"skipped_beams": 0, "range_cut": 0.0, "narrow_views": 0.0, "submaps": 0.0, "strips": 0.0, "map_shift_m": 0.0}
KINDS = ("scan", "view", "submap", "strip")
# How far back, and how wrong: nothing without the shares that they belong to.
LENGTHS = ("submap_m", "strip_m", "odometry_drift")
GROUPS = {
    "noise and dropout": ("range_noise_m", "dropout", "far_dropout", "tilt_rad"),
    "beams and range": ("skipped_beams", "range_cut"),
    "narrow views": ("narrow_views",),
    "submaps and strips": ("submaps", "strips"),
    "vehicles and vegetation": ("vehicles", "vegetation"),
    "walls that one of map and world lacks": ("extra_walls", "missing_buildings", "bare_walls"),
    "displaced walls": ("moved_building_m", "simplified_m"),
    "a shifted map": ("map_shift_m",),
}
VALIDATION_SEED = (2**31 - 29, 0)


def rendered(render: MapRenderer, poses: NDArray[np.float64], effects: ScanEffectsConfig, seed: int = 0) -> NDArray[np.float64]:
    """Ranges `(N, 360)` [m] as the real ones are kept: the nearest in the sector centred at k degrees, 0 where there is none."""
    points = render.points(poses, effects, seed)
    ranges = np.hypot(points[..., 0], points[..., 1])
    there = ranges < RANGE_M
    sector = np.rint(np.degrees(np.arctan2(points[..., 1], points[..., 0]))[there]).astype(int) % SECTORS
    nearest = np.full((len(poses), SECTORS), np.inf)
    np.minimum.at(nearest, (np.nonzero(there)[0], sector), ranges[there])
    return np.where(np.isfinite(nearest), nearest, 0.0)


def differences(ranges: NDArray[np.float64], clean: NDArray[np.float64]) -> dict[str, list[float]]:
    """How ranges differ from the map's clean view: a column for each bin of the clean range, each figure a row."""
    rows: dict[str, list[float]] = {}
    for low, high in BINS_M:
        expected = (clean > 0.0) & (clean >= low) & (clean < high)
        hit, error = ranges[expected] > 0.0, ranges[expected] - clean[expected]
        near = hit & (np.abs(error) <= AGREE_M)
        for name, value in {
            "none": np.mean(~hit),
            "nearer": np.mean(hit & (error < -AGREE_M)),
            "farther": np.mean(hit & (error > AGREE_M)),
            "median error of the others [m]": np.median(np.abs(error[near])),
            "90 % [m]": np.percentile(np.abs(error[near]), 90),
        }.items():
            rows.setdefault(name, []).append(float(value))
    return rows


def whole_scan(ranges: NDArray[np.float64], clean: NDArray[np.float64]) -> dict[str, float]:
    """Figures of whole scans: sectors with a hit, how much that varies, hits where the map has nothing, how long gaps are."""
    lost = (clean > 0.0) & (ranges == 0.0)
    gaps = np.concatenate([_runs(row) for row in lost])
    return {
        "sectors with a hit": float(np.mean(ranges > 0.0)),
        "of those where the map has nothing": float(np.mean(ranges[clean == 0.0] > 0.0)),
        "spread of the share of walls lost in a scan": float(np.std(lost.sum(1) / np.maximum((clean > 0.0).sum(1), 1))),
        "gaps of 3 degrees and more in a scan": float(np.sum(gaps >= 3) / len(ranges)),
        "their median length [deg]": float(np.median(gaps[gaps >= 3])),
    }


def _runs(row: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Lengths of the runs of True around a circle."""
    edges = np.flatnonzero(row != np.roll(row, 1))
    lengths = np.diff(np.append(edges, edges[:1] + len(row)))
    return lengths[row[edges]]


def statistics(data: Path, area: AreaMap, effects: ScanEffectsConfig) -> str:
    """The table of real against rendered ranges."""
    raster = BuildingRaster.from_area(area, TrainConfig().raster)
    render = MapRenderer(raster, TileConfig(range_m=RANGE_M))
    columns, bins, wholes = [], [], []
    for name, scans in (("07", kitti_07(data, area)), ("00", kitti_00(data, area, raster))):
        clean = rendered(render, scans.poses, NO_EFFECTS)
        repeated = np.tile(scans.poses, (-(-1000 // len(scans.poses)), 1))
        with_effects = rendered(render, repeated, replace(effects, **ONE_SENSOR))
        for title, ranges, expected in (
            (f"{name} real", scans.ranges_m, clean),
            (f"{name} rendered", with_effects, np.tile(clean, (len(repeated) // len(clean), 1))),
        ):
            columns.append(title)
            bins.append(differences(ranges, expected))
            wholes.append(whole_scan(ranges, expected))
    lines = ["| | range [m] | " + " | ".join(columns) + " |", "|---|---|" + "---|" * len(columns)]
    for figure in bins[0]:
        for k, (low, high) in enumerate(BINS_M):
            lines.append(f"| {figure if k == 0 else ''} | {low}–{high} | " + " | ".join(f"{b[figure][k]:.2f}" for b in bins) + " |")
    lines += [f"| {figure} | | " + " | ".join(f"{w[figure]:.2f}" for w in wholes) + " |" for figure in wholes[0]]
    return "\n".join(lines)


def variants(effects: ScanEffectsConfig, each: bool) -> Iterator[tuple[str, ScanEffectsConfig]]:
    """The defaults, none at all, and every group of effects switched off, or every single one."""
    yield "all", effects
    yield "none", NO_EFFECTS
    singly = {f.name: (f.name,) for f in fields(effects) if f.name not in LENGTHS and getattr(effects, f.name) != 0.0}
    for title, names in (singly if each else GROUPS).items():
        yield f"without {title}", replace(effects, **dict.fromkeys(names, 0))


def judged(hypotheses: list[Hypotheses], poses: NDArray[np.float64]) -> dict[str, float]:
    """Shares of tiles: best hypothesis within 5 m of the truth, truth in the best 20 cells."""
    best = np.stack([h.poses[0] for h in hypotheses])
    near = np.hypot(*(best - poses)[:, :2].T) <= 5.0
    pairs = zip((h.region for h in hypotheses), poses[:, :2], strict=True)
    inside = [bool(np.any(np.all((region[:, :2] <= p) & (p <= region[:, 2:]), axis=1))) for region, p in pairs]
    turned = np.abs(wrap_angle(best[:, 2] - poses[:, 2]))[near]
    return {
        "within_5_m": float(near.mean()),
        "in_best_20": float(np.mean(inside)),
        "heading_within_10_deg": float(np.mean(turned < np.radians(10.0))) if near.any() else 0.0,
    }


def trained(area: AreaMap, config: TrainConfig, out: Path, reuse: bool) -> Path:
    """A model of this configuration."""
    if not (reuse and out.is_file()):
        train(area, config, out, cache=out.parent / "raster")
    return out


def on_real(model: Path, scans: RealScans, every: int) -> dict[str, dict[str, float]]:
    """What a model says to real scans as each kind of sensor would have them."""
    checkpoint = load_checkpoint(model)
    frames = np.arange(every - 1, len(scans.poses), every)
    results = {}
    for kind in KINDS:
        tiles = scans.tiles(kind, frames, checkpoint.config.tile)
        results[kind] = judged([checkpoint.network.hypotheses(tile, 20) for tile in tiles], scans.poses[frames])
    return results


def on_simulated(area: AreaMap, model: Path, config: TrainConfig, count: int) -> dict[str, float]:
    """What a model says to simulated tiles with the effects of `config`, at places never trained on."""
    checkpoint = load_checkpoint(model)
    batch = TileBatches(area, config, model.parent / "raster").draw(VALIDATION_SEED, count)
    return judged([checkpoint.network.hypotheses(tile, 20) for tile in batch.tiles.numpy()], batch.poses.double().numpy())


def ablation(area: AreaMap, data: Path, base: TrainConfig, options: argparse.Namespace) -> None:
    """Train a model for each variant and seed; print and keep the table."""
    scans = kitti_07(data, area)
    results: dict[str, list[dict[str, dict[str, float]]]] = {}
    for name, effects in variants(base.effects, options.each):
        if options.only and name not in options.only:
            continue
        for seed in options.seeds:
            out = options.out / f"{name.replace(' ', '_')}_{seed}.safetensors"
            config = replace(base, effects=effects, seed=seed)
            found = on_real(trained(area, config, out, options.reuse), scans, options.every)
            results.setdefault(name, []).append(found | {"simulated": on_simulated(area, out, base, options.validation)})
            print(f"{name}, seed {seed}: {results[name][-1]}", flush=True)
        store(options.out, results, _table(results))


def channels(area: AreaMap, base: TrainConfig, options: argparse.Namespace) -> None:
    """Buildings alone against buildings and roads, trained and judged on simulated drives."""
    results: dict[str, list[dict[str, dict[str, float]]]] = {}
    for name in (BUILDINGS, BUILDINGS_AND_ROADS):
        for seed in options.seeds:
            config = replace(base, tile=replace(base.tile, channels=name), seed=seed)
            out = options.out / f"{name.replace('+', '_')}_{seed}.safetensors"
            trained(area, config, out, options.reuse)
            results.setdefault(name, []).append({"simulated": on_simulated(area, out, config, options.validation)})
    store(options.out, results, _table(results))


def _table(results: dict[str, list[dict[str, dict[str, float]]]]) -> str:
    """In percent, the mean over seeds: truth in the best 20 cells / best within 5 m."""
    kinds = list(next(iter(results.values()))[0])
    lines = ["| effects | " + " | ".join(kinds) + " |", "|---|" + "---|" * len(kinds)]
    for name, seeds in results.items():
        cells = (f"{_mean(seeds, kind, 'in_best_20'):.1f} / {_mean(seeds, kind, 'within_5_m'):.1f}" for kind in kinds)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _mean(seeds: list[dict[str, dict[str, float]]], kind: str, figure: str) -> float:
    return 100.0 * float(np.mean([seed[kind][figure] for seed in seeds]))


def main() -> None:
    """Statistics, or one of the trainings."""
    options = parser(__doc__ or "", "scan_effects", minutes=0.0)
    options.add_argument("--ablation", action="store_true", help="train with every group of effects switched off in turn")
    options.add_argument("--each", action="store_true", help="ablate every effect by itself instead of groups of them")
    options.add_argument("--channels", action="store_true", help="train on buildings alone and with roads")
    options.add_argument("--steps", type=int, default=1500, help="training of each variant (default: %(default)s)")
    options.add_argument("--every", type=int, default=4, help="real scans judged: every so manyth (default: %(default)s)")
    options.add_argument("--validation", type=int, default=1000, help="simulated tiles judged (default: %(default)s)")
    options.add_argument("--only", nargs="+", default=[], metavar="VARIANT", help='some variants, such as "all" "without dropout"')
    options.add_argument("--effects", nargs="+", default=[], metavar="NAME=VALUE", help="strengths to try instead of the defaults")
    args = options.parse_args()
    torch.set_num_threads(max(torch.get_num_threads(), 1))
    data = data_folder(args.data)
    args.out.mkdir(parents=True, exist_ok=True)
    area = read_osm([data / "kitti" / "07" / "map.osm"])
    strengths = {name: float(value) for name, _, value in (word.partition("=") for word in args.effects)}
    settings = {"training.minutes": args.minutes, "training.steps": 0 if args.minutes else args.steps}
    base = from_dict(TrainConfig, nested(settings))
    base = replace(base, effects=replace(base.effects, **strengths))
    if args.ablation:
        ablation(area, data, base, args)
    elif args.channels:
        channels(area, base, args)
    else:
        print(statistics(data, area, base.effects))


if __name__ == "__main__":
    main()
