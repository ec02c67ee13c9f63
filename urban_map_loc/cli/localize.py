# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc localize`: the node's core over a bag."""

from __future__ import annotations

import argparse
from pathlib import Path

from urban_map_loc.cli.arguments import add_set_option, add_topic_option
from urban_map_loc.config import LocalizerConfig, NodeConfig
from urban_map_loc.settings import from_dict, nested

HELP = "localize a recorded drive, as fast as it goes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `localize`."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder with clouds and odometry")
    parser.add_argument("--area", type=Path, required=True, metavar="AREA", help="area file, or the folder of an atlas")
    parser.add_argument("--model", type=Path, metavar="MODEL.safetensors", help="model trained on this area; an atlas brings its own")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder to write estimates into")
    add_topic_option(parser)
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS", help="start so long after the bag's start")
    parser.add_argument(
        "--extrinsic",
        type=float,
        nargs=6,
        default=None,
        metavar=("X", "Y", "Z", "ROLL", "PITCH", "YAW"),
        help="the sensor's place in base_link [m, rad], of clouds in its own frame (default: the bag's /tf_static)",
    )
    parser.add_argument("--seed", type=int, default=LocalizerConfig().seed, metavar="S", help="default %(default)s")
    add_set_option(parser, "any of the node's settings of the localizer, such as cloud.kind=geometric")


def run(args: argparse.Namespace) -> None:
    """Localize every cloud of the bag and write a RUN folder.

    Raises:
        AreaError, BagError, ConfigurationError, ModelError, OutputError: in one line each.
    """
    from collections import Counter

    from rich.console import Console
    from rich.progress import track

    from urban_map_loc.bags.reader import BagReader
    from urban_map_loc.bags.replay import replay
    from urban_map_loc.evaluation.run_files import RunWriter
    from urban_map_loc.localization.localizer import Localizer

    bag = BagReader(args.bag, dict(args.topic))
    config = from_dict(LocalizerConfig, nested({"seed": args.seed} | dict(args.set)))
    localizer = Localizer.load(args.area, args.model, config, wait=True)
    states: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    node = NodeConfig()
    if args.extrinsic:
        node = NodeConfig(extrinsic=tuple(args.extrinsic), sensor_frame=str(bag.cloud_at(0.0).message.header.frame_id))
    files = {"bag": args.bag, "area": args.area} | ({"model": args.model} if args.model else {})
    with RunWriter(args.out, localizer.area, config, files=files, tile_m=localizer.tile_config.resolution_m) as run_folder:
        run_folder.note(start_s=args.start, extrinsic=list(node.extrinsic), topics=dict(args.topic))
        answers = replay(bag, localizer, args.start, node)
        for result, latency_ms in track(answers, "localizing", bag.cloud_count, console=Console(stderr=True)):
            run_folder.add(result, latency_ms)
            states[result.state.value] += 1
            if result.skipped:
                skipped[result.reason] += 1
    shares = ", ".join(f"{state} {count}" for state, count in states.items())
    print(f"{args.out}: {sum(states.values())} clouds: {shares}; {sum(skipped.values())} skipped")
    for reason, count in skipped.most_common(3):
        print(f"  skipped {count}: {reason}")
