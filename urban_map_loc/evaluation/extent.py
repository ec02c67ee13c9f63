# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""How far a place reaches, and errors as a share of that: the figure by which MapNet's authors compare places of unlike size."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.evaluation.pose_errors import number, pose_errors

FloatArray = NDArray[np.float64]


def rms_spread(positions: FloatArray) -> float:
    """Root mean square distance [m] of positions `(N, 2)` from their mean; NaN of none."""
    if not len(positions):
        return float("nan")
    return float(np.sqrt(np.mean(np.sum((positions - positions.mean(axis=0)) ** 2, axis=1))))


def roads_rms_spread(roads: NDArray[np.object_]) -> float:
    """Root mean square distance [m] of all points of line strings from their mean, each metre alike; NaN where there is none."""
    ends = [(line[:-1], line[1:]) for line in map(shapely.get_coordinates, roads) if len(line) > 1]
    if not ends:
        return float("nan")
    a, b = (np.concatenate(side) for side in zip(*ends, strict=True))
    length = np.hypot(*(b - a).T)
    if not length.sum() > 0.0:
        return float("nan")
    weight = length / length.sum()
    mean = weight @ (0.5 * (a + b))
    a, b = a - mean, b - mean
    # The mean of |x|^2 along a straight line from a to b.
    squares = np.sum(a * a + a * b + b * b, axis=1) / 3.0
    return float(np.sqrt(weight @ squares))


def share_of_extent(fused: FloatArray, single_scan: FloatArray | None, truth: FloatArray, roads_m: float) -> dict[str, Any]:
    """Mean position errors as shares of the spread of the true positions, and of the map's roads.

    Args:
        fused: `(N, 3)` poses while locked, NaN where not.
        single_scan: `(N, 3)` answers to each cloud alone, NaN where none was given, or None.
        truth: `(N, 3)` true poses.
        roads_m: spread of the roads [m].
    """
    truth_m = rms_spread(truth[np.isfinite(truth).all(axis=1), :2])
    out: dict[str, Any] = {"truth_rms_spread_m": number(truth_m), "roads_rms_spread_m": number(roads_m)}
    for name, poses in (("fused", fused), ("single_scan", single_scan)):
        if poses is not None:
            error = pose_errors(poses, truth)["position"]
            mean = error[np.isfinite(error)].mean() if np.isfinite(error).any() else np.nan
            out[name] = {"of_truth": _ratio(mean, truth_m), "of_roads": _ratio(mean, roads_m)}
    return out


def _ratio(value: float, whole: float) -> float | None:
    return round(value / whole, 5) if np.isfinite(value) and whole > 0.0 else None
