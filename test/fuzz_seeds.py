# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What every fuzzed file format says of itself: tiny whole inputs, and the reading to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Make = Callable[[Path], None]


@dataclass(frozen=True)
class Target:
    """`seeds`: functions that fill a folder, with the name of what is then read in it. `read`: reads it to its end."""

    seeds: tuple[tuple[Make, str], ...]
    read: Callable[[Path], object]


def text(name: str, content: str) -> tuple[Make, str]:
    return (lambda folder: write(folder / name, content.encode()), name)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
