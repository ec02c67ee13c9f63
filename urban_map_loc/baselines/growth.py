# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Growth with the area: what each system weighs, and how long a query takes, on pieces of the map of increasing radius."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import shapely

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.regions import clipped
from urban_map_loc.baselines.benchmark import Failure, Report, made, reason_of, saying
from urban_map_loc.baselines.figures import ask
from urban_map_loc.baselines.kept import Folder
from urban_map_loc.baselines.questions import Questions
from urban_map_loc.baselines.registry import key_of
from urban_map_loc.baselines.system import Budget, SharedGround, System
from urban_map_loc.errors import AreaError

# Sizes and times do not depend on what is learned.
LEARNING = Budget(steps=1)
QUERIES = 20
M2_PER_KM2 = 1e6


def cut_out(area: AreaMap, centre: tuple[float, float], radius_m: float) -> AreaMap:
    """The buildings that reach into a circle, and the pieces of roads inside it, about the same datum.

    Raises:
        AreaError: no road lies in it.
    """
    piece = clipped(area, shapely.Point(centre).buffer(radius_m))
    if piece is None:
        raise AreaError(f"nothing to drive on or to see within {radius_m:g} m of the drive's start; choose a larger radius")
    return piece


def growth(
    ground: SharedGround,
    systems: Sequence[type[System]],
    questions: Questions,
    radii_m: Sequence[float],
    report: Report,
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """A row for each system and radius about the place of the first question, and what failed."""
    rows: list[dict[str, Any]] = []
    failures: list[Failure] = []
    centre = float(questions.truth[0, 0]), float(questions.truth[0, 1])
    chosen = np.unique(np.linspace(0, len(questions) - 1, min(QUERIES, len(questions))).astype(int))
    some = Questions([questions.queries[k] for k in chosen], questions.truth[chosen])
    for radius_m in radii_m:
        area = cut_out(ground.area, centre, radius_m)
        there = replace(SharedGround.of(area, ground.config, ground.settings, ground.device, ground.seed), drives=ground.drives)
        west, south, east, north = area.bounds
        for system in systems:
            row = f"{system.name}, {radius_m:g} m"
            try:
                with TemporaryDirectory() as folder:
                    it, facts = made(system, there, LEARNING, Folder(Path(folder)), key_of(system), saying(report, row))
                took = ask(it, some, saying(report, row)).took_ms
                known = {"size_mb": facts["size_mb"], "query_ms": round(float(np.median(took)), 2), "index_s": facts["index_s"]}
                extent = {"radius_m": radius_m, "area_km2": round((east - west) * (north - south) / M2_PER_KM2, 3)}
                roads_km = round(float(shapely.length(area.roads).sum()) / 1e3, 2)
                rows.append({"system": system.name, **extent, "roads_km": roads_km, **known})
            except Exception as error:  # as in `benchmark`
                failures.append(Failure(row, ground.seed, reason_of(error)))
    return rows, failures
