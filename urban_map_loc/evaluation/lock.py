# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""When the localizer locked, how much of the time, how long it went without, and whether it was locked wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.evaluation.pose_errors import WRONG_M, number, pose_errors, share, travelled
from urban_map_loc.evaluation.run_files import Estimates
from urban_map_loc.localization.result import State

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def lock_metrics(estimates: Estimates, truth: FloatArray, inside: BoolArray) -> dict[str, Any]:
    """Metrics of the lock.

    Args:
        estimates: fused answers, one a cloud.
        truth: `(N, 3)` true poses, NaN where unknown.
        inside: `(N,)` clouds whose true place is known and on the map.
    """
    locked = is_locked(estimates)
    known = np.isfinite(truth).all(axis=1)
    error = pose_errors(estimates.poses, truth)["position"]
    wrong = wrong_locks(estimates, truth)
    gaps = _gaps(estimates)
    return {
        **first_lock(estimates, truth),
        "availability": share(locked),
        "availability_on_the_map": share(locked[inside]),
        "locked_off_the_map": int((locked & known & ~inside).sum()),
        "times_lost": int(((estimates.state[1:] == State.LOST.value) & (estimates.state[:-1] != State.LOST.value)).sum()),
        "locked_again_after_s": {"count": len(gaps), "mean": number(gaps.mean()), "max": number(gaps.max())} if len(gaps) else None,
        f"locked_wrong_over_{WRONG_M:g}_m": int(wrong.sum()),
        "locked_wrong_share": share(wrong[locked & np.isfinite(error)]),
        "locked_wrong_times": len(runs_of(wrong)),
    }


def first_lock(estimates: Estimates, truth: FloatArray) -> dict[str, Any]:
    """Time [s] and way [m] from the first cloud to the first locked one, and the error there [m]; None where it never locked."""
    locked = is_locked(estimates)
    if not locked.any():
        return dict.fromkeys(("first_lock_s", "first_lock_after_m", "first_lock_error_m"))
    first = int(np.argmax(locked))
    return {
        "first_lock_s": number(estimates.stamp_s[first] - estimates.stamp_s[0]),
        "first_lock_after_m": number(travelled(truth[: first + 1])[-1]),
        "first_lock_error_m": number(pose_errors(estimates.poses, truth)["position"][first]),
    }


def is_locked(estimates: Estimates) -> BoolArray:
    """`(N,)` clouds answered with a position."""
    return np.asarray(estimates.state == State.LOCKED.value)


def wrong_locks(estimates: Estimates, truth: FloatArray) -> BoolArray:
    """`(N,)` clouds at which it was locked more than `WRONG_M` from the truth."""
    with np.errstate(invalid="ignore"):
        return is_locked(estimates) & (pose_errors(estimates.poses, truth)["position"] > WRONG_M)


def runs_of(chosen: BoolArray) -> list[tuple[int, int]]:
    """Begin and end, exclusive, of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _gaps(estimates: Estimates) -> FloatArray:
    """Durations [s] from the last locked cloud to the next one, of every time without a lock between two."""
    locked = is_locked(estimates)
    gaps = [(b, e) for b, e in runs_of(~locked) if b > 0 and e < len(locked)]
    return np.array([estimates.stamp_s[e] - estimates.stamp_s[b - 1] for b, e in gaps])
