# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc pretrain`: the weights that come with the package, from generated towns alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from urban_map_loc.cli.arguments import add_set_option, at_least_one, seed
from urban_map_loc.cli.training_bar import training_bar
from urban_map_loc.config import PretrainingConfig, TrainConfig

HELP = "train MapNet on generated towns: weights for `train` to begin with on any area"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `pretrain`."""
    settings = PretrainingConfig()
    parser.add_argument("--out", type=Path, required=True, metavar="WEIGHTS.safetensors", help="file to write, for `train --start`")
    parser.add_argument("--towns", type=at_least_one, default=settings.towns, metavar="N", help="generated towns (default %(default)s)")
    parser.add_argument("--steps", type=at_least_one, default=settings.steps, metavar="N", help="optimizer steps (default %(default)s)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default %(default)s")
    parser.add_argument("--seed", type=seed, default=TrainConfig().seed, metavar="S", help="of weights and tiles (default %(default)s)")
    add_set_option(parser, "any other setting of `train`")
    parser.add_argument("--resume", action="store_true", help="go on where an interrupted pretraining of the same settings stopped")


def run(args: argparse.Namespace) -> None:
    """Generate the towns, train, and keep what does not belong to them.

    Raises:
        ConfigurationError, ModelError, OutputError: in one line each.
    """
    from urban_map_loc.config import train_config
    from urban_map_loc.mapnet.checkpoint import load_checkpoint, save_checkpoint
    from urban_map_loc.simulation.towns import generated_towns
    from urban_map_loc.training.run import train
    from urban_map_loc.training.warm_start import without_area

    settings = PretrainingConfig()
    given = {"training.minutes": 0.0, "training.steps": args.steps, "training.batch_size": settings.batch_size, "seed": args.seed}
    config = train_config(given | dict(args.set))
    area = generated_towns(args.towns, settings.town_seed)
    trained = args.out.with_name(args.out.name + ".towns")
    with training_bar() as show:
        summary = train(area, config, trained, device=args.device, resume=args.resume, progress=show)
    if not summary:
        return
    save_checkpoint(without_area(load_checkpoint(trained)), args.out)
    trained.unlink()
    reached = ", ".join(f"{name} {value:g}" for name, value in summary["validation"].items())
    print(f"{args.out}: {summary['steps']} steps on {args.towns} towns, {summary['minutes']:g} min; validation there: {reached}")
