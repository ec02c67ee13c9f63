# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc train`: MapNet on an area's tiles."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from urban_map_loc.cli.arguments import add_set_option, at_least_one
from urban_map_loc.cli.training_bar import training_bar
from urban_map_loc.config import MapNetConfig, TileConfig, TrainConfig, train_config
from urban_map_loc.settings import choices_of

HELP = "train MapNet on an area's tiles, or on those of an atlas, region by region"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train`."""
    network = MapNetConfig()
    parser.add_argument("area", type=Path, metavar="AREA", help="area file from `urban_map_loc area build`, or the folder of an atlas")
    parser.add_argument("--out", type=Path, metavar="MODEL.safetensors", help="model file to write; an atlas has its models inside")
    parser.add_argument(
        "--jobs", type=at_least_one, metavar="N", help="of an atlas: regions trained at a time, each by a process (default: 1)"
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, metavar="M", help="time budget (default: none, the start is only shown the map)")
    budget.add_argument("--steps", type=int, metavar="N", help="number of steps instead: the same steps give the same model")
    parser.add_argument(
        "--preset", choices=choices_of(MapNetConfig, "preset"), default=network.preset, help="network (default %(default)s)"
    )
    parser.add_argument(
        "--head", choices=choices_of(MapNetConfig, "head"), default=network.head, help="what it answers (default %(default)s)"
    )
    parser.add_argument(
        "--channels",
        choices=choices_of(TileConfig, "channels"),
        default=TileConfig().channels,
        help="what tiles show (default %(default)s)",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default %(default)s")
    parser.add_argument("--seed", type=int, default=TrainConfig().seed, metavar="S", help="default %(default)s")
    add_set_option(parser, "any other setting by its name in the model file, such as sampler.tuple_length=3")
    parser.add_argument(
        "--start",
        metavar="MODEL.safetensors",
        help="begin with the weights of a model of any area (default: the packaged ones, learned on generated towns, where the network is "
        "theirs); none: begin with random ones. With --steps 0 the start is shown the map and not trained at all",
    )
    parser.add_argument("--resume", action="store_true", help="go on where an interrupted training of the same settings stopped")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="write curves for `tensorboard --logdir DIR`")
    parser.set_defaults(usage=parser.error)


def run(args: argparse.Namespace) -> None:
    """Train, with a progress bar, and print what the network reaches on tiles it has not seen.

    Raises:
        AreaError, ConfigurationError, ModelError, OutputError: in one line each.
    """
    from urban_map_loc.area.atlas import is_atlas
    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.area.raster import raster_cache
    from urban_map_loc.training.run import train
    from urban_map_loc.training.state import resume_path
    from urban_map_loc.training.warm_start import start_of

    given = {"network.preset": args.preset, "network.head": args.head, "tile.channels": args.channels, "seed": args.seed}
    if args.steps is not None:
        given |= {"training.minutes": 0.0, "training.steps": args.steps}
    elif args.minutes is not None:
        given |= {"training.minutes": args.minutes}
    of_atlas = is_atlas(args.area)
    if of_atlas and args.out is not None:
        args.usage(f"{args.area} is an atlas, whose models are written beside its regions; leave out --out")
    if not of_atlas and (args.out is None or args.jobs is not None):
        args.usage("an area file needs --out, and --jobs is for atlases: several processes train one region with torchrun")
    config = train_config(given | dict(args.set))
    if of_atlas:
        _train_atlas(args, config)
        return
    area = read_area(args.area)
    start = start_of(args.start, config)
    _say_what_becomes_of(resume_path(args.out), args.resume)
    with training_bar(shown=not _helps_another()) as show:
        summary = train(
            area,
            config,
            args.out,
            device=args.device,
            resume=args.resume,
            progress=show,
            cache=raster_cache(args.area),
            logs=args.logs,
            start=start,
        )
    if not summary:
        return
    reached = ", ".join(f"{name} {value:g}" for name, value in summary["validation"].items())
    steps = f"{summary['steps']} steps from {summary['start']}"
    print(f"{args.out}: {steps}, {summary['tiles']} tiles, {summary['minutes']:g} min; validation: {reached}")
    print(_confidence(summary["confidence"]))


def _train_atlas(args: argparse.Namespace, config: TrainConfig) -> None:
    """Train the regions that are left, with a progress bar over all."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from urban_map_loc.area.atlas import read_atlas
    from urban_map_loc.training.atlas import train_atlas

    atlas = read_atlas(args.area)
    columns = (TextColumn("regions"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=_helps_another()) as bar:
        task = bar.add_task("regions", total=len(atlas.regions))
        kept = train_atlas(
            atlas,
            config,
            jobs=args.jobs or 1,
            device=args.device,
            resume=args.resume,
            start=args.start,
            logs=args.logs,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(f"{args.area}: {len(atlas.regions)} regions have models, {kept} of them had theirs before")


def _helps_another() -> bool:
    """Whether this is one of several processes, and not the one that speaks."""
    return "LOCAL_RANK" in os.environ and os.environ["RANK"] != "0"


def _say_what_becomes_of(state: Path, resume: bool) -> None:
    if state.exists() == resume or _helps_another():
        return
    if resume:
        print(f"{state} does not exist: nothing to resume, training begins anew", file=sys.stderr)
    else:
        print(f"an unfinished training is begun anew; with --resume it would go on from {state}", file=sys.stderr)


def _confidence(figures: dict[str, Any]) -> str:
    sigma = figures["sigma_of_right"]
    return (
        f"confidence: stated and true probabilities differ by {figures['after']['expected_calibration_error']:.3f}, before calibration "
        f"{figures['before']['expected_calibration_error']:.3f}; right answers are good to {sigma['along_m']:.2f} m along, "
        f"{sigma['across_m']:.2f} m across, {sigma['heading_deg']:.1f}°, 1 sigma"
    )
