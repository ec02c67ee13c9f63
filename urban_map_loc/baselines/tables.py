# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's tables: one row a system, seed and drive in the CSV, one a system in the Markdown."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from statistics import median
from typing import Any, NamedTuple

from urban_map_loc.baselines.benchmark import Failure
from urban_map_loc.baselines.figures import GUESSES, HEADING_DEG, HEADING_OF_THOSE_M, WITHIN_M

Row = Mapping[str, Any]


class Column(NamedTuple):
    """A number of a row: its name, its heading, its digits; shares are shown in per cent."""

    name: str
    title: str
    digits: int = 1
    share: bool = False


COLUMNS = (
    *(Column(f"within_{m:g}_m", f"≤ {m:g} m", share=True) for m in WITHIN_M),
    Column(f"in_best_{GUESSES}", f"among {GUESSES} best", share=True),
    Column("median_m", "median [m]"),
    Column(
        f"heading_within_{HEADING_DEG:g}_deg_of_those_within_{HEADING_OF_THOSE_M:g}_m",
        f"heading ≤ {HEADING_DEG:g}°, of those ≤ {HEADING_OF_THOSE_M:g} m",
        share=True,
    ),
    Column("query_ms", "query [ms]"),
    Column("size_mb", "size [MB]", 2),
    Column("index_s", "indexing [s]"),
    Column("steps", "steps", 0),
)
ALL_OF_A_ROW = ("system", "seed", "drive", "scans", *(c.name for c in COLUMNS), "train_s")


def as_csv(rows: Sequence[Row], names: Sequence[str] = ALL_OF_A_ROW) -> str:
    """All rows, with the numbers of these names."""
    text = StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(rows: Sequence[Row], failures: Sequence[Failure] = ()) -> str:
    """A table a drive, the best first: medians over seeds, with lowest and highest recall where there are several."""
    parts = []
    for drive in dict.fromkeys(row["drive"] for row in rows):
        of_drive = [row for row in rows if row["drive"] == drive]
        parts.append(f"## {drive}, {of_drive[0]['scans']} scans\n\n{_table(of_drive)}")
    if failures:
        lines = [f"- {failure.system}, seed {failure.seed}: {failure.reason}" for failure in failures]
        parts.append("## Failed\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def by_system(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each system, the one with the highest recall first."""
    systems: dict[str, list[Row]] = {}
    for row in rows:
        systems.setdefault(row["system"], []).append(row)
    recall = COLUMNS[0].name
    return dict(sorted(systems.items(), key=lambda item: -median(row.get(recall, 0.0) for row in item[1])))


def _table(rows: Sequence[Row]) -> str:
    lines = ["| system | " + " | ".join(c.title for c in COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    for system, seeds in by_system(rows).items():
        lines.append(f"| {system} | " + " | ".join(_shown(c, [row.get(c.name) for row in seeds]) for c in COLUMNS) + " |")
    return "\n".join(lines)


def _shown(column: Column, values: Sequence[float | None]) -> str:
    there = [value for value in values if value is not None]
    if not there:
        return "–"
    scale, unit = (100.0, " %") if column.share else (1.0, "")
    text = f"{scale * median(there):.{column.digits}f}{unit}"
    if column.share and len(there) > 1:
        text += f" ({scale * min(there):.{column.digits}f} to {scale * max(there):.{column.digits}f})"
    return text
