# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc benchmark`: this system and others side by side on your own area and drives."""

from __future__ import annotations

import argparse
from pathlib import Path

from urban_map_loc.cli.arguments import add_set_option, at_least_one, positive, seed

HELP = "compare this system with others on an area and drives of your own"
NO_BUDGET_MINUTES = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `benchmark`."""
    parser.add_argument("area", type=Path, metavar="AREA.gpkg", help="area file from `urban_map_loc area build`")
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="drives in the area whose truth is known")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where results are kept; the same command again goes on")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--minutes", type=positive, metavar="M", help=f"training time of each system that learns (default {NO_BUDGET_MINUTES:g})"
    )
    budget.add_argument("--steps", type=at_least_one, metavar="N", help="optimizer steps instead")
    parser.add_argument("--systems", nargs="+", default=[], metavar="NAME", help="some of them only (default all; --list shows the names)")
    parser.add_argument("--list", action=_ListSystems, nargs=0, help="show the systems, with where they were published, and end")
    parser.add_argument("--seeds", type=seed, nargs="+", default=[0], metavar="S", help="one training each (default 0)")
    parser.add_argument(
        "--growth", type=positive, nargs="+", default=[], metavar="RADIUS", help="besides: size and time on pieces of the area, radii [m]"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default %(default)s")
    add_set_option(parser, "a setting of the model file, or of a system as in baselines.ring_match.sigma_m=2")


class _ListSystems(argparse.Action):
    """Print the systems' names and sources."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from urban_map_loc.baselines.registry import SYSTEMS, key_of

        for system in SYSTEMS:
            print(f"{key_of(system):30} {system.name}: {system.source}")
        parser.exit()


def run(args: argparse.Namespace) -> None:
    """Train, index and ask all systems; write benchmark.csv, benchmark.md and pictures, and print the tables.

    Raises:
        AreaError, BagError, ConfigurationError, OutputError: in one line each.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from urban_map_loc.baselines.comparison import Wanted, compare, prepare

    minutes = 0.0 if args.steps else args.minutes or NO_BUDGET_MINUTES
    wanted = Wanted(
        args.area, tuple(args.bags), args.out, minutes, args.steps or 0, tuple(args.systems), tuple(args.seeds), tuple(args.growth)
    )
    prepared = prepare(wanted, dict(args.set))  # before the bar: what is wrong is said in one line
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=1.0, words="")

        def report(row: str, done: float, words: str) -> None:
            if bar.tasks[0].description != row or done < bar.tasks[0].completed:
                bar.reset(task, description=row, words=words)
            bar.update(task, completed=done, words=words)

        text, files = compare(prepared, args.device, report)
    print(f"{text}\n{args.out}: {', '.join(files)}")
