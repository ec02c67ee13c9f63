# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc train`: MapNet on an area's tiles."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from urban_map_loc.cli.arguments import add_set_option
from urban_map_loc.cli.training_bar import training_bar
from urban_map_loc.config import MapNetConfig, TileConfig, TrainConfig, train_config
from urban_map_loc.settings import choices_of

if TYPE_CHECKING:
    from urban_map_loc.mapnet.checkpoint import Checkpoint

HELP = "train MapNet on an area's tiles"
NOTHING = "none"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train`."""
    network = MapNetConfig()
    parser.add_argument("area", type=Path, metavar="AREA.gpkg", help="area file from `urban_map_loc area build`")
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL.safetensors", help="model file to write")
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
        f"theirs); {NOTHING}: begin with random ones. With --steps 0 the start is shown the map and not trained at all",
    )
    parser.add_argument("--resume", action="store_true", help="go on where an interrupted training of the same settings stopped")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="write curves for `tensorboard --logdir DIR`")


def run(args: argparse.Namespace) -> None:
    """Train, with a progress bar, and print what the network reaches on tiles it has not seen.

    Raises:
        AreaError, ConfigurationError, ModelError, OutputError: in one line each.
    """
    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.area.raster import raster_cache
    from urban_map_loc.training.run import train
    from urban_map_loc.training.state import resume_path

    given = {"network.preset": args.preset, "network.head": args.head, "tile.channels": args.channels, "seed": args.seed}
    if args.steps is not None:
        given |= {"training.minutes": 0.0, "training.steps": args.steps}
    elif args.minutes is not None:
        given |= {"training.minutes": args.minutes}
    config = train_config(given | dict(args.set))
    area = read_area(args.area)
    start = _start(args.start, config)
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


def _start(given: str | None, config: TrainConfig) -> Checkpoint | None:
    """The model to begin with: the one that is given, else the packaged one if it fits; None to begin with random weights."""
    from urban_map_loc.mapnet.checkpoint import load_checkpoint
    from urban_map_loc.mapnet.packaged import packaged_weights
    from urban_map_loc.training.warm_start import fits

    if given == NOTHING:
        return None
    if given is not None:
        return load_checkpoint(Path(given))
    packaged = packaged_weights()
    return packaged if fits(config, packaged) else None


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
