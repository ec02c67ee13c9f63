# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc play`: a bag into ROS."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from urban_map_loc.cli.arguments import add_topic_option, not_negative, positive

HELP = "publish a bag into ROS with /clock"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `play`."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder (mcap or sqlite3)")
    parser.add_argument("--rate", type=positive, default=1.0, metavar="R", help="bag seconds per second (default: %(default)s)")
    parser.add_argument("--start", type=not_negative, default=0.0, metavar="SECONDS", help="start so long after the bag's start")
    parser.add_argument("--loop", action="store_true", help="start again at the end, until Ctrl-C")
    add_topic_option(parser)
    parser.add_argument(
        "--wait", type=positive, metavar="SECONDS", help="wait at most so long for subscribers to /points and /odom; without, start at once"
    )


def run(args: argparse.Namespace) -> None:
    """Play the bag; the space bar pauses and goes on.

    Raises:
        BagError: the bag is missing or damaged.
        ConfigurationError: nobody listens within `--wait`, or none of its message types is installed.
    """
    from rich.progress import Progress

    from urban_map_loc.bags.messages import ODOMETRY_TOPIC, POINTS_TOPIC
    from urban_map_loc.bags.reader import BagReader
    from urban_map_loc.bags.topics import ROLES
    from urban_map_loc.cli.keys import PauseKey
    from urban_map_loc.errors import ConfigurationError
    from urban_map_loc.ros.middleware import prepare_environment

    bag = BagReader(args.bag, dict(args.topic))
    bag.raw(args.start)  # says now whether there is such a start
    prepare_environment()
    from urban_map_loc.ros.player import LINGER_S, Player

    # A topic that is named is published as what the node subscribes to; one that has that name already is left out.
    renamed = {topic: ROLES[role][0] for role, topic in args.topic}
    hidden = set(renamed.values()) - set(renamed)
    topics = {renamed.get(topic, topic): kind for topic, kind in bag.topics.items() if topic not in hidden}

    def messages() -> Iterator[tuple[int, str, str, bytes]]:
        return ((t, renamed.get(topic, topic), kind, data) for t, topic, kind, data in bag.raw(args.start) if topic not in hidden)

    with Player(topics, {renamed.get(topic, topic) for topic in bag.latched}) as player:
        if player.missing:
            print(f"not played, their message types are not installed: {', '.join(player.missing)}", file=sys.stderr)
        if args.wait is not None:
            lonely = player.wait_for_subscribers((POINTS_TOPIC, ODOMETRY_TOPIC), args.wait)
            if lonely:
                names = ", ".join(lonely)
                raise ConfigurationError(f"nobody subscribes to {names} after {args.wait:g} s; start localizer_node or wait longer")
        with PauseKey() as key, Progress() as bar:
            hint = " (space: pause)" if key.there else ""
            task = bar.add_task(f"playing {args.bag.name}{hint}", total=bag.duration_s - args.start)
            while True:
                played = player.play(
                    messages(), args.rate, lambda done_s: bar.update(task, completed=done_s), key.paused, 0.0 if args.loop else LINGER_S
                )
                if not args.loop:
                    break
    late_ms = max(player.late_s, default=0.0) * 1e3
    lasted_s = bag.duration_s - args.start
    print(
        f"{args.bag}: {played} messages over {lasted_s:.1f} s of bag time at {args.rate:g} times their rate, at most {late_ms:.1f} ms late"
    )
