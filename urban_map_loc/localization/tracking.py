"""Tracking: the locked pose, smoothed over the recent drive, and whether it can still be believed."""

from __future__ import annotations

import numpy as np

from urban_map_loc.config import LocalizerConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.recent_drive import Keyframe, RecentDrive
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.localization.window import PoseWindow


class Tracker:
    """The locked pose: `T_map_odom` with the covariance of the car's pose, from a window of poses."""

    def __init__(self, verifier: Verifier, config: LocalizerConfig, drive: RecentDrive, T_map_odom: Pose2) -> None:
        self.verifier, self.config = verifier, config.fusion
        self.window = PoseWindow(verifier.raster, config.tracking)
        self.window.start(drive.keyframes, T_map_odom, self.config.map_sigma_m, self.config.lock_heading_rad)
        self.T_map_odom = T_map_odom
        self.covariance: FloatArray = np.eye(3)
        self.agreement = 1.0
        self._disagreed_m = 0.0

    def move(self, T_odom_base: Pose2) -> Pose2:
        """`T_map_base` now, by odometry since the newest keyframe."""
        T_map_base, self.covariance = self.window.at(T_odom_base)
        self.T_map_odom = T_map_base @ T_odom_base.inverse()
        return T_map_base

    def add(self, keyframe: Keyframe) -> None:
        """Take a keyframe and see how well the last metres agree with the map."""
        driven_m = keyframe.travelled_m - self.window.keyframes[-1].travelled_m
        self.window.add(keyframe)
        self.agreement = self._agreement()
        self._disagreed_m = self._disagreed_m + driven_m if self.agreement < self.config.lost_score else 0.0

    def _agreement(self) -> float:
        """Score of the hits of the last metres at their smoothed poses."""
        last = self.window.keyframes[-1]
        T_base_map = Pose2.from_array(self.window.poses[-1]).inverse()
        points, origins = [np.zeros((0, 2))], [np.zeros((0, 2))]
        for keyframe, pose in zip(self.window.keyframes, self.window.poses, strict=True):
            if last.travelled_m - keyframe.travelled_m <= self.config.tracking_window_m:
                T_base_key = T_base_map @ Pose2.from_array(pose)
                points.append(T_base_key.transform(keyframe.points))
                origins.append(np.broadcast_to([T_base_key.x, T_base_key.y], keyframe.points.shape))
        if sum(len(part) for part in points) == 0:
            return self.agreement
        return float(self.verifier.score(np.concatenate(points), np.concatenate(origins), self.window.poses[-1:])[0])

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
