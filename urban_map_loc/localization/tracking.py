"""Tracking: a Kalman filter on the pose, predicted by odometry and corrected by the map."""

from __future__ import annotations

from math import cos, sin

import numpy as np

from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, wrap_angle
from urban_map_loc.localization.verification import Verifier


class Tracker:
    """The locked pose: `T_map_odom` with the covariance of the car's pose, carried by odometry."""

    def __init__(self, verifier: Verifier, config: FusionConfig, T_map_base: Pose2, T_odom_base: Pose2) -> None:
        self.verifier, self.config = verifier, config
        self.T_map_odom = T_map_base @ T_odom_base.inverse()
        self.covariance: FloatArray = np.diag([config.map_sigma_m**2, config.map_sigma_m**2, config.lock_heading_rad**2])
        self.agreement = 1.0
        self._disagreed_m = 0.0
        self._uncorrected_m = 0.0

    def predict(self, T_odom_base: Pose2, metres: float) -> Pose2:
        """`T_map_base` after `metres` of odometry.

        Odometry's error in position is mostly a wrong scale, so that it grows with the distance since the last correction, not
        with its root; in heading it is a random walk.
        """
        T_map_base = self.T_map_odom @ T_odom_base
        jacobian = np.eye(3)
        jacobian[0, 2], jacobian[1, 2] = -metres * sin(T_map_base.yaw), metres * cos(T_map_base.yaw)
        before_m, self._uncorrected_m = self._uncorrected_m, self._uncorrected_m + metres
        drift = self.config.odometry_noise**2 * (self._uncorrected_m**2 - before_m**2)
        turn = self.config.odometry_heading_noise**2 * metres
        self.covariance = jacobian @ self.covariance @ jacobian.T + np.diag([drift, drift, turn])
        return T_map_base

    def correct(self, T_odom_base: Pose2, points: FloatArray, origins: FloatArray, driven_m: float) -> None:
        """Move to where hits `(M, 2)` of the last metres (base frame) fit the map best, as far as they constrain it."""
        predicted = self.T_map_odom @ T_odom_base
        poses, scores = self.verifier.refine(points, origins, predicted.as_array()[None])
        self.agreement = float(scores[0])
        self._disagreed_m = self._disagreed_m + driven_m if self.agreement < self.config.lost_score else 0.0
        offset = poses[0] - predicted.as_array()
        offset[2] = float(wrap_angle(offset[2]))
        if self.agreement < self.config.lost_score or np.hypot(offset[0], offset[1]) > self.config.largest_correction_m:
            return  # what fits nowhere nearby says nothing about where the car is
        information = self.verifier.information(points, Pose2.from_array(poses[0])) / self.config.window_correlation
        # Information form of the update: a direction that no wall constrains keeps its prediction.
        prior = np.linalg.inv(self.covariance)
        self._uncorrected_m = 0.0
        self.covariance = np.asarray(np.linalg.inv(prior + information), dtype=np.float64)
        step = self.covariance @ information @ offset
        corrected = Pose2.from_array(predicted.as_array() + step)
        self.T_map_odom = corrected @ T_odom_base.inverse()

    @property
    def published_covariance(self) -> FloatArray:
        """Covariance `(3, 3)` [m, m, rad] with the map's own error added."""
        position, heading = self.config.map_sigma_m**2, self.config.map_sigma_rad**2
        return self.covariance + np.diag([position, position, heading])

    @property
    def position_sigma_m(self) -> float:
        """Standard deviation along the worst direction [m]."""
        return float(np.sqrt(np.linalg.eigvalsh(self.covariance[:2, :2])[-1]))

    @property
    def lost(self) -> str:
        """Why the lock can no longer be believed; empty while it can."""
        if self._disagreed_m > self.config.lost_distance_m:
            return f"scans disagree with the map for {self._disagreed_m:.0f} m (agreement {self.agreement:.2f})"
        if self.position_sigma_m > self.config.lost_sigma_m:
            return f"too long without walls to hold on to (position sigma {self.position_sigma_m:.1f} m)"
        return ""
