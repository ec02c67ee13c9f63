# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Files from anywhere are read within bounds (`config/reading.py`): what is too large is refused before it fills the memory."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from urban_map_loc.config.reading import ReadingConfig
from urban_map_loc.errors import ConfigurationError, UrbanMapLocError

MB = 1_000_000
# Of pragma table_xinfo: columns that the database computes.
COMPUTED = (2, 3)


def _variable(name: str) -> str:
    """The environment variable that sets a bound."""
    return f"URBAN_MAP_LOC_{name.upper()}"


@cache
def _given(environment: tuple[tuple[str, str], ...]) -> ReadingConfig:
    values: dict[str, Any] = {}
    for name, text in environment:
        try:
            values[name] = int(text) if name == "longest_list" else float(text)
        except ValueError:
            raise ConfigurationError(f"{_variable(name)} is {text!r}; give a number") from None
    return ReadingConfig(**values)


def bounds() -> ReadingConfig:
    """The bounds, as the environment has them.

    Raises:
        ConfigurationError: a variable holds no number, or one out of range.
    """
    names = [f.name for f in fields(ReadingConfig)]
    return _given(tuple((name, os.environ[_variable(name)]) for name in names if _variable(name) in os.environ))


def refusal(name: str, bound: str, has: float) -> str:
    """What to say of a thing that is larger than `bound`, a field of `ReadingConfig`; `has` in its unit."""
    unit = next(f.metadata["unit"] for f in fields(ReadingConfig) if f.name == bound) or "entries"
    most = getattr(bounds(), bound)
    return f"{name} has {has:.6g} {unit}, more than {most:g}; give a smaller one, or set {_variable(bound)} if you trust it"


def require_size(path: Path, bound: str, error: type[UrbanMapLocError]) -> None:
    """Refuse a file that is larger than `bound`; one that is not there is left to whoever reads it.

    Raises:
        UrbanMapLocError: of the class `error`.
    """
    require_bytes(path.stat().st_size if path.is_file() else 0, str(path), bound, error)


def require_bytes(count: int, name: str, bound: str, error: type[UrbanMapLocError]) -> None:
    """As `require_size`, of something that has `count` bytes."""
    if count > getattr(bounds(), bound) * MB:
        raise error(refusal(name, bound, count / MB))


def json_of(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none, or nested deeper than anything that is written.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its lists are nested too deep") from None


def object_of(text: str) -> dict[str, Any]:
    """The object that a JSON text is.

    Raises:
        ValueError: it is something else.
    """
    value = json_of(text)
    if not isinstance(value, dict):
        raise ValueError(f"it is a {type(value).__name__}, not an object")
    return value


def require_plain_tables(path: Path, error: type[UrbanMapLocError]) -> None:
    """Refuse an SQLite database that computes: views, computed columns and foreign virtual tables run what the file says, perhaps for ever.

    A file that SQLite cannot read is left to whoever reads it.

    Raises:
        UrbanMapLocError: of the class `error`.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            found = list(database.execute("SELECT type, name, sql FROM sqlite_master"))
            bad = [str(name) for kind, name, _ in found if kind == "view"]
            for name, sql in ((str(name), " ".join(str(sql).upper().split())) for kind, name, sql in found if kind == "table"):
                columns = database.execute("SELECT hidden FROM pragma_table_xinfo(?)", (name,))
                if (sql.startswith("CREATE VIRTUAL") and "USING RTREE" not in sql) or any(hidden in COMPUTED for (hidden,) in columns):
                    bad.append(name)
    except (sqlite3.Error, ValueError):
        return
    if bad:
        raise error(f"{path} holds {bad[0]!r}, which SQLite would have to compute; only plain tables are read, so make the file again")
