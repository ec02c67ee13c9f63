# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc simulate`: a drive with a simulated sensor."""

from __future__ import annotations

import argparse
from pathlib import Path

from urban_map_loc.cli.arguments import add_set_option, not_negative, positive, seed
from urban_map_loc.config import WORLDS, simulation_config

HELP = "simulate a lidar or stereo pair and odometry along a route"
SENSOR_NAMES = ("hdl64", "hdl32", "vlp16", "stereo", "lms151")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simulate`."""
    parser.add_argument("area", type=Path, metavar="AREA.gpkg", help="area file from `area build`")
    parser.add_argument("--route", type=Path, required=True, metavar="ROUTE.csv", help="poses over time, or RobotCar's ins.csv")
    parser.add_argument("--out", type=Path, required=True, metavar="BAG", help="bag folder to write")
    parser.add_argument(
        "--sensor", choices=SENSOR_NAMES, default="hdl64", help="lidar, stereo pair or push-broom scanner (default %(default)s)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the world, the noise and the odometry (default %(default)s)")
    parser.add_argument("--rate", type=positive, metavar="HZ", help="scans per second (default 10)")
    parser.add_argument(
        "--world",
        choices=tuple(WORLDS),
        default="plain",
        help="plain: parked cars, trees, hedges, traffic, shifted buildings; street: hills, people, fences and an outdated map besides "
        "(default %(default)s)",
    )
    parser.add_argument(
        "--gnss",
        default="none",
        metavar="WHAT",
        help="none, simulated, or the gps.csv of the RobotCar run that the route is (default none)",
    )
    parser.add_argument("--sweep", action="store_true", help="points as a moving car sees them, with their times, not motion compensated")
    parser.add_argument("--labels", action="store_true", help="write each point's class into the field label (SemanticKITTI)")
    parser.add_argument("--start", type=not_negative, metavar="S", help="seconds after the route's start (default: longest stretch)")
    parser.add_argument("--duration", type=positive, metavar="S", help="seconds to drive at most")
    add_set_option(parser, "any setting of the simulation (docs/simulation.md), such as slope=0.05")


def run(args: argparse.Namespace) -> None:
    """Simulate the drive and say what is in the bag.

    Raises:
        AreaError: the area file is missing or damaged.
        ConfigurationError: a setting that does not exist or is out of range.
        BagError: the route or the receiver's file is missing, damaged or does not pass through the area.
        OutputError: the bag cannot be written.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.geometry.trajectory import Trajectory
    from urban_map_loc.simulation.drive import simulate

    config = simulation_config(args.world, dict(args.set) | ({"sweep": True} if args.sweep else {}))
    area = read_area(args.area)
    route = Trajectory.read_csv(args.route)
    columns = (TextColumn("scans"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("scans", total=None)
        drive = simulate(
            area,
            route,
            args.out,
            args.sensor,
            args.seed,
            rate_hz=args.rate,
            labels=args.labels,
            start_s=args.start,
            duration_s=args.duration,
            gnss=args.gnss if args.gnss in ("none", "simulated") else Path(args.gnss),
            config=config,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(
        f"{args.out}: {drive.clouds} clouds of {drive.mean_points:.0f} points, {drive.length_m:.0f} m in {drive.duration_s:.1f} s, "
        f"with odometry{f', {drive.fixes} fixes' if drive.fixes else ''} and truth"
    )
