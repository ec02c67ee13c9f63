# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Moments of a run that are worth a look: where it locked, lost, erred most, was wrong, was slow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.evaluation.lock import is_locked, runs_of, wrong_locks
from urban_map_loc.evaluation.metrics import on_the_map
from urban_map_loc.evaluation.pose_errors import WRONG_M, pose_errors
from urban_map_loc.evaluation.run_files import Run

FloatArray = NDArray[np.float64]

MOST_OF_A_KIND = 40  # a run that locks and loses hundreds of times is looked at in the diagram


@dataclass(frozen=True)
class Moment:
    """One of them.

    Attributes:
        cloud: index of the cloud.
        kind: start, lock, lost, wrong, error, heading, latency, off or on (the map).
        text: what happened.
        mark: short text beside it on the map; empty where it is not marked there.
    """

    cloud: int
    kind: str
    text: str
    mark: str = ""


def moments(run: Run, truth: FloatArray, bounds: tuple[float, float, float, float]) -> list[Moment]:
    """All moments in order of time.

    Args:
        run: with what was answered.
        truth: `(N, 3)` true poses, NaN where unknown.
        bounds: west, south, east, north [m] of the map.
    """
    inside = np.isfinite(truth).all(axis=1) & on_the_map(truth, bounds)
    estimates = run.estimates
    error = pose_errors(estimates.poses, truth)
    locked = is_locked(estimates)
    out = [Moment(0, "start", "start", "start")]
    for k, (begin, end) in enumerate(runs_of(locked)[:MOST_OF_A_KIND]):
        out.append(Moment(begin, "lock", "locked" if not k else "locked again", _after("locked", run, begin)))
        if end < len(locked):
            reason = f": {run.frames.frames[end].reason}" if run.frames else ""
            out.append(Moment(end, "lost", f"lost{reason}", "lost"))
    for begin, end in runs_of(wrong_locks(estimates, truth))[:MOST_OF_A_KIND]:
        worst = float(np.nanmax(error["position"][begin:end]))
        out.append(Moment(begin, "wrong", f"locked wrong, up to {worst:.0f} m, for {end - begin} clouds", f"over {WRONG_M:g} m off"))
    out += _largest(error["position"], "error", "largest position error, {:.2f} m", "largest error {:.2f} m")
    out += _largest(np.abs(np.degrees(error["heading"])), "heading", "largest heading error, {:.2f}°", "")
    out += _largest(estimates.latency_ms, "latency", "slowest answer, {:.0f} ms", "")
    known = np.asarray(np.isfinite(truth).all(axis=1))
    for begin, end in runs_of(known & ~inside)[:MOST_OF_A_KIND]:
        if begin > 0:
            out.append(Moment(begin, "off", "the car leaves the map", "leaves the map"))
        if end < len(known):
            out.append(Moment(end, "on", "the car comes onto the map", ""))
    return sorted(out, key=lambda moment: moment.cloud)


def _after(word: str, run: Run, cloud: int) -> str:
    return f"{word} after {run.estimates.stamp_s[cloud] - run.estimates.stamp_s[0]:.1f} s"


def _largest(values: FloatArray, kind: str, text: str, mark: str) -> list[Moment]:
    if not np.isfinite(values).any():
        return []
    worst = int(np.nanargmax(values))
    return [Moment(worst, kind, text.format(values[worst]), mark.format(values[worst]))]
