# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Metrics in words and units: the rows of the printed table and of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from urban_map_loc.evaluation.metrics import HEADING_DEG, NEAR_M
from urban_map_loc.evaluation.pose_errors import RECALL_DEG, RECALL_M, WRONG_M

Rows = list[tuple[str, str]]
NOTHING = "–"
# Distance and angle that are reported together: each of the usual pairs.
TOGETHER = ((1.0, 1.0), (3.0, 3.0), (5.0, 5.0), (10.0, 5.0))


def summary_rows(metrics: Mapping[str, Any]) -> dict[str, Rows]:
    """Name and value of what a reader wants to know, grouped by heading; without truth, of what needs none."""
    groups: dict[str, Rows] = {}
    single, fused, offset = metrics.get("single_scan"), metrics["fused"], metrics["map_offset"]
    has_truth = metrics["clouds_with_truth"] > 0
    if single is not None and has_truth:
        groups["Each cloud alone, no prior; of all on the map"] = [
            *_recall_rows(single),
            (f"heading within {HEADING_DEG:g}° of those within {NEAR_M:g} m", percent(single["heading_within_5_deg_of_those_within_5_m"])),
            ("median position error of all clouds", with_unit(single["position_median_m"], "m")),
        ]
    groups["Finding itself"] = _lock_rows(metrics["lock"], has_truth)
    if has_truth:
        groups["While locked: mean / median / 95 % / max"] = [
            ("position error [m]", _statistics(fused["position_m"])),
            ("along the road, absolute [m]", _statistics(fused["longitudinal_m"])),
            ("across the road, absolute [m]", _statistics(fused["lateral_m"])),
            ("heading error, absolute [°]", _statistics(fused["heading_deg"])),
            ("root mean square position error", with_unit(fused["position_m"]["rms"], "m")),
        ]
        groups["While locked; of all on the map"] = _recall_rows(fused["recall_of_all_clouds"])
        groups["Offset from the truth as a whole"] = [
            ("median east, north; in every error above", f"{with_unit(offset['east_m'], 'm')}, {with_unit(offset['north_m'], 'm')}"),
            ("median position error without it", with_unit(offset["position_median_without_it_m"], "m")),
        ]
        groups["Truth in stated region: position / heading / due"] = [
            (f"{k} sigma", " / ".join(percent(row[name]) for name in ("position", "heading", "expected")))
            for k in (1, 2, 3)
            for row in [metrics["coverage"][f"{k}_sigma"]]
        ]
        groups["Mean error as a share of the RMS spread"] = _extent_rows(metrics["share_of_extent"])
    latency = metrics.get("latency_ms")
    if latency:
        groups["Cloud to answer: mean / median / 95 % / max"] = [
            ("latency [ms]", " / ".join(f"{latency[n]:.0f}" for n in ("mean", "p50", "p95", "max"))),
        ]
    return groups


def _recall_rows(recall: Mapping[str, float | None]) -> Rows:
    def several(names: list[str]) -> str:
        return " / ".join(percent(recall[f"within_{name}"]) for name in names)

    pairs = " / ".join(f"{d:g} m {a:g}°" for d, a in TOGETHER)
    return [
        (f"position within {' / '.join(f'{d:g}' for d in RECALL_M)} m", several([f"{d:g}_m" for d in RECALL_M])),
        (f"heading within {' / '.join(f'{a:g}' for a in RECALL_DEG)}°", several([f"{a:g}_deg" for a in RECALL_DEG])),
        (f"both: {pairs}", several([f"{d:g}_m_and_{a:g}_deg" for d, a in TOGETHER])),
    ]


def _lock_rows(lock: Mapping[str, Any], has_truth: bool) -> Rows:
    first = f"{with_unit(lock['first_lock_s'], 's', 1)}, {with_unit(lock['first_lock_after_m'], 'm', 0)}"
    rows = [("first lock after", first), ("locked", f"{percent(lock['availability'])} of the clouds")]
    if lock["availability_on_the_map"] not in (None, lock["availability"]):
        rows.append(("locked while on the map", f"{percent(lock['availability_on_the_map'])} of those clouds"))
    again = lock["locked_again_after_s"]
    rows.append(("times lost", str(lock["times_lost"])))
    if again:
        rows.append(("locked again after, mean / max", f"{again['mean']:.1f} / {again['max']:.1f} s"))
    if not has_truth:
        return rows
    rows.append((f"locked wrong, over {WRONG_M:g} m", f"{lock['locked_wrong_over_10_m']} clouds, {lock['locked_wrong_times']} times"))
    if lock["locked_off_the_map"]:
        rows.append(("locked although off the map", f"{lock['locked_off_the_map']} clouds"))
    return rows


def _extent_rows(extent: Mapping[str, Any]) -> Rows:
    rows = [("RMS spread of the true places", with_unit(extent["truth_rms_spread_m"], "m", 1))]
    for name, label in (("fused", "while locked"), ("single_scan", "each cloud alone, those answered")):
        if name in extent:
            rows.append((label, percent(extent[name]["of_truth"], 2)))
    if extent["roads_rms_spread_m"] is not None:
        roads = f"{percent(extent['fused']['of_roads'], 2)} of {with_unit(extent['roads_rms_spread_m'], 'm', 1)}"
        rows.append(("while locked, of the map's roads' spread", roads))
    return rows


def percent(share: float | None, digits: int = 1) -> str:
    """A share as text, such as "99.5 %"."""
    return NOTHING if share is None else f"{100.0 * share:.{digits}f} %"


def with_unit(value: float | None, unit: str, digits: int = 2) -> str:
    """A number with its unit as text; a dash where there is none."""
    return NOTHING if value is None else f"{value:.{digits}f} {unit}"


def _statistics(row: Mapping[str, float | None]) -> str:
    return " / ".join(NOTHING if row[n] is None else f"{row[n]:.2f}" for n in ("mean", "median", "p95", "max"))
