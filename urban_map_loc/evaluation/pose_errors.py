# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Errors of poses, how they are summed up, and how often they are small: what all metrics are made of.

docs/evaluation.md defines every number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.geometry.pose2 import wrap_angle

FloatArray = NDArray[np.float64]

RECALL_M = (1.0, 3.0, 5.0, 10.0)
RECALL_DEG = (1.0, 3.0, 5.0)
WRONG_M = 10.0  # locked further away than this is locked wrong


def pose_errors(poses: FloatArray, truth: FloatArray) -> dict[str, FloatArray]:
    """Errors `(N,)` of poses `(N, 3)` against true ones `(N, 3)`: east, north, longitudinal, lateral, position [m], heading [rad].

    Longitudinal and lateral are along the true heading and to the left of it; NaN where either pose is.
    """
    east, north = (poses[:, :2] - truth[:, :2]).T
    c, s = np.cos(truth[:, 2]), np.sin(truth[:, 2])
    return {
        "east": east,
        "north": north,
        "longitudinal": c * east + s * north,
        "lateral": -s * east + c * north,
        "position": np.hypot(east, north),
        "heading": wrap_angle(poses[:, 2] - truth[:, 2]),
    }


def recall(poses: FloatArray, truth: FloatArray) -> dict[str, float | None]:
    """Share of all N poses `(N, 3)` within each distance of the truth, each angle, and both together; a missing pose is within nothing.

    Returns:
        `within_1_m`, ..., `within_1_deg`, ..., `within_1_m_and_1_deg`, ...; None where N is 0.
    """
    error = pose_errors(poses, truth)
    near = {f"{d:g}_m": error["position"] <= d for d in RECALL_M}
    right = {f"{a:g}_deg": np.abs(np.degrees(error["heading"])) <= a for a in RECALL_DEG}
    both = {f"{d}_and_{a}": near[d] & right[a] for d in near for a in right}
    return {f"within_{name}": share(chosen) for name, chosen in (near | right | both).items()}


def statistics(values: FloatArray) -> dict[str, float | None]:
    """Mean, root mean square, median, 95 % and maximum of numbers `(N,)`; None of nothing."""
    if not len(values):
        return dict.fromkeys(("mean", "rms", "median", "p95", "max"))
    return {
        "mean": number(values.mean()),
        "rms": number(np.sqrt(np.mean(values**2))),
        "median": number(np.median(values)),
        "p95": number(np.percentile(values, 95.0)),
        "max": number(values.max()),
    }


def share(chosen: NDArray[np.bool_]) -> float | None:
    """Share of True; None of nothing."""
    return round(float(np.mean(chosen)), 4) if len(chosen) else None


def number(value: float | np.floating[Any]) -> float | None:
    """For JSON: four decimals, None where it is no number."""
    return round(float(value), 4) if np.isfinite(value) else None


def travelled(poses: FloatArray) -> FloatArray:
    """Metres `(N,)` driven through the known ones of poses `(N, 3)` until each; NaN where fewer than two are known.

    Unknown poses add nothing: the way between their neighbours is taken as straight.
    """
    known = np.flatnonzero(np.isfinite(poses).all(axis=1))
    if len(known) < 2:
        return np.full(len(poses), np.nan)
    steps = np.zeros(len(poses))
    steps[known[1:]] = np.hypot(*np.diff(poses[known, :2], axis=0).T)
    return np.asarray(np.cumsum(steps))
