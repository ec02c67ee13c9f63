"""`urban_map_loc train`: MapNet on an area's tiles."""

from __future__ import annotations

import argparse
from pathlib import Path

from urban_map_loc.cli.arguments import assignment
from urban_map_loc.config import BUILDINGS, BUILDINGS_AND_ROADS, MapNetConfig, TileConfig, TrainConfig, TrainingConfig, train_config

HELP = "train MapNet on an area's tiles"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train`."""
    training, network = TrainingConfig(), MapNetConfig()
    parser.add_argument("area", type=Path, metavar="AREA.gpkg", help="area file from `urban_map_loc area build`")
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL.safetensors", help="model file to write")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, metavar="M", help=f"time budget (default {training.minutes:g})")
    budget.add_argument("--steps", type=int, metavar="N", help="number of steps instead: the same steps give the same model")
    parser.add_argument("--preset", choices=("small", "resnet34"), default=network.preset, help="network (default %(default)s)")
    parser.add_argument("--head", choices=("cells", "regression"), default=network.head, help="what it answers (default %(default)s)")
    parser.add_argument(
        "--channels", choices=(BUILDINGS, BUILDINGS_AND_ROADS), default=TileConfig().channels, help="what tiles show (default %(default)s)"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default %(default)s")
    parser.add_argument("--seed", type=int, default=TrainConfig().seed, metavar="S", help="default %(default)s")
    parser.add_argument(
        "--set",
        action="append",
        type=assignment,
        default=[],
        metavar="NAME=VALUE",
        help="any other setting by its name in the model file, such as sampler.tuple_length=3 (repeatable)",
    )
    parser.add_argument("--resume", action="store_true", help="go on where an interrupted training of the same settings stopped")


def run(args: argparse.Namespace) -> None:
    """Train, with a progress bar, and print what the network reaches on tiles it has not seen.

    Raises:
        AreaError, ConfigurationError, ModelError, OutputError: in one line each.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.area.raster import raster_cache
    from urban_map_loc.training.trainer import train

    given = {"network.preset": args.preset, "network.head": args.head, "tile.channels": args.channels, "seed": args.seed}
    if args.steps is not None:
        given |= {"training.minutes": 0.0, "training.steps": args.steps}
    elif args.minutes is not None:
        given |= {"training.minutes": args.minutes}
    config = train_config(given | dict(args.set))
    area = read_area(args.area)
    columns = (
        TextColumn("training"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("loss {task.fields[loss]:.2f}, {task.fields[tiles_per_s]:.0f} tiles/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=1.0, loss=float("nan"), tiles_per_s=0.0)

        def show(done: float, figures: dict[str, float]) -> None:
            bar.update(task, completed=done, loss=figures["loss"], tiles_per_s=figures["tiles_per_s"])

        summary = train(area, config, args.out, device=args.device, resume=args.resume, progress=show, cache=raster_cache(args.area))
    reached = ", ".join(f"{name} {value:g}" for name, value in summary["validation"].items())
    print(f"{args.out}: {summary['steps']} steps, {summary['tiles']} tiles, {summary['minutes']:g} min; validation: {reached}")
