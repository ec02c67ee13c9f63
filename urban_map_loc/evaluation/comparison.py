# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Several runs side by side: comparison.md, comparison.csv and comparison.html."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files
from io import StringIO
from os.path import relpath
from pathlib import Path
from string import Template
from typing import Any, NamedTuple
from urllib.parse import quote

from urban_map_loc.evaluation.evaluate import REPORT_FILE
from urban_map_loc.output import final_file

NAME = "comparison"
Metrics = Mapping[str, Any]


class Column(NamedTuple):
    """One number of a run: its heading, its name in the CSV, where it stands in the metrics, its digits; shares are shown in per cent."""

    title: str
    name: str
    path: tuple[str, ...]
    digits: int = 2
    share: bool = False


COLUMNS = (
    Column("clouds", "clouds", ("clouds",), 0),
    Column("alone ≤ 1 m", "single_scan_within_1_m", ("single_scan", "within_1_m"), 1, share=True),
    Column("alone ≤ 5 m", "single_scan_within_5_m", ("single_scan", "within_5_m"), 1, share=True),
    Column("alone ≤ 5 m, 5°", "single_scan_within_5_m_and_5_deg", ("single_scan", "within_5_m_and_5_deg"), 1, share=True),
    Column("first lock [s]", "first_lock_s", ("lock", "first_lock_s"), 1),
    Column("first lock [m]", "first_lock_after_m", ("lock", "first_lock_after_m"), 0),
    Column("locked", "availability_on_the_map", ("lock", "availability_on_the_map"), 1, share=True),
    Column("times lost", "times_lost", ("lock", "times_lost"), 0),
    Column("wrong clouds", "locked_wrong_over_10_m", ("lock", "locked_wrong_over_10_m"), 0),
    Column("mean [m]", "position_mean_m", ("fused", "position_m", "mean")),
    Column("median [m]", "position_median_m", ("fused", "position_m", "median")),
    Column("95 % [m]", "position_p95_m", ("fused", "position_m", "p95")),
    Column("max [m]", "position_max_m", ("fused", "position_m", "max")),
    Column("along [m]", "longitudinal_mean_m", ("fused", "longitudinal_m", "mean")),
    Column("across [m]", "lateral_mean_m", ("fused", "lateral_m", "mean")),
    Column("heading [°]", "heading_median_deg", ("fused", "heading_deg", "median")),
    Column("in 1 σ", "position_in_1_sigma", ("coverage", "1_sigma", "position"), 1, share=True),
    Column("in 2 σ", "position_in_2_sigma", ("coverage", "2_sigma", "position"), 1, share=True),
    Column("in 3 σ", "position_in_3_sigma", ("coverage", "3_sigma", "position"), 1, share=True),
    Column("of spread", "fused_mean_of_truth_spread", ("share_of_extent", "fused", "of_truth"), 2, share=True),
    Column("offset E [m]", "map_offset_east_m", ("map_offset", "east_m")),
    Column("offset N [m]", "map_offset_north_m", ("map_offset", "north_m")),
    Column("latency [ms]", "latency_mean_ms", ("latency_ms", "mean"), 0),
    Column("95 % [ms]", "latency_p95_ms", ("latency_ms", "p95"), 0),
)


def write_comparison(runs: Mapping[Path, Metrics], folder: Path) -> list[Path]:
    """Write the three files of the runs' folders and their metrics; returns their paths.

    Raises:
        OutputError: `folder` cannot be written.
    """
    writers: dict[str, Callable[[Mapping[Path, Metrics], Path], str]] = {"md": _markdown, "csv": _csv, "html": _html}
    out = []
    for suffix, write in writers.items():
        path = folder / f"{NAME}.{suffix}"
        with final_file(path) as temporary:
            temporary.write_text(write(runs, folder), encoding="utf-8")
        out.append(path)
    return out


def names_of(paths: list[Path]) -> list[str]:
    """The runs' names, with as many of the folders above as tell them apart."""
    parts = [path.resolve().parts for path in paths]
    for depth in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(p[-depth:]) for p in parts]
        if len(set(names)) == len(set(parts)):
            break
    return names


def cells(metrics: Metrics) -> list[str]:
    """A row of the table, as text."""
    return [_text(column, _value(metrics, column)) for column in COLUMNS]


def _value(metrics: Metrics, column: Column) -> float | None:
    value: Any = metrics
    for key in column.path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(column: Column, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100.0 * value:.{column.digits}f} %" if column.share else f"{value:.{column.digits}f}"


def _markdown(runs: Mapping[Path, Metrics], folder: Path) -> str:
    """Turned on its side: a page is higher than wide, and there are more numbers than runs."""
    names = [name.replace("|", "\\|") for name in names_of(list(runs))]
    lines = [["", *names], ["---", *["---:"] * len(runs)]]
    rows = [cells(metrics) for metrics in runs.values()]
    lines += [[column.title, *(row[k] for row in rows)] for k, column in enumerate(COLUMNS)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _csv(runs: Mapping[Path, Metrics], folder: Path) -> str:
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["run", *(column.name for column in COLUMNS)])
    for name, metrics in zip(names_of(list(runs)), runs.values(), strict=True):
        values = [_value(metrics, column) for column in COLUMNS]
        table.writerow([name, *("" if value is None else value for value in values)])
    return text.getvalue()


def _html(runs: Mapping[Path, Metrics], folder: Path) -> str:
    templates = files("urban_map_loc.evaluation") / "report_page"
    links = [quote(relpath((path / REPORT_FILE).resolve(), folder.resolve())) for path in runs]
    heads = "".join(
        f'<th class="number"><a href="{escape(link)}">{escape(name)}</a></th>'
        for link, name in zip(links, names_of(list(runs)), strict=True)
    )
    rows = [cells(metrics) for metrics in runs.values()]
    body = "".join(
        f"<tr><th>{escape(column.title)}</th>" + "".join(f'<td class="number">{escape(row[k])}</td>' for row in rows) + "</tr>"
        for k, column in enumerate(COLUMNS)
    )
    page = Template((templates / "comparison.html").read_text(encoding="utf-8"))
    style = (templates / "page.css").read_text(encoding="utf-8")
    return page.substitute(
        style=style, count=len(runs), table=f"<table><thead><tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )
