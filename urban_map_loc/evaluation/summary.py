"""Metrics in words and units: the rows of the printed table and of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from urban_map_loc.evaluation.metrics import HEADING_DEG, NEAR_M, RECALL_M, WRONG_M

Rows = list[tuple[str, str]]
NOTHING = "–"


def summary_rows(metrics: Mapping[str, Any]) -> dict[str, Rows]:
    """Name and value of what a reader wants to know, grouped by heading."""
    groups: dict[str, Rows] = {}
    single = metrics.get("single_scan")
    if single is not None:
        groups["Each cloud alone, no prior"] = [
            *((f"within {d:g} m", _percent(single[f"within_{d:g}_m"])) for d in RECALL_M),
            (f"heading within {HEADING_DEG:g}° of those within {NEAR_M:g} m", _percent(single["heading_within_5_deg_of_those_within_5_m"])),
            ("median position error of all clouds", _with_unit(single["position_median_m"], "m")),
        ]
    lock, fused = metrics["lock"], metrics["fused"]
    groups["Finding itself"] = [
        ("first lock after", f"{_with_unit(lock['first_lock_s'], 's', 1)}, {_with_unit(lock['first_lock_after_m'], 'm', 0)}"),
        ("locked", f"{_percent(lock['availability'])} of the clouds"),
        ("times lost", str(lock["times_lost"])),
        (f"locked wrong, over {WRONG_M:g} m", f"{lock['locked_wrong_over_10_m']} clouds"),
    ]
    groups["While locked: mean / median / 95 % / max"] = [
        ("position error [m]", _statistics(fused["position_m"])),
        ("along the road, absolute [m]", _statistics(fused["longitudinal_m"])),
        ("across the road, absolute [m]", _statistics(fused["lateral_m"])),
        ("heading error, absolute [°]", _statistics(fused["heading_deg"])),
    ]
    offset = metrics["map_offset"]
    groups["Offset from the truth as a whole"] = [
        ("median east, north; part of every error above", f"{_with_unit(offset['east_m'], 'm')}, {_with_unit(offset['north_m'], 'm')}"),
        ("median position error without it", _with_unit(offset["position_median_without_it_m"], "m")),
    ]
    groups["Truth in stated region: position / heading / due"] = [
        (f"{k} sigma", " / ".join(_percent(row[name]) for name in ("position", "heading", "expected")))
        for k in (1, 2, 3)
        for row in [metrics["coverage"][f"{k}_sigma"]]
    ]
    latency = metrics.get("latency_ms")
    if latency:
        groups["Cloud to answer: mean / median / 95 % / max"] = [
            ("latency [ms]", " / ".join(f"{latency[n]:.0f}" for n in ("mean", "p50", "p95", "max"))),
        ]
    return groups


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100.0 * share:.1f} %"


def _with_unit(value: float | None, unit: str, digits: int = 2) -> str:
    return NOTHING if value is None else f"{value:.{digits}f} {unit}"


def _statistics(row: Mapping[str, float | None]) -> str:
    return " / ".join(NOTHING if row[n] is None else f"{row[n]:.2f}" for n in ("mean", "median", "p95", "max"))
