# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The last pose, kept over a restart: a first guess for the next start."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from urban_map_loc.config import PriorConfig
from urban_map_loc.errors import ModelError
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.priors import Prior
from urban_map_loc.localization.result import PoseEstimate
from urban_map_loc.output import final_file
from urban_map_loc.reading import json_of, require_size

SOURCE = "last pose"
LARGEST = 1e9  # of a covariance or an angle that anyone has written


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
        require_size(path, "largest_note_mb", ModelError)
        kept = json_of(path.read_text(encoding="utf-8"))
        place = GeoPoint(float(kept["lat_deg"]), float(kept["lon_deg"]))
        yaw, covariance = float(kept["yaw_enu_rad"]), np.array(kept["covariance"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, ModelError):
        return None
    if covariance.shape != (3, 3) or not (np.abs([yaw, *covariance.ravel()]) < LARGEST).all():  # false for NaN
        return None
    if not np.array_equal(covariance, covariance.T) or np.linalg.eigvalsh(covariance)[0] < 0.0:
        return None
    east, north = plane.to_enu(place.lat_deg, place.lon_deg)
    pose = Pose2(east, north, yaw)
    return Prior(pose, covariance + np.diag([config.moved_m**2, config.moved_m**2, config.moved_rad**2]), SOURCE)
