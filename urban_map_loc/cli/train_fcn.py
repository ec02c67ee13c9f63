# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc train-fcn`: the segmentation of clouds, on simulated labelled clouds."""

from __future__ import annotations

import argparse
from pathlib import Path

from urban_map_loc.cli.arguments import add_set_option, at_least_one, seed
from urban_map_loc.config import FcnConfig, FcnTrainingConfig

HELP = "train the segmentation of clouds (cloud.kind fcn)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `train-fcn`."""
    training = FcnTrainingConfig()
    parser.add_argument("area", type=Path, nargs="*", metavar="AREA.gpkg", help="areas to drive in; without any, generated towns")
    parser.add_argument("--out", type=Path, required=True, metavar="FCN.safetensors", help="segmentation file to write")
    parser.add_argument("--clouds", type=at_least_one, default=training.clouds, metavar="N", help="simulated clouds (default %(default)s)")
    parser.add_argument("--steps", type=at_least_one, default=training.steps, metavar="N", help="optimizer steps (default %(default)s)")
    parser.add_argument("--seed", type=seed, default=FcnConfig().seed, metavar="S", help="of weights and clouds (default %(default)s)")
    add_set_option(parser, "any other setting by its name in the file, such as training.batch_size=16")


def run(args: argparse.Namespace) -> None:
    """Simulate, train, with a progress bar, and print what the segmentation reaches on clouds it has not seen.

    Raises:
        AreaError, CloudError, ConfigurationError, ModelError, OutputError: in one line each.
    """
    import math
    import tempfile

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from urban_map_loc.area.area_map import AreaMap
    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.area.osm import read_osm
    from urban_map_loc.cloud.cloud import Cloud
    from urban_map_loc.cloud.fcn_file import save_fcn
    from urban_map_loc.output import require_writable
    from urban_map_loc.settings import from_dict, nested
    from urban_map_loc.simulation.classes import BUILDING
    from urban_map_loc.simulation.labelled import labelled_clouds
    from urban_map_loc.simulation.town import write_town
    from urban_map_loc.training.segmentation import train_fcn

    given = {"training.clouds": args.clouds, "training.steps": args.steps, "seed": args.seed}
    config = from_dict(FcnConfig, nested(given | dict(args.set)))
    require_writable(args.out)

    def towns() -> list[AreaMap]:
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{number}.osm" for number in range(config.training.towns)]
            for number, file in enumerate(files):
                write_town(file, number)
            return [read_osm([file]) for file in files]

    areas = [read_area(path) for path in args.area] or towns()
    clouds = (Cloud(0.0, scan.points, scan.label.astype("int64")) for scan in labelled_clouds(areas, config.seed))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks = {name: bar.add_task(name, total=1.0, loss="") for name in ("clouds", "training")}

        def show(name: str, done: float, loss: float) -> None:
            bar.update(tasks[name], completed=done, loss="" if math.isnan(loss) else f"loss {loss:.3f}")

        fcn = train_fcn(clouds, BUILDING, config, show)
    save_fcn(fcn, args.out)
    reached = ", ".join(f"{name} {value:g}" for name, value in fcn.summary["validation"].items())
    print(f"{args.out}: {fcn.summary['steps']} steps on {fcn.summary['clouds']} clouds; simulated clouds held out: {reached}")
