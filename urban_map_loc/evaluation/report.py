# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""report.html: one file that needs no network, made of the templates in report_page, the tables and the run's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import ReportConfig
from urban_map_loc.evaluation.area_picture import attribution_of
from urban_map_loc.evaluation.moments import moments
from urban_map_loc.evaluation.report_data import report_data
from urban_map_loc.evaluation.report_tables import figures, tables
from urban_map_loc.evaluation.run_files import Run
from urban_map_loc.output import final_file

FloatArray = NDArray[np.float64]

TEMPLATES = files("urban_map_loc.evaluation") / "report_page"
# One module, in this order: what comes later uses what comes before.
SCRIPTS = ("data.js", "look.js", "ground.js", "tile.js", "view.js", "map.js", "charts.js", "player.js")


def write_report(
    run: Run, metrics: Mapping[str, Any], truth: FloatArray, area: AreaMap, path: Path, config: ReportConfig | None = None
) -> None:
    """Write the report of a run.

    Args:
        run: what was answered.
        metrics: what `evaluate_arrays` says of it.
        truth: `(N, 3)` true poses at its stamps, NaN where unknown.
        area: the map.
        path: the HTML file.
        config: limits of its size.

    Raises:
        OutputError: `path` cannot be written.
    """
    data, clouds = report_data(run, truth, area, moments(run, truth, area.bounds), config or ReportConfig())
    names = [f"{role} {Path(name).name}" for role, name in run.info.get("files", {}).items()]
    version = run.info.get("versions", {}).get("urban_map_loc", "?")
    page = Template(_template("page.html")).substitute(
        title=escape(run.title),
        subtitle=escape(" · ".join([f"run {run.path.resolve().name}", *names, f"area {str(run.info.get('area_hash', '?'))[:12]}"])),
        style=_template("page.css"),
        figures=figures(metrics),
        attribution=escape(attribution_of(area)),
        tables=tables(run, metrics, clouds),
        footer=escape(f"urban_map_loc {version}. docs/evaluation.md defines every number. Map: {attribution_of(area)}."),
        data=data,
        script="\n".join(_template(name) for name in SCRIPTS),
    )
    with final_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
