# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The pages name what exists: links, anchors, files, commands, make targets. `make docs` reads docstrings besides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from urban_map_loc.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# A source file by its path from the root, or from the package's folder.
FILE = re.compile(r"(?<![\w./<~-])((?:\w[\w.-]*/)+[\w.-]+\.(?:py|md|rst|rviz|js|toml))\b")
ELSEWHERE = re.compile(r"NAME|^(?:dataset|gt|gps|vo|~)/|^robotcar-dataset-sdk/")  # stand-ins, and folders of datasets


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """As repositories' browsers and MyST make them of headings."""
    headings = HEADING.findall(FENCED.sub("", text_of(page)))
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", h).lower() for h in headings]
    return {re.sub(r"[^\w\- ]", "", h).strip().replace(" ", "-") for h in plain}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    for link in LINK.findall(FENCED.sub("", text_of(page))):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{named(page)} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{named(page)} links to {link}, but no heading there is called so"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_that_are_named_exist(page):
    for name in FILE.findall(LINK.sub("]", text_of(page))):
        if not ELSEWHERE.search(name):
            places = (ROOT, ROOT / "urban_map_loc", page.parent)
            assert any((place / name).exists() for place in places), f"{named(page)} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_and_make_targets_exist(page):
    text = text_of(page)
    for command in re.findall(r"^(?:\$ )?urban_map_loc ([a-z][a-z-]*)", text, re.MULTILINE):
        assert command in {name.replace("_", "-") for name in COMMANDS}, f"{named(page)} names the command {command}"
    for target in re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"{named(page)} names make {target}"
