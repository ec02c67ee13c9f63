# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc`: finds the command, runs it, turns failures into one line and an exit status."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from urban_map_loc import __version__
from urban_map_loc.errors import UrbanMapLocError

# Each names a module of this package with `HELP`, `add_arguments(parser)` and `run(args)`; their own imports are light, the heavy
# ones wait inside `run`.
COMMANDS = (
    "area",
    "train",
    "adapt",
    "export",
    "pretrain",
    "train-fcn",
    "simulate",
    "convert",
    "localize",
    "evaluate",
    "benchmark",
    "cloud",
    "play",
    "doctor",
    "demo",
)

DONE, FAILED, INTERRUPTED = 0, 1, 130


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(prog="urban_map_loc", description="Localize a car in a city from OpenStreetMap alone.")
    top.add_argument("--version", action="version", version=f"urban_map_loc {__version__}")
    top.add_argument("--debug", action="store_true", help="show the traceback of a failure (may stand anywhere)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = import_module(f"urban_map_loc.cli.{name.replace('-', '_')}")
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return top


def run(argv: Sequence[str]) -> int:
    """Run one command line, without the program's name, and return its exit status.

    Raises:
        SystemExit: with status 2 on wrong usage, 0 after `--help` and `--version`.
    """
    debug = "--debug" in argv
    args = parser().parse_args([a for a in argv if a != "--debug"])
    try:
        args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt as interruption:
        print(" ".join(["interrupted", *map(str, interruption.args)]), file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing to say, and no second complaint when Python closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        if debug:
            traceback.print_exc()
        print(f"urban_map_loc {args.command}: {_one_line(error)}", file=sys.stderr)
        return FAILED
    return DONE


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, UrbanMapLocError):
        return text
    return f"unexpected {type(error).__name__}: {text or 'no message'}; run it again with --debug to see where, and report that"


def main() -> NoReturn:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))
