# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""ament's linters, where a ROS installation has them; elsewhere `make lint` has the rules of flake8, and `test_package.py` reads XML."""

from __future__ import annotations

import pytest
from launch_stand_ins import ROOT

from urban_map_loc.copyright_header import HEADER

CHECKED = ["urban_map_loc", "launch", "benchmark", "setup.py"]
# What .flake8 leaves out of the docstring rules, for ament_pep257, which reads no configuration.
NOT_ASKED_FOR = ("D100", "D101", "D102", "D103", "D104", "D105", "D106", "D107", "D402", "D403", "D417")


pytestmark = pytest.mark.timeout(600)  # flake8 starts a process a core, and reads every file


@pytest.fixture
def linter(monkeypatch):
    """The module of one of ament's linters, run from the package's folder."""
    monkeypatch.chdir(ROOT)

    def find(name: str):
        return pytest.importorskip(f"{name}.main", reason=f"{name} is not installed: it is part of ROS, not of pip")

    return find


def test_flake8(linter):
    status, errors = linter("ament_flake8").main_with_errors(["--config", str(ROOT / ".flake8"), *CHECKED, "test"])
    assert status == 0, "\n".join(errors)


def test_pep257(linter, capsys):
    arguments = ["--convention", "google", "--add-ignore", *NOT_ASKED_FOR, "--", *CHECKED]
    assert linter("ament_pep257").main(arguments) == 0, capsys.readouterr().err


def test_what_pep257_leaves_out_is_what_flake8_leaves_out():
    text = (ROOT / ".flake8").read_text()
    assert all(code in text for code in NOT_ASKED_FOR)


def test_copyright(linter, capsys):
    """With this package built and sourced, so that its entry point is known."""
    assert linter("ament_copyright").main([*CHECKED, "test"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("folder", [*CHECKED, "test"])
def test_every_file_says_whose_it_is_and_under_which_licence(folder):
    path = ROOT / folder
    for file in [path] if path.is_file() else path.rglob("*.py"):
        assert file.read_text(encoding="utf-8").startswith(HEADER), f"{file}: begin it with the two lines of copyright_header.HEADER"
