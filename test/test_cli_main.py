# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The command line's frame: help, exit statuses, one line for a failure."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from urban_map_loc import __version__
from urban_map_loc.cli import main
from urban_map_loc.errors import AreaError


@pytest.fixture
def command(monkeypatch):
    """Replace what `play` runs."""
    from urban_map_loc.cli import play

    def replace(run):
        monkeypatch.setattr(play, "run", run)

    return replace


def fail(error):
    def run(args):
        raise error

    return run


def test_every_command_is_there_and_helps():
    top = main.parser()
    (commands,) = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    assert tuple(commands.choices) == main.COMMANDS
    for name, command in commands.choices.items():
        assert name in top.format_help()
        assert command.format_help()


def test_done(command):
    command(lambda args: None)
    assert main.run(["play", "BAG"]) == 0


def test_a_failure_is_one_line(command, capsys):
    command(fail(AreaError("a.osm is\nmissing; give another")))
    assert main.run(["play", "BAG"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "urban_map_loc play: a.osm is missing; give another\n")


@pytest.mark.parametrize("where", [["--debug", "play", "BAG"], ["play", "BAG", "--debug"]])
def test_debug_shows_the_traceback(command, capsys, where):
    command(fail(AreaError("broken")))
    assert main.run(where) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_one_line_as_well(command, capsys):
    command(fail(ZeroDivisionError("division by zero")))
    assert main.run(["play", "BAG"]) == 1
    assert capsys.readouterr().err == (
        "urban_map_loc play: unexpected ZeroDivisionError: division by zero; run it again with --debug to see where, and report that\n"
    )


def test_interrupted(command, capsys):
    command(fail(KeyboardInterrupt()))
    assert main.run(["play", "BAG"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("argv", [[], ["dance"], ["play"], ["play", "BAG", "--speed", "2"]])
def test_wrong_usage(argv):
    with pytest.raises(SystemExit) as end:
        main.run(argv)
    assert end.value.code == 2


def test_a_missing_bag(tmp_path, capsys):
    assert main.run(["play", str(tmp_path / "nothing")]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "does not exist" in err


def test_as_a_module():
    done = subprocess.run([sys.executable, "-m", "urban_map_loc", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"urban_map_loc {__version__}\n"
