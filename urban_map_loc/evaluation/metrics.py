# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Numbers of a run against the truth: pure functions of arrays. docs/evaluation.md defines each.

Positions are compared as they are: an offset between OpenStreetMap and the truth is part of every error, and reported beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.evaluation.extent import share_of_extent
from urban_map_loc.evaluation.lock import lock_metrics
from urban_map_loc.evaluation.pose_errors import WRONG_M, number, pose_errors, recall, share, statistics
from urban_map_loc.evaluation.run_files import Estimates, latency_summary
from urban_map_loc.evaluation.stretches import stretches

FloatArray = NDArray[np.float64]

NEAR_M = 5.0  # the heading of a single-scan answer is judged besides where its position is at least this good
HEADING_DEG = 5.0
# Probability that a normally distributed number lies within 1, 2, 3 sigma; regions of two dimensions hold the same.
SIGMA_PROBABILITY = (0.682689, 0.954500, 0.997300)


def evaluate_arrays(
    estimates: Estimates,
    single_scan: Estimates | None,
    truth: FloatArray,
    bounds: tuple[float, float, float, float] | None = None,
    roads_m: float = float("nan"),
) -> dict[str, Any]:
    """All metrics of a run as nested dictionaries of numbers; None where a number cannot be had.

    Args:
        estimates: fused answers, one a cloud.
        single_scan: answers to each cloud alone, or None.
        truth: `(N, 3)` true poses in the `map` frame at the clouds' stamps, NaN where the truth is unknown.
        bounds: west, south, east, north [m] of the map; where the true place is outside nobody can be found. Without it all is inside.
        roads_m: root mean square spread of the map's roads [m], see `roads_rms_spread`.
    """
    known = np.asarray(np.isfinite(truth).all(axis=1))
    inside = known if bounds is None else known & on_the_map(truth, bounds)
    metrics: dict[str, Any] = {"clouds": len(known), "clouds_with_truth": int(known.sum()), "clouds_on_the_map": int(inside.sum())}
    if single_scan is not None:
        metrics["single_scan"] = single_scan_metrics(single_scan.poses[inside], truth[inside])
    metrics["fused"] = fused_metrics(estimates.poses[known], truth[known])
    metrics["fused"]["recall_of_all_clouds"] = recall(estimates.poses[inside], truth[inside])
    metrics["lock"] = lock_metrics(estimates, truth, inside)
    metrics["coverage"] = coverage(estimates.poses[known], estimates.covariance[known], truth[known])
    metrics["map_offset"] = map_offset(estimates.poses[known], truth[known])
    single = single_scan.poses[inside] if single_scan is not None else None
    metrics["share_of_extent"] = share_of_extent(estimates.poses[inside], single, truth[inside], roads_m)
    timed = estimates.latency_ms[np.isfinite(estimates.latency_ms)]
    metrics["latency_ms"] = latency_summary(timed) if len(timed) else None
    metrics["stretches"] = stretches(estimates, single_scan, truth, inside)
    return metrics


def on_the_map(truth: FloatArray, bounds: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """`(N,)` poses `(N, 3)` within west, south, east, north [m]."""
    west, south, east, north = bounds
    x, y = truth[:, 0], truth[:, 1]
    with np.errstate(invalid="ignore"):
        return np.asarray((x >= west) & (x <= east) & (y >= south) & (y <= north))


def single_scan_metrics(poses: FloatArray, truth: FloatArray) -> dict[str, Any]:
    """Recall of answers `(N, 3)` to single clouds, of all N clouds: a cloud without an answer counts as missed."""
    error = pose_errors(poses, truth)
    near = error["position"] <= NEAR_M
    right = np.abs(np.degrees(error["heading"])) <= HEADING_DEG
    return {
        "clouds": len(poses),
        "answered": share(np.isfinite(error["position"])),
        **recall(poses, truth),
        f"heading_within_{HEADING_DEG:g}_deg_of_those_within_{NEAR_M:g}_m": share(right[near]),
        # Over all clouds: one without an answer is infinitely wrong.
        "position_median_m": number(np.median(np.nan_to_num(error["position"], nan=np.inf))) if len(poses) else None,
    }


def fused_metrics(poses: FloatArray, truth: FloatArray) -> dict[str, Any]:
    """Errors while locked: position [m], its parts along and across the true heading [m], heading [deg]."""
    error = {name: values[np.isfinite(values)] for name, values in pose_errors(poses, truth).items()}
    return {
        "clouds": len(error["position"]),
        "position_m": statistics(error["position"]),
        "longitudinal_m": statistics(np.abs(error["longitudinal"])),
        "lateral_m": statistics(np.abs(error["lateral"])),
        "heading_deg": statistics(np.abs(np.degrees(error["heading"]))),
        "longitudinal_bias_m": number(error["longitudinal"].mean()) if len(error["longitudinal"]) else None,
        "lateral_bias_m": number(error["lateral"].mean()) if len(error["lateral"]) else None,
        "heading_bias_deg": number(np.degrees(error["heading"]).mean()) if len(error["heading"]) else None,
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
            "position": share(squared <= -2.0 * np.log1p(-probability)),  # chi-square with 2 degrees of freedom
            "heading": share(sigmas <= k),
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
        "east_m": number(east),
        "north_m": number(north),
        "position_median_without_it_m": number(np.median(rest)),
    }
