# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Asking a system, and the figures of its answers to single scans."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from urban_map_loc.baselines.questions import Questions
from urban_map_loc.baselines.system import Progress, System
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle

WITHIN_M = (5.0, 10.0, 20.0)
# So many best answers are asked for, and whether the truth is near one of them.
GUESSES, NEAR_M = 20, 5.0
# The heading is judged where the place is right.
HEADING_OF_THOSE_M, HEADING_DEG = 10.0, 10.0
DIGITS = 4


@dataclass(frozen=True, eq=False)
class Answered:
    """What a system answered to N questions; a question without an answer is infinitely wrong.

    Attributes:
        error_m: `(N,)` distance of the first guess from the truth [m].
        heading_deg: `(N,)` its heading's error, 0 to 180 [deg].
        nearest_m: `(N,)` distance of the nearest of the `GUESSES` best [m].
        took_ms: `(N,)` how long the answer took [ms].
    """

    error_m: FloatArray
    heading_deg: FloatArray
    nearest_m: FloatArray
    took_ms: FloatArray


def ask(system: System, questions: Questions, progress: Progress) -> Answered:
    """Ask all questions, one at a time, as a car would."""
    out = np.full((4, len(questions)), np.inf)
    if len(questions):
        system.guesses(questions.queries[0], GUESSES)  # what is compiled or planned at first is no query's cost
    for k, query in enumerate(questions.queries):
        began = time.perf_counter()
        found = system.guesses(query, GUESSES)
        out[3, k] = 1e3 * (time.perf_counter() - began)
        if len(found):
            distance = np.hypot(*(found.poses[:, :2] - questions.truth[k, :2]).T)
            turn = np.degrees(np.abs(wrap_angle(found.poses[0, 2] - questions.truth[k, 2])))
            out[:3, k] = distance[0], turn, distance.min()
        progress((k + 1) / len(questions), "asking")
    return Answered(*out)


def figures(answered: Answered) -> dict[str, Any]:
    """The numbers of a table's row; None where a number cannot be had."""
    count, error = len(answered.error_m), answered.error_m
    if count == 0:
        return {"scans": 0}
    right = error <= HEADING_OF_THOSE_M
    shares = {f"within_{m:g}_m": float(np.mean(error <= m)) for m in WITHIN_M}
    shares[f"in_best_{GUESSES}"] = float(np.mean(answered.nearest_m <= NEAR_M))
    name = f"heading_within_{HEADING_DEG:g}_deg_of_those_within_{HEADING_OF_THOSE_M:g}_m"
    heading = float(np.mean(answered.heading_deg[right] <= HEADING_DEG)) if right.any() else None
    median = float(np.median(error))
    return {
        "scans": count,
        **{key: round(value, DIGITS) for key, value in shares.items()},
        "median_m": round(median, 2) if np.isfinite(median) else None,
        name: None if heading is None else round(heading, DIGITS),
        "query_ms": round(float(np.median(answered.took_ms)), 2),
    }
