# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""How fast drives are simulated, scans a second of each sensor in each world; the simulated GNSS receiver against RobotCar's (1 min)."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np
from oxford import ROUTE
from pipeline import ROOT, data_folder, store
from shapely import LineString

from urban_map_loc.area.osm import read_osm
from urban_map_loc.config import WORLDS, SimulationConfig, simulation_config
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.simulation.drive import SENSOR_NAMES, simulate, stretches
from urban_map_loc.simulation.gnss import Fixes, hidden_sky, recorded_fixes, simulated_fixes
from urban_map_loc.simulation.route import town_route
from urban_map_loc.simulation.town import write_town
from urban_map_loc.simulation.world import build_world

ROUTE_M = 300.0
WANTED = {"hdl64": 5.0}  # scans a second
RECEIVER = "robotcar/2014-12-02-15-30-08/gps.csv"
LONG_S = 60.0  # stretches of the route that are worth a row
SEEDS = range(5)


def measured(town: Path, sensor: str, world: str, seconds: float, bag: Path) -> dict[str, float | str]:
    """One row: a drive of so many seconds at 10 Hz, written into a bag. The world is built before the clock starts."""
    area = read_osm(town)
    route: Trajectory = town_route(area, 0, ROUTE_M)
    stamps: list[float] = []
    spent: list[float] = []  # of all threads: this does not depend on what else the machine does
    begin = time.perf_counter()

    def note(done: int, total: int) -> None:
        stamps.append(time.perf_counter())
        spent.append(time.process_time())

    drive = simulate(
        area,
        route,
        bag,
        sensor,
        0,
        start_s=8.0,
        duration_s=seconds,
        config=simulation_config(world, {}),
        progress=note,
    )
    shutil.rmtree(bag)
    return {
        "sensor": sensor,
        "world": world,
        "points a cloud": round(drive.mean_points),
        "clouds a second": round((len(stamps) - 1) / (stamps[-1] - stamps[0]), 1),
        "processor time a cloud [ms]": round(1e3 * (spent[-1] - spent[0]) / (len(spent) - 1)),
        "set up [s]": round(stamps[0] - begin, 1),
    }


def receivers(data: Path) -> list[dict[str, str | int]]:
    """Error of RobotCar's receiver against the INS, and of simulated ones, on each stretch of the run inside the map [m]."""
    area, route = read_osm(data / "oxford" / "oxford.osm"), Trajectory.read_csv(data / ROUTE)
    recorded, config, rows = recorded_fixes(data / RECEIVER), SimulationConfig(), list[dict[str, str | int]]()
    for first, last in stretches(area, route):
        begin, end = float(route.time_s[first]), float(route.time_s[last - 1])
        if end - begin < LONG_S:
            continue
        stamps = np.arange(begin, end, 1.0 / config.gnss_rate_hz)
        poses = route.at(stamps, area.plane)
        world = build_world(area, LineString(poses[:, :2]), config, np.random.default_rng(0))

        def percentiles(fixes: Fixes) -> list[float]:
            position = area.plane.to_enu(fixes.lat_lon_deg[:, 0], fixes.lat_lon_deg[:, 1])
            error = np.hypot(*(position - route.at(fixes.stamp_s, area.plane)[:, :2]).T)
            return [float(value) for value in np.percentile(error, [50, 90, 95, 100])]

        simulated = [percentiles(simulated_fixes(world, stamps, poses, area.plane, config, np.random.default_rng(s))) for s in SEEDS]
        real = percentiles(recorded.between(begin, end))
        row: dict[str, str | int] = {"stretch [s]": round(end - begin)}
        row["sky hidden, median"] = f"{100.0 * np.median(hidden_sky(world, poses[::5, :2]).mean(axis=(1, 2))):.0f} %"
        row["recorded: median / 90 % / 95 % / max"] = " / ".join(f"{value:.1f}" for value in real)
        row[f"simulated, mean of {len(SEEDS)} seeds"] = " / ".join(f"{value:.1f}" for value in np.mean(simulated, axis=0))
        rows.append(row)
    return rows


def markdown(rows: list[dict[str, str | int]] | list[dict[str, float | str]]) -> list[str]:
    """Lines of a table."""
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    return [*lines, *("| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows)]


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "simulator", help="default: %(default)s")
    options.add_argument("--seconds", type=float, default=5.0, help="of each drive (default: %(default)s)")
    options.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    given = options.parse_args()
    data = data_folder(given.data)
    given.out.mkdir(parents=True, exist_ok=True)
    town = given.out / "town.osm"
    write_town(town, 0)
    measured(town, "vlp16", "plain", 1.0, given.out / "drive")  # what is loaded and compiled once
    rows = [measured(town, sensor, world, given.seconds, given.out / "drive") for sensor in SENSOR_NAMES for world in WORLDS]
    slow = [row for row in rows if float(row["clouds a second"]) < WANTED.get(str(row["sensor"]), 0.0)]
    errors = receivers(data)
    lines = [*markdown(rows), "", "hdl64 at 5 clouds a second or more: " + ("NO" if slow else "yes"), "", *markdown(errors)]
    store(given.out, json.loads(json.dumps({"speed": rows, "gnss": errors})), "\n".join(lines))


if __name__ == "__main__":
    main()
