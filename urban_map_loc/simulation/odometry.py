# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A car's odometry: the truth with a wrong scale, drift and noise."""

from __future__ import annotations

import numpy as np

from urban_map_loc.config import SimulationConfig
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle


def drifting(truth: FloatArray, config: SimulationConfig, rng: np.random.Generator) -> FloatArray:
    """Odometry poses `(N, 3)` from the origin for true poses `(N, 3)`: a wrong scale, a constant and a random heading drift, slip."""
    scale = 1.0 + rng.normal(0.0, config.odometry_scale)
    drift = rng.normal(0.0, config.odometry_drift_rad_m)
    yaw = np.unwrap(truth[:, 2])
    step = np.diff(truth[:, :2], axis=0)
    length = np.hypot(step[:, 0], step[:, 1])
    middle = 0.5 * (yaw[:-1] + yaw[1:])
    forward = scale * (np.cos(middle) * step[:, 0] + np.sin(middle) * step[:, 1])
    left = scale * (np.cos(middle) * step[:, 1] - np.sin(middle) * step[:, 0])
    turn = np.diff(yaw) + drift * length + config.odometry_walk_rad * np.sqrt(length) * rng.standard_normal(len(length))
    forward += config.odometry_slip_m * np.sqrt(length) * rng.standard_normal(len(length))
    heading = np.concatenate([[0.0], np.cumsum(turn)])
    half = 0.5 * (heading[:-1] + heading[1:])
    x = np.cumsum(np.cos(half) * forward - np.sin(half) * left)
    y = np.cumsum(np.sin(half) * forward + np.cos(half) * left)
    return np.column_stack([np.concatenate([[0.0], x]), np.concatenate([[0.0], y]), wrap_angle(heading)])


def driven(poses: FloatArray) -> FloatArray:
    """Distance driven `(N,)` [m] at poses `(N, 3)`."""
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(poses[:, :2], axis=0).T))])
