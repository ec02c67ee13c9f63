# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tiles rendered a second, in steady state: 96 x 96 px, 360 beams, 50 m (1 min; --area AREA.gpkg for a real city)."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.osm import read_osm
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import BUILDINGS_AND_ROADS, TrainConfig
from urban_map_loc.mapnet.cells import PositionCells, drivable_cells
from urban_map_loc.simulation.town import write_town
from urban_map_loc.tile.from_map import NO_EFFECTS, MapRenderer
from urban_map_loc.training.sampler import RoadSampler

CONFIG = TrainConfig()


def rate(render: Callable[[], object], tiles: int, seconds: float) -> float:
    """Tiles a second over about so many seconds, after a first call that compiles."""
    render()
    start, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() - start < seconds:
        render()
        calls += 1
    return calls * tiles / (time.perf_counter() - start)


def main() -> None:
    """Print a row for each choice of channels and effects."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--area", type=Path, metavar="AREA.gpkg", help="default: a generated town")
    options.add_argument("--batch", type=int, default=2048, help="tiles at a time")
    options.add_argument("--seconds", type=float, default=4.0, help="of each row")
    args = options.parse_args()
    area = read_area(args.area) if args.area else _town()
    cells = PositionCells(drivable_cells(area, CONFIG.network), CONFIG.network.cell_size_m)
    poses = RoadSampler(area, CONFIG.sampler, cells).draw(args.batch, np.random.default_rng(0))
    raster, roads = BuildingRaster.from_area(area, CONFIG.raster), RoadRaster.from_area(area, CONFIG.raster, CONFIG.roads)
    print("| channels | scan effects | tiles/s |\n|---|---|---|", flush=True)
    for tile in (replace(CONFIG.tile, sectors=360), replace(CONFIG.tile, sectors=360, channels=BUILDINGS_AND_ROADS)):
        compiled = MapRenderer(raster, tile, roads)
        for name, effects in (("none", NO_EFFECTS), ("as in training", CONFIG.effects)):
            figure = rate(lambda e=effects, r=compiled: r.tiles(poses, e), args.batch, args.seconds)
            print(f"| {tile.channels} | {name} | {figure:,.0f} |", flush=True)


def _town() -> AreaMap:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "town.osm"
        write_town(path, seed=0)
        return read_osm([path])


if __name__ == "__main__":
    main()
