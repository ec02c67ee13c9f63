# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A drive in parts: stretches on the map, and sections of them, each judged alone, so that one sees where it goes well."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.config import ReportConfig
from urban_map_loc.evaluation.lock import first_lock, is_locked, wrong_locks
from urban_map_loc.evaluation.pose_errors import number, pose_errors, share, statistics, travelled
from urban_map_loc.evaluation.run_files import Estimates

FloatArray = NDArray[np.float64]
NEAR_M = 5.0  # single-scan answers so near count, in the table of parts


def stretches(
    estimates: Estimates, single_scan: Estimates | None, truth: FloatArray, inside: NDArray[np.bool_], config: ReportConfig | None = None
) -> list[dict[str, Any]]:
    """Metrics of every stretch: clouds on the map, one after the other, with no gap longer than `config.gap_s`.

    Args:
        estimates: fused answers, one a cloud.
        single_scan: answers to each cloud alone, or None.
        truth: `(N, 3)` true poses, NaN where unknown.
        inside: `(N,)` clouds whose true place is known and on the map.
        config: what a gap is and how long sections are.

    Returns:
        One dictionary a stretch, with its `sections` of `config.section_m` each; the last is as long as is left.
    """
    config = config or ReportConfig()
    clouds = np.flatnonzero(inside)
    if not len(clouds):
        return []
    cuts = np.flatnonzero(np.diff(estimates.stamp_s[clouds]) > config.gap_s) + 1
    out = []
    for k, part in enumerate(np.split(clouds, cuts), start=1):
        row = _row(str(k), estimates, single_scan, truth, part)
        row |= first_lock(_cut(estimates, part), truth[part])
        way = np.nan_to_num(travelled(truth[part]))
        number_of = (way // config.section_m).astype(np.int64)
        parts = np.split(part, np.flatnonzero(np.diff(number_of)) + 1)
        row["sections"] = [_row(f"{k}.{j}", estimates, single_scan, truth, section) for j, section in enumerate(parts, start=1)]
        out.append(row)
    return out


def _row(name: str, estimates: Estimates, single_scan: Estimates | None, truth: FloatArray, clouds: NDArray[np.intp]) -> dict[str, Any]:
    part = _cut(estimates, clouds)
    error = {key: values[np.isfinite(values)] for key, values in pose_errors(part.poses, truth[clouds]).items()}
    way = travelled(truth[clouds])[-1]
    middle = truth[clouds[len(clouds) // 2]]
    row: dict[str, Any] = {
        "name": name,
        "begin_s": number(part.stamp_s[0] - estimates.stamp_s[0]),
        "end_s": number(part.stamp_s[-1] - estimates.stamp_s[0]),
        "length_m": number(way if np.isfinite(way) else 0.0),
        "middle_east_m": number(middle[0]),
        "middle_north_m": number(middle[1]),
        "clouds": len(clouds),
        "availability": share(is_locked(part)),
        "position_m": statistics(error["position"]),
        "longitudinal_m": statistics(np.abs(error["longitudinal"])),
        "lateral_m": statistics(np.abs(error["lateral"])),
        "heading_deg": statistics(np.abs(np.degrees(error["heading"]))),
        "locked_wrong": int(wrong_locks(part, truth[clouds]).sum()),
    }
    if single_scan is not None:
        near = pose_errors(single_scan.poses[clouds], truth[clouds])["position"] <= NEAR_M
        row[f"single_scan_within_{NEAR_M:g}_m"] = share(near)
    return row


def _cut(table: Estimates, clouds: NDArray[np.intp]) -> Estimates:
    return Estimates(table.stamp_s[clouds], table.state[clouds], table.poses[clouds], table.covariance[clouds], table.latency_ms[clouds])
