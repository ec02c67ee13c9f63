# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc adapt`: a trained model learns on from a recorded drive."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from urban_map_loc.cli.arguments import add_set_option, not_negative, positive, seed
from urban_map_loc.config import AdaptConfig, LocalizerConfig

if TYPE_CHECKING:
    from urban_map_loc.bags.replay import SeenScan

HELP = "let a model learn on from a drive with odometry, its poses unknown"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `adapt`."""
    config = AdaptConfig()
    parser.add_argument("model", type=Path, metavar="MODEL.safetensors", help="model from `urban_map_loc train`; it stays as it is")
    parser.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder with /points and /odom, driven in the model's area")
    parser.add_argument("--area", type=Path, required=True, metavar="AREA.gpkg", help="area file that the model was trained on")
    parser.add_argument("--out", type=Path, required=True, metavar="ADAPTED.safetensors", help="model file to write")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=positive, metavar="M", help=f"time budget (default {config.minutes:g})")
    budget.add_argument("--steps", type=int, metavar="N", help="number of steps instead: the same steps give the same model")
    parser.add_argument("--start", type=not_negative, default=0.0, metavar="SECONDS", help="use the drive from so long after its start")
    parser.add_argument("--end", type=positive, metavar="SECONDS", help="use it until so long after its start (default: to the end)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default %(default)s")
    parser.add_argument("--seed", type=seed, default=config.seed, metavar="S", help="default %(default)s")
    add_set_option(parser, "any other setting of AdaptConfig, such as tuple_length=6")


def run(args: argparse.Namespace) -> None:
    """Adapt, with a progress bar, and print what the network reaches on tiles from the map.

    Raises:
        AreaError, BagError, ConfigurationError, ModelError, OutputError: in one line each.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.area.raster import raster_cache
    from urban_map_loc.bags.reader import BagReader
    from urban_map_loc.bags.replay import seen_scans
    from urban_map_loc.mapnet.checkpoint import load_checkpoint, save_checkpoint
    from urban_map_loc.mapnet.inference import choose_device
    from urban_map_loc.output import require_writable
    from urban_map_loc.settings import from_dict
    from urban_map_loc.training.adapt import Adapter
    from urban_map_loc.training.drive_tiles import DriveTiles

    given = {"seed": args.seed}
    if args.steps is not None:
        given |= {"minutes": 0.0, "steps": args.steps}
    elif args.minutes is not None:
        given |= {"minutes": args.minutes}
    config = from_dict(AdaptConfig, given | dict(args.set))
    device = choose_device(args.device)
    require_writable(args.out)
    model, area, bag = load_checkpoint(args.model), read_area(args.area), BagReader(args.bag)
    model.check_area(area, str(args.area))
    duration_s = math.inf if args.end is None else args.end - args.start
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        reading = bar.add_task("reading the drive", total=bag.cloud_count)
        seen = _until(seen_scans(bag, LocalizerConfig(), model.config.tile, args.start), duration_s)
        drive = DriveTiles.from_scans(bar.track(seen, task_id=reading), model.config.tile, config.keyframe_m)
        bar.update(reading, completed=bag.cloud_count)
        adapter = Adapter(model, area, drive, config, device, raster_cache(args.area))
        learning = bar.add_task("adapting", total=1.0)
        while adapter.fraction < 1.0:
            absolute, relative = adapter.step()
            bar.update(learning, completed=adapter.fraction, description=f"adapting, loss {absolute:.2f} + {relative:.2f}")
        adapted = adapter.checkpoint()
    save_checkpoint(adapted, args.out)
    reached = ", ".join(f"{name} {value:g}" for name, value in adapted.summary["validation"].items())
    print(f"{args.out}: {adapter.steps} steps with {len(drive)} scans of {drive.metres[-1]:.0f} m; on tiles from the map: {reached}")


def _until(scans: Iterable[SeenScan], duration_s: float) -> Iterator[SeenScan]:
    """The scans up to `duration_s` [s] after the first."""
    first_s: float | None = None
    for seen in scans:
        first_s = seen.scan.stamp_s if first_s is None else first_s
        if seen.scan.stamp_s > first_s + duration_s:
            return
        yield seen
