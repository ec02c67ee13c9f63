# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The last pose, kept over a restart: a first guess for the next start."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from urban_map_loc.config import PriorConfig
from urban_map_loc.geometry.geodesy import LocalTangentPlane
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.priors import Prior
from urban_map_loc.localization.result import PoseEstimate
from urban_map_loc.output import final_file

SOURCE = "last pose"


def save_last_pose(path: Path, stamp_s: float, estimate: PoseEstimate, plane: LocalTangentPlane) -> None:
    """Write an estimate in WGS84, so that it serves with another datum too.

    Raises:
        OutputError: `path` cannot be written.
    """
    T = estimate.T_map_base
    lat_deg, lon_deg = (float(v) for v in plane.to_geodetic(np.array([T.x, T.y])))
    kept = {"stamp_s": stamp_s, "lat_deg": lat_deg, "lon_deg": lon_deg, "yaw_enu_rad": T.yaw, "covariance": estimate.covariance.tolist()}
    with final_file(path) as temporary:
        temporary.write_text(json.dumps(kept) + "\n", encoding="utf-8")


def load_last_pose(path: Path, plane: LocalTangentPlane, config: PriorConfig) -> Prior | None:
    """The guess that the file holds; None where there is none or it is damaged: a guess is never worth a failure.

    It is less certain than it was: the car may have been moved a little since.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        east, north = plane.to_enu(float(kept["lat_deg"]), float(kept["lon_deg"]))
        pose, covariance = Pose2(east, north, float(kept["yaw_enu_rad"])), np.array(kept["covariance"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if covariance.shape != (3, 3) or not np.isfinite([pose.x, pose.y, pose.yaw, *covariance.ravel()]).all():
        return None
    return Prior(pose, covariance + np.diag([config.moved_m**2, config.moved_m**2, config.moved_rad**2]), SOURCE)
