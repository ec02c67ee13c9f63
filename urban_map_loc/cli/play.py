"""`urban_map_loc play`: a bag into ROS."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from urban_map_loc.cli.arguments import positive

HELP = "publish a bag into ROS with /clock"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `play`."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder (mcap or sqlite3)")
    parser.add_argument("--rate", type=positive, default=1.0, metavar="R", help="bag seconds per second (default: %(default)s)")
    parser.add_argument(
        "--wait", type=positive, metavar="SECONDS", help="wait at most so long for subscribers to /points and /odom; without, start at once"
    )


def run(args: argparse.Namespace) -> None:
    """Play the bag once.

    Raises:
        BagError: the bag is missing or damaged.
        ConfigurationError: nobody listens within `--wait`, or none of its message types is installed.
    """
    from rich.progress import Progress

    from urban_map_loc.bags.messages import ODOMETRY_TOPIC, POINTS_TOPIC
    from urban_map_loc.bags.reader import BagReader
    from urban_map_loc.errors import ConfigurationError
    from urban_map_loc.ros.middleware import prepare_environment

    bag = BagReader(args.bag)
    prepare_environment()
    from urban_map_loc.ros.player import Player

    with Player(bag.topics) as player:
        if player.missing:
            print(f"not played, their message types are not installed: {', '.join(player.missing)}", file=sys.stderr)
        if args.wait is not None:
            lonely = player.wait_for_subscribers((POINTS_TOPIC, ODOMETRY_TOPIC), args.wait)
            if lonely:
                topics = ", ".join(lonely)
                raise ConfigurationError(f"nobody subscribes to {topics} after {args.wait:g} s; start localizer_node or wait longer")
        with Progress() as bar:
            task = bar.add_task(f"playing {args.bag.name}", total=bag.duration_s)
            played = player.play(bag.raw(), args.rate, lambda done_s: bar.update(task, completed=done_s))
    print(f"{args.bag}: {played} messages over {bag.duration_s:.1f} s of bag time at {args.rate:g} times their rate")
