# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Kinds of values that commands take, for argparse."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any


def positive(text: str) -> float:
    """A finite number above 0."""
    value = float(text)
    if not (math.isfinite(value) and value > 0.0):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def not_negative(text: str) -> float:
    """A finite number, 0 or above."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0.0):
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def seed(text: str) -> int:
    """A whole number, 0 or above."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def at_least_one(text: str) -> int:
    """A whole number, 1 or above."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


INPUTS = ("points", "odom", "fix")


def topic_of_input(text: str) -> tuple[str, str]:
    """An input and a topic of a bag, `points=/velodyne_points`."""
    name, _, topic = text.partition("=")
    if name not in INPUTS or not topic.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text} is no INPUT=/TOPIC with an input of {', '.join(INPUTS)}")
    return name, topic


def add_topic_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--topic` of the commands that read a bag's inputs."""
    parser.add_argument(
        "--topic",
        action="append",
        type=topic_of_input,
        default=[],
        metavar="INPUT=/TOPIC",
        help="the bag's topic for points, odom or fix (repeatable; default: /points, /odom, /gnss/fix, else the only one of its type)",
    )


def assignment(text: str) -> tuple[str, Any]:
    """A setting's dotted name and value, `sampler.tuple_length=3`; which names and values there are is found out later."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text} is no NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def add_set_option(parser: argparse.ArgumentParser, which: str) -> None:
    """Declare `--set NAME=VALUE`, repeatable; `which` settings it reaches, for the help."""
    parser.add_argument("--set", action="append", type=assignment, default=[], metavar="NAME=VALUE", help=f"{which} (repeatable)")
