# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Drives and maps to start a localizer on: real and simulated, on the right map, on a poor one, and on a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from pipeline import ROOT, step
from pipeline.drives import Drive, of_bag, simulated
from pipeline.starts import with_every_cell, with_network
from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import read_area, write_area
from urban_map_loc.area.osm import read_osm
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.config import CloudConfig, LocalizerConfig, TileConfig
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.simulation.route import town_route
from urban_map_loc.simulation.town import write_town

MADE = ROOT / "build" / "benchmark"
ROUTE = "robotcar/2014-12-02-15-30-08/ins_at_images.csv"
STRETCHES_S = ((35.0, 364.0), (595.9, 1336.8), (1979.0, 2365.0))  # of that run inside the Oxford box
SIMULATED_HZ = 5.0
TOWN_SEEDS = (11, 12, 13, 14)
TOWN_ROUTE_M = 1200.0
SCALE, TURN_RAD_M = 1.03, float(np.radians(0.01))  # odometry that is 3 % long and turns 1 degree in 100 m


@dataclass(frozen=True)
class Scenario:
    """Drives, each with a localizer on some map; where `off_map` is set, they are elsewhere and every lock is wrong."""

    parts: list[tuple[Localizer, Drive]]
    off_map: bool = False
    kidnaps: int = 0


@dataclass(frozen=True)
class Made:
    """Where things are, and what they are run with."""

    data: Path
    out: Path
    config: LocalizerConfig

    def kept(self, name: str) -> Path:
        """Where the answers of a scenario are kept."""
        return self.out / f"answers_{name}.npz"

    def kitti(self) -> Drive:
        """KITTI 07."""
        return self.drive("kitti", lambda: of_bag(BagReader(MADE / "kitti07" / "kitti_07"), CloudConfig(), TileConfig()))

    def oxford(self, stretch: int) -> Drive:
        """A stretch of the RobotCar route with a simulated HDL-64; its odometry is the truth."""
        start, end = STRETCHES_S[stretch]
        route, area = Trajectory.read_csv(self.data / ROUTE), self.area("oxford")
        return self.drive(f"oxford_{stretch}", lambda: simulated(area, route, "hdl64", 0, start, end - start, SIMULATED_HZ))

    def drive(self, name: str, make: Callable[[], Drive]) -> Drive:
        """A drive from its file, made once."""
        path = self.out / f"{name}.npz"
        if not path.is_file():
            make().save(path)
        return Drive.load(path)

    def area(self, name: str) -> AreaMap:
        """The map of a benchmark."""
        return read_area(MADE / {"kitti": "kitti07/kitti_07.gpkg", "oxford": "oxford/oxford.gpkg"}[name])

    def town(self, seed: int) -> AreaMap:
        """A generated town."""
        path = self.out / f"town_{seed}.osm"
        if not path.is_file():
            write_town(path, seed)
        return read_osm(path)

    def trained(self, name: str, key: str = "") -> Localizer:
        """With the benchmark's network, on its map."""
        model = load_checkpoint(MADE / {"kitti": "kitti07", "oxford": "oxford"}[name] / "model_0.safetensors")
        return with_network(self.area(name), model, self.config, self.kept(key or name))

    def shown(self, area: AreaMap, key: str) -> Localizer:
        """With the packaged weights, shown a map that lacks some of what is there."""
        path = self.out / f"{key}.gpkg"
        model = path.with_suffix(".safetensors")
        if not model.is_file():
            write_area(area, path)
            step("train", path, "--out", model)
        return with_network(area, load_checkpoint(model), self.config, self.kept(key))

    def everywhere(self, area: AreaMap, key: str) -> Localizer:
        """Without a network: every cell is looked at, at every search."""
        return with_every_cell(area, self.config, self.kept(key))


def without(area: AreaMap, gone: NDArray[np.bool_]) -> AreaMap:
    """The map without some of its buildings."""
    names = ("buildings_wgs84", "building_heights", "building_ids", "building_min_heights")
    return replace(area, **{name: getattr(area, name)[~gone] for name in names})


def missing(area: AreaMap, share: float, seed: int) -> AreaMap:
    """The map without a random share of its buildings."""
    return without(area, np.random.default_rng(seed).random(len(area.buildings)) < share)


def away_from(area: AreaMap, drive: Drive, metres: float = 60.0) -> AreaMap:
    """The map without the buildings that the drive comes near to: the same kind of place, but never this one."""
    route = shapely.LineString(drive.truth.poses(area.plane)[:, :2])
    return without(area, shapely.dwithin(area.buildings, route, metres))


def thinned(area: AreaMap, metres: float, seed: int) -> tuple[AreaMap, NDArray[np.bool_]]:
    """One building about every so many metres of road, and which ones are gone."""
    count = int(shapely.length(area.roads).sum() / metres)
    gone = np.ones(len(area.buildings), dtype=bool)
    gone[np.random.default_rng(seed).permutation(len(gone))[:count]] = False
    return without(area, gone), gone


def sparse(area: AreaMap, drive: Drive, metres: float, seed: int) -> tuple[AreaMap, Drive]:
    """A real drive made a suburb: one building about every so many metres of road, on the map and in the scans."""
    alone, gone = thinned(area, metres, seed)
    tree = shapely.STRtree(area.buildings)

    def stays(places: NDArray[np.float64], pose: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Hits of what is left; those of no building at all stay too."""
        nearest = tree.nearest(shapely.points(places))
        near = shapely.distance(area.buildings[nearest], shapely.points(places)) < 2.0
        return np.where(near, ~gone[nearest], True)

    return alone, drive.seen(stays, area)


SCENARIOS: dict[str, Callable[[Made], Scenario]] = {}


def scenario(name: str) -> Callable[[Callable[[Made], Scenario]], Callable[[Made], Scenario]]:
    """Register under a name."""

    def register(make: Callable[[Made], Scenario]) -> Callable[[Made], Scenario]:
        SCENARIOS[name] = make
        return make

    return register


@scenario("kitti")
def _kitti(made: Made) -> Scenario:
    """KITTI 07 with its own odometry."""
    return Scenario([(made.trained("kitti"), made.kitti())])


@scenario("kitti-drift")
def _kitti_drift(made: Made) -> Scenario:
    """KITTI 07, its odometry 3 % long and turning 1 degree in 100 m."""
    return Scenario([(made.trained("kitti"), made.kitti().distorted(SCALE, TURN_RAD_M))])


@scenario("kitti-missing-30")
def _kitti_missing(made: Made) -> Scenario:
    """KITTI 07, 30 % of the map's buildings missing."""
    return Scenario([(made.shown(missing(made.area("kitti"), 0.3, 1), "kitti_missing_30"), made.kitti())])


@scenario("kitti-sparse-50")
def _kitti_sparse_50(made: Made) -> Scenario:
    """KITTI 07 with one building per 50 m of road, in the scans as on the map; every cell is looked at."""
    area, drive = sparse(made.area("kitti"), made.kitti(), 50.0, 1)
    return Scenario([(made.everywhere(area, "kitti_sparse_50"), drive)])


@scenario("kitti-sparse-100")
def _kitti_sparse_100(made: Made) -> Scenario:
    """KITTI 07 with one building per 100 m of road, in the scans as on the map; every cell is looked at."""
    area, drive = sparse(made.area("kitti"), made.kitti(), 100.0, 1)
    return Scenario([(made.everywhere(area, "kitti_sparse_100"), drive)])


@scenario("kitti-kidnapped")
def _kitti_kidnapped(made: Made) -> Scenario:
    """KITTI 07, carried from one place to another 20 times."""
    return Scenario([(made.trained("kitti"), made.kitti())], kidnaps=20)


@scenario("oxford")
def _oxford(made: Made) -> Scenario:
    """RobotCar's route in Oxford, simulated HDL-64, odometry 3 % long and turning 1 degree in 100 m."""
    localizer = made.trained("oxford")
    return Scenario([(localizer, made.oxford(k).distorted(SCALE, TURN_RAD_M)) for k in range(3)])


@scenario("oxford-missing-30")
def _oxford_missing(made: Made) -> Scenario:
    """The same, 30 % of the map's buildings missing."""
    localizer = made.shown(missing(made.area("oxford"), 0.3, 1), "oxford_missing_30")
    return Scenario([(localizer, made.oxford(k).distorted(SCALE, TURN_RAD_M)) for k in (0, 2)])


@scenario("oxford-kidnapped")
def _oxford_kidnapped(made: Made) -> Scenario:
    """Oxford, carried from one place to another 20 times."""
    localizer = made.trained("oxford")
    return Scenario([(localizer, made.oxford(k).distorted(SCALE, TURN_RAD_M)) for k in range(3)], kidnaps=20)


def _town_drive(made: Made, seed: int) -> Drive:
    area = made.town(seed)
    route = town_route(area, seed, TOWN_ROUTE_M)
    length_s = float(route.time_s[-1] - route.time_s[0])
    return made.drive(f"town_{seed}", lambda: simulated(area, route, "hdl32", seed, 0.0, length_s, SIMULATED_HZ))


@scenario("towns")
def _towns(made: Made) -> Scenario:
    """Generated towns, simulated HDL-32, odometry wrong by up to 3 %; every cell is looked at."""
    scales = np.linspace(0.97, 1.03, len(TOWN_SEEDS))
    drives = [_town_drive(made, seed).distorted(float(s), TURN_RAD_M) for seed, s in zip(TOWN_SEEDS, scales, strict=True)]
    return Scenario([(made.everywhere(made.town(s), f"town_{s}"), d) for s, d in zip(TOWN_SEEDS, drives, strict=True)])


@scenario("suburbs")
def _suburbs(made: Made) -> Scenario:
    """Generated towns of which one building per 100 m of road is left, between trees, hedges and cars; every cell is looked at."""
    parts = []
    for seed in TOWN_SEEDS[:2]:
        area, _ = thinned(made.town(seed), 100.0, seed)
        route = town_route(area, seed, TOWN_ROUTE_M)
        length_s = float(route.time_s[-1] - route.time_s[0])
        drive = made.drive(f"suburb_{seed}", lambda: simulated(area, route, "hdl64", seed, 0.0, length_s, SIMULATED_HZ))  # noqa: B023
        parts.append((made.everywhere(area, f"suburb_{seed}"), drive.distorted(1.01, TURN_RAD_M)))
    return Scenario(parts)


@scenario("kitti-on-oxford")
def _kitti_on_oxford(made: Made) -> Scenario:
    """KITTI 07 on Oxford's map."""
    return Scenario([(made.trained("oxford", key="kitti_on_oxford"), made.kitti())], off_map=True)


@scenario("oxford-on-kitti")
def _oxford_on_kitti(made: Made) -> Scenario:
    """Oxford on KITTI 07's map."""
    localizer = made.trained("kitti", key="oxford_on_kitti")
    return Scenario([(localizer, made.oxford(0)), (localizer, made.oxford(2))], off_map=True)


@scenario("kitti-away")
def _kitti_away(made: Made) -> Scenario:
    """KITTI 07 on its map without the buildings within 60 m of the route; every cell is looked at."""
    return Scenario([(made.everywhere(away_from(made.area("kitti"), made.kitti()), "kitti_away"), made.kitti())], off_map=True)


@scenario("oxford-away")
def _oxford_away(made: Made) -> Scenario:
    """Oxford on its map without the buildings within 60 m of the route; every cell is looked at."""
    drive = made.oxford(2)
    return Scenario([(made.everywhere(away_from(made.area("oxford"), drive), "oxford_away"), drive)], off_map=True)


@scenario("towns-swapped")
def _towns_swapped(made: Made) -> Scenario:
    """Each town's drive on the next town's map, of the same generator; every cell is looked at."""
    others = (*TOWN_SEEDS[1:], TOWN_SEEDS[0])
    parts = [(made.everywhere(made.town(other), f"town_{s}_on_{other}"), _town_drive(made, s)) for s, other in zip(TOWN_SEEDS, others)]  # noqa: B905
    return Scenario(parts, off_map=True)
