"""Numbers of a run against the truth: pure functions of arrays.

Positions are compared as they are: an offset between OpenStreetMap and the truth is part of every error, and reported beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.evaluation.run_files import Estimates, latency_summary
from urban_map_loc.geometry.pose2 import wrap_angle
from urban_map_loc.localization.result import State

FloatArray = NDArray[np.float64]

RECALL_M = (1.0, 3.0, 5.0, 10.0)
NEAR_M = 5.0  # the heading of a single-scan answer is judged where its position is at least this good
HEADING_DEG = 5.0
WRONG_M = 10.0  # locked further away than this is locked wrong
# Probability that a normally distributed number lies within 1, 2, 3 sigma; regions of two dimensions hold the same.
SIGMA_PROBABILITY = (0.682689, 0.954500, 0.997300)


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


def evaluate_arrays(estimates: Estimates, single_scan: Estimates | None, truth: FloatArray) -> dict[str, Any]:
    """All metrics of a run as nested dictionaries of numbers; None where a number cannot be had.

    Args:
        estimates: fused answers, one a cloud.
        single_scan: answers to each cloud alone, or None.
        truth: `(N, 3)` true poses in the `map` frame at the clouds' stamps, NaN where the truth is unknown.
    """
    known = np.asarray(np.isfinite(truth).all(axis=1))
    metrics: dict[str, Any] = {"clouds": len(known), "clouds_with_truth": int(known.sum())}
    if single_scan is not None:
        metrics["single_scan"] = single_scan_metrics(single_scan.poses[known], truth[known])
    metrics["fused"] = fused_metrics(estimates.poses[known], truth[known])
    metrics["lock"] = lock_metrics(estimates, truth)
    metrics["coverage"] = coverage(estimates.poses[known], estimates.covariance[known], truth[known])
    metrics["map_offset"] = map_offset(estimates.poses[known], truth[known])
    timed = estimates.latency_ms[np.isfinite(estimates.latency_ms)]
    metrics["latency_ms"] = latency_summary(timed) if len(timed) else None
    return metrics


def single_scan_metrics(poses: FloatArray, truth: FloatArray) -> dict[str, Any]:
    """Recall of answers `(N, 3)` to single clouds, of all N clouds: a cloud without an answer counts as missed."""
    error = pose_errors(poses, truth)
    near = error["position"] <= NEAR_M
    right = np.abs(np.degrees(error["heading"])) <= HEADING_DEG
    return {
        "clouds": len(poses),
        "answered": _share(np.isfinite(error["position"])),
        **{f"within_{d:g}_m": _share(error["position"] <= d) for d in RECALL_M},
        f"heading_within_{HEADING_DEG:g}_deg_of_those_within_{NEAR_M:g}_m": _share(right[near]),
        # Over all clouds: one without an answer is infinitely wrong.
        "position_median_m": _number(np.median(np.nan_to_num(error["position"], nan=np.inf))) if len(poses) else None,
    }


def fused_metrics(poses: FloatArray, truth: FloatArray) -> dict[str, Any]:
    """Errors while locked: position [m], its parts along and across the true heading [m], heading [deg]."""
    error = {name: values[np.isfinite(values)] for name, values in pose_errors(poses, truth).items()}
    return {
        "clouds": len(error["position"]),
        "position_m": _summary(error["position"]),
        "longitudinal_m": _summary(np.abs(error["longitudinal"])),
        "lateral_m": _summary(np.abs(error["lateral"])),
        "heading_deg": _summary(np.abs(np.degrees(error["heading"]))),
    }


def lock_metrics(estimates: Estimates, truth: FloatArray) -> dict[str, Any]:
    """When it locked, how much of the time it was locked, and whether it was locked wrong."""
    locked = estimates.state == State.LOCKED.value
    error = pose_errors(estimates.poses, truth)["position"]
    judged = locked & np.isfinite(error)
    first = int(np.argmax(locked)) if locked.any() else None
    return {
        "first_lock_s": None if first is None else _number(estimates.stamp_s[first] - estimates.stamp_s[0]),
        "first_lock_after_m": None if first is None else _number(_travelled(truth[: first + 1])),
        "first_lock_error_m": None if first is None else _number(error[first]),
        "availability": _share(locked),
        "times_lost": int(((estimates.state[1:] == State.LOST.value) & (estimates.state[:-1] != State.LOST.value)).sum()),
        f"locked_wrong_over_{WRONG_M:g}_m": int((error[judged] > WRONG_M).sum()),
        "locked_wrong_share": _share(error[judged] > WRONG_M),
    }


def coverage(poses: FloatArray, covariance: FloatArray, truth: FloatArray) -> dict[str, Any]:
    """Share of estimates whose stated 1, 2, 3 sigma regions hold the truth, beside the share that a true covariance gives."""
    offered = np.isfinite(poses).all(axis=1) & np.isfinite(covariance).all(axis=1) & np.isfinite(truth).all(axis=1)
    error = pose_errors(poses[offered], truth[offered])
    ee, en, nn, yaw = covariance[offered].T
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = ee * nn - en * en
        squared = (nn * error["east"] ** 2 - 2.0 * en * error["east"] * error["north"] + ee * error["north"] ** 2) / determinant
        sigmas = np.abs(error["heading"]) / np.sqrt(yaw)
    out: dict[str, Any] = {"clouds": int(offered.sum())}
    for k, probability in enumerate(SIGMA_PROBABILITY, start=1):
        out[f"{k}_sigma"] = {
            "expected": round(probability, 4),
            "position": _share(squared <= -2.0 * np.log1p(-probability)),  # chi-square with 2 degrees of freedom
            "heading": _share(sigmas <= k),
        }
    return out


def map_offset(poses: FloatArray, truth: FloatArray) -> dict[str, Any]:
    """Median estimate minus truth [m]: what the map and the truth disagree by as a whole; removed from no other number."""
    error = pose_errors(poses, truth)
    near = error["position"] <= WRONG_M
    if not near.any():
        return {"clouds": 0, "east_m": None, "north_m": None, "position_median_without_it_m": None}
    east, north = float(np.median(error["east"][near])), float(np.median(error["north"][near]))
    rest = np.hypot(error["east"][near] - east, error["north"][near] - north)
    return {
        "clouds": int(near.sum()),
        "east_m": _number(east),
        "north_m": _number(north),
        "position_median_without_it_m": _number(np.median(rest)),
    }


def _travelled(truth: FloatArray) -> float:
    """Length [m] of the path through the known ones of poses `(N, 3)`; NaN where fewer than two are known."""
    known = truth[np.isfinite(truth).all(axis=1), :2]
    return float(np.hypot(*np.diff(known, axis=0).T).sum()) if len(known) > 1 else float("nan")


def _summary(values: FloatArray) -> dict[str, float | None]:
    if not len(values):
        return dict.fromkeys(("mean", "median", "p95", "max"))
    return {
        "mean": _number(values.mean()),
        "median": _number(np.median(values)),
        "p95": _number(np.percentile(values, 95.0)),
        "max": _number(values.max()),
    }


def _share(chosen: NDArray[np.bool_]) -> float | None:
    return round(float(np.mean(chosen)), 4) if len(chosen) else None


def _number(value: float | np.floating[Any]) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
