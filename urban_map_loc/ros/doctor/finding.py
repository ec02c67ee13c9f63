# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a check says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any


class Level(Enum):
    """Fine, worth knowing, or to be mended."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: what was found and, where something is to be done, the remedy."""

    level: Level
    text: str
    remedy: str = ""
    check: str = ""

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return {**asdict(self), "level": self.level.value}


def ok(text: str) -> Finding:
    """Nothing to do."""
    return Finding(Level.OK, text)


def note(text: str, remedy: str = "") -> Finding:
    """Nothing wrong, but good to know."""
    return Finding(Level.NOTE, text, remedy)


def wrong(text: str, remedy: str) -> Finding:
    """To be mended."""
    return Finding(Level.WRONG, text, remedy)


Check = Callable[..., Iterable[Finding]]


def run(checks: Iterable[Check], *arguments: Any) -> list[Finding]:
    """What the checks find, each named after its function; a check that fails itself is a finding, too."""
    found: list[Finding] = []
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            found += [replace(finding, check=name) for finding in check(*arguments)]
        except Exception as error:  # one check must not silence the others
            text = f"the check failed: {type(error).__name__}: {' '.join(str(error).split())}"
            found.append(Finding(Level.WRONG, text, "please report it", name))
    return found
