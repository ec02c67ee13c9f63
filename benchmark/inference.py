# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""MapNet's answer to one tile, batch 1, in ms, on processor and GPU (1 min; --area AREA.gpkg for a real city)."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from pipeline import percentiles

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.osm import read_osm
from urban_map_loc.config import TrainConfig, VerificationConfig
from urban_map_loc.mapnet.cells import PositionCells, drivable_cells
from urban_map_loc.mapnet.inference import Inference
from urban_map_loc.mapnet.network import NO_REFERENCES, MapNet
from urban_map_loc.mapnet.references import reference_poses
from urban_map_loc.simulation.town import write_town

CONFIG = TrainConfig()
NETWORKS = (("small", "cells"), ("small", "regression"), ("resnet34", "cells"), ("resnet34", "regression"))
WARM_UP = 10


def main() -> None:
    """Print a row for each network, device and number of threads. Weights do not matter to the time: the networks are untrained."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--area", type=Path, metavar="AREA.gpkg", help="default: a generated town")
    options.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="on the processor (default: 1 2)")
    options.add_argument("--answers", type=int, default=200, help="timed, of each row (default: %(default)s)")
    args = options.parse_args()
    area = read_area(args.area) if args.area else _town()
    print("| network | head | views of the map | device | p50 [ms] | p95 [ms] |\n|---|---|---|---|---|---|", flush=True)
    for preset, head in NETWORKS:
        network = _network(area, preset, head)
        views = len(getattr(network.head, "reference_poses", ())) or "–"
        for threads in args.threads:
            torch.set_num_threads(threads)
            row(f"| {preset} | {head} | {views} | {threads} thread{'s' * (threads > 1)} |", network, torch.device("cpu"), args.answers)
        if torch.cuda.is_available():
            row(f"| {preset} | {head} | {views} | {torch.cuda.get_device_name()} |", network, torch.device("cuda"), args.answers)


def row(beginning: str, network: MapNet, device: torch.device, answers: int) -> None:
    """Print a row: from the tile in memory to the hypotheses in memory."""
    inference, count = Inference(network, device), VerificationConfig().cells
    tiles = (np.random.default_rng(0).random((answers + WARM_UP, CONFIG.tile.size_px, CONFIG.tile.size_px)) < 0.05).astype(np.uint8)
    times = []
    for tile in tiles:
        begin = time.perf_counter()
        inference.hypotheses(tile, count)
        times.append((time.perf_counter() - begin) * 1e3)
    figures = percentiles(times[WARM_UP:])
    print(f"{beginning} {figures['p50']:.2f} | {figures['p95']:.2f} |", flush=True)


def _network(area: AreaMap, preset: str, head: str) -> MapNet:
    config = replace(CONFIG.network, preset=preset, head=head)
    centres = drivable_cells(area, config)
    references = reference_poses(area, config, PositionCells(centres, config.cell_size_m)) if head == "cells" else NO_REFERENCES
    return MapNet(config, CONFIG.tile, centres, references).eval()


def _town() -> AreaMap:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "town.osm"
        write_town(path, seed=0)
        return read_osm([path])


if __name__ == "__main__":
    main()
