# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Oxford, a real RobotCar route on the real map with three simulated sensors: push-broom, HDL-32 and stereo (about 15 min).

The packaged weights are shown the map, for each sensor as it sees it (--minutes trains them on), and the localizer has the settings that
docs/cloud.md and docs/training.md recommend. The world is that of `simulate --world street`: hills, people, fences, and a map that is some
years old.
"""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

from oxford import ROUTE
from pipeline import data_folder, parser, step, store, table

from urban_map_loc.config import WORLDS
from urban_map_loc.simulation.lidar import SENSORS

SEED = 0


class Chain(NamedTuple):
    """What a sensor needs: options of `simulate`, and settings of `train` and `localize`."""

    simulate: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    localize: tuple[str, ...] = ()


STEREO = SENSORS["stereo"]
CHAINS = {
    # Clouds are strips of the last 40 m, as `convert robotcar` makes them; training draws such tiles.
    "lms151": Chain(train=("effects.strips=1.0",)),
    "hdl32": Chain(simulate=("--sweep",)),
    "stereo": Chain(
        train=(f"tile.field_of_view_rad={STEREO.field_of_view_rad:.4f}", f"tile.range_m={STEREO.maximum_m:.1f}"),
        localize=(f"cloud.depth_noise_per_m={STEREO.depth_noise_per_m:.5f}", "submap.window_m=40.0"),
    ),
}


def settings(values: tuple[str, ...]) -> list[str]:
    """As options."""
    return [word for value in values for word in ("--set", value)]


def measured(area: Path, route: Path, sensor: str, given: Namespace) -> dict[str, Any]:
    """Train, simulate, localize and evaluate one sensor; the metrics, with the durations of the steps [s]."""
    chain = CHAINS[sensor]
    model, bag, run = given.out / f"{sensor}.safetensors", given.out / f"drive_{sensor}", given.out / f"run_{sensor}"
    durations = {}
    if not (given.reuse and model.is_file()):
        budget = ("--minutes", str(given.minutes)) if given.minutes else ()
        durations["train"] = step("train", area, "--out", model, *budget, "--seed", str(SEED), *settings(chain.train))
    if not (given.reuse and bag.is_dir()):
        where = ("--duration", str(given.duration), *(() if given.start is None else ("--start", str(given.start))))
        choice = ("--sensor", sensor, "--seed", str(SEED), "--rate", str(given.rate), "--world", given.world, *where, *chain.simulate)
        durations["simulate"] = step("simulate", area, "--route", route, "--out", bag, *choice)
    durations["localize"] = step("localize", bag, "--area", area, "--model", model, "--out", run, *settings(chain.localize))
    durations["evaluate"] = step("evaluate", run)
    given.pictures.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "map.png", given.pictures / f"oxford_{sensor}.png")
    if not given.reuse:
        shutil.rmtree(bag)  # a gigabyte each
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return metrics | {"durations_s": durations}


def main() -> None:
    """The table, one column a sensor, and a picture each."""
    options = parser(__doc__ or "", "oxford_sensors", minutes=0.0)
    options.add_argument("--sensors", nargs="+", choices=tuple(CHAINS), default=list(CHAINS), help="default: all three")
    options.add_argument("--world", choices=tuple(WORLDS), default="street", help="of `simulate` (default: %(default)s)")
    options.add_argument("--rate", type=float, default=5.0, help="clouds a second (default: %(default)s)")
    options.add_argument("--duration", type=float, default=300.0, help="seconds of the longest stretch in the area (default: %(default)s)")
    options.add_argument("--start", type=float, default=None, help="seconds after the route's start (default: the longest stretch's start)")
    options.add_argument("--pictures", type=Path, default=None, help="folder for the pictures (default: in --out)")
    given = options.parse_args()
    given.pictures = given.pictures or given.out / "pictures"
    data = data_folder(given.data)
    given.out.mkdir(parents=True, exist_ok=True)
    area = given.out / "oxford.gpkg"
    step("area", "build", "--osm", data / "oxford" / "oxford.osm", "--out", area)
    results: dict[Any, dict[str, Any]] = {sensor: measured(area, data / ROUTE, sensor, given) for sensor in given.sensors}
    store(given.out, results, table(results, {}).replace("| seed ", "| "))


if __name__ == "__main__":
    main()
