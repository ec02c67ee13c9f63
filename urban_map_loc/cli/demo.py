# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc demo`: everything once, offline: a town, its map, a model, a drive, the real node over DDS, the result.

Each step is the command that a user would type, and is shown as such.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from urban_map_loc.config import TrainingConfig

HELP = "map, train, drive, localize through the node over DDS, evaluate: offline"

ROUTE_M = 520.0  # about a minute's drive
TOWN_SEED, ROUTE_SEED, DRIVE_SEED = 7, 3, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `demo`."""
    parser.add_argument("--out", type=Path, default=Path("build/demo"), metavar="FOLDER", help="for all files (default: %(default)s)")
    parser.add_argument(
        "--minutes",
        type=float,
        default=TrainingConfig().minutes,
        help="training time; kept for the next time (default: %(default)g, shown alone)",
    )


def run(args: argparse.Namespace) -> None:
    """Run all steps; a model that an earlier demo trained for the same town and settings is used again.

    Raises:
        UrbanMapLocError: from any of the steps.
    """
    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.cli.through_node import drive_through_node
    from urban_map_loc.simulation.route import town_route
    from urban_map_loc.simulation.town import write_town

    out: Path = args.out
    town, area_file, model, route, bag, result = (
        out / name for name in ("town.osm", "town.gpkg", "town.safetensors", "route.csv", "drive", "run")
    )
    _say(f"a generated town: {town}")
    write_town(town, TOWN_SEED)
    _command("area", "build", "--osm", town, "--out", area_file)
    area = read_area(area_file)
    if _is_trained(model, area.content_hash, args.minutes):
        _say(f"{model} is trained for this town already; delete it to train again")
    else:
        _command("train", area_file, "--out", model, *(("--minutes", args.minutes) if args.minutes else ()))
    town_route(area, ROUTE_SEED, ROUTE_M).write_csv(route)
    _command("simulate", area_file, "--route", route, "--out", bag, "--sensor", "vlp16", "--seed", DRIVE_SEED)
    _say(f"{bag} is played to localizer_node over DDS, in real time")
    answered, clouds = drive_through_node(area_file, model, bag, result)
    print(f"localizer_node answered to {answered} of {clouds} clouds")
    _command("evaluate", result)
    print(f"picture: {result / 'map.png'}\nreport: {result / 'report.html'}")


def _say(text: str) -> None:
    print(f"# {text}", file=sys.stderr, flush=True)


def _command(*words: object) -> None:
    from urban_map_loc.cli.main import parser

    argv = [str(word) for word in words]
    print(f"$ urban_map_loc {shlex.join(argv)}", file=sys.stderr, flush=True)
    args = parser().parse_args(argv)
    args.run(args)


def _is_trained(model: Path, area_hash: str, minutes: float) -> bool:
    """Whether an earlier demo has trained just this."""
    from urban_map_loc.config import TrainConfig
    from urban_map_loc.errors import ModelError
    from urban_map_loc.mapnet.checkpoint import load_checkpoint

    if not model.is_file():
        return False
    try:
        checkpoint = load_checkpoint(model)
    except ModelError:
        return False
    return checkpoint.config == TrainConfig(training=TrainingConfig(minutes=minutes)) and checkpoint.area_hash == area_hash
