"""Tracking: the locked pose, smoothed over the recent drive, and whether it can still be believed."""

from __future__ import annotations

import numpy as np

from urban_map_loc.config import LocalizerConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.gnss_monitor import GnssFix
from urban_map_loc.localization.recent_drive import Keyframe, RecentDrive
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.localization.window import PoseWindow


class Tracker:
    """The locked pose: `T_map_odom` with the covariance of the car's pose, from a window of poses.

    Once fixes are used there are two windows: one with them, whose pose is offered, and one without, against which the
    next fixes are judged. Otherwise a fix would be judged by a pose that its predecessors have pulled.
    """

    def __init__(self, verifier: Verifier, config: LocalizerConfig, drive: RecentDrive, T_map_odom: Pose2) -> None:
        self.verifier, self.config = verifier, config
        self.window = PoseWindow(verifier.raster, config.tracking)
        self.window.start(drive.keyframes, T_map_odom, config.fusion.lock_sigma_m, config.fusion.lock_heading_rad)
        self.unaided = self.window
        self.T_map_odom = T_map_odom
        self.covariance: FloatArray = np.eye(3)
        self.agreement = 1.0
        self._disagreement_m = 0.0
        self._fix_m = -np.inf

    def move(self, T_odom_base: Pose2) -> Pose2:
        """`T_map_base` now, by odometry since the newest keyframe."""
        T_map_base, self.covariance = self.window.at(T_odom_base)
        self.T_map_odom = T_map_base @ T_odom_base.inverse()
        return T_map_base

    def add(self, keyframe: Keyframe) -> None:
        """Take a keyframe into the windows, and see how well it agrees with the map where it is taken to be."""
        driven_m = max(0.0, keyframe.travelled_m - self.window.keyframes[-1].travelled_m)
        self.window.add(keyframe)
        if self.unaided is not self.window:
            self.unaided.add(keyframe)
        if len(keyframe.points):
            self._compare(keyframe, driven_m)

    def _compare(self, keyframe: Keyframe, driven_m: float) -> None:
        """Collect what the scans disagree with the map by (a CUSUM test over the distance driven)."""
        fusion = self.config.fusion
        pose = self.window.pose_of(keyframe)
        score = float(self.verifier.score(keyframe.points, np.zeros_like(keyframe.points), pose.as_array()[None])[0])
        share = min(1.0, driven_m / fusion.agreement_m)
        self.agreement += share * (score - self.agreement)
        self._disagreement_m = max(0.0, self._disagreement_m + (fusion.lost_score - score) * min(driven_m, fusion.agreement_m))

    def add_fix(self, fix: GnssFix, T_odom_base: Pose2, travelled_m: float) -> None:
        """Use a fix that has been found consistent, unless the last one was used too few metres ago."""
        if travelled_m - self._fix_m < self.config.gnss.spacing_m:
            return
        self._fix_m = travelled_m
        if self.unaided is self.window:
            self.unaided = self.window.fork()
        covariance = fix.covariance + np.eye(2) * self.config.gnss.floor_m**2
        self.window.add_fix(fix.stamp_s, T_odom_base, fix.position, self.config.gnss.inflation * covariance)

    def drop_fixes(self) -> None:
        """Go on from map and odometry alone, as if no fix had ever been used."""
        self.window = self.unaided

    @property
    def published_covariance(self) -> FloatArray:
        """Covariance `(3, 3)` [m, m, rad] with the map's own error added."""
        position, heading = self.config.fusion.map_sigma_m**2, self.config.fusion.map_sigma_rad**2
        return self.covariance + np.diag([position, position, heading])

    @property
    def disagreement(self) -> str:
        """Why the recent scans speak against the pose; empty while they do not."""
        if self._disagreement_m > self.config.fusion.lost_disagreement_m:
            return f"the scans disagree with the map (agreement {self.agreement:.2f})"
        return ""

    @property
    def uncertainty(self) -> str:
        """Why the pose is too uncertain to be offered; empty while it is not."""
        sigma_m = float(np.sqrt(np.linalg.eigvalsh(self.covariance[:2, :2])[-1]))
        if sigma_m > self.config.fusion.lost_sigma_m:
            return f"too long without walls to hold on to (position sigma {sigma_m:.1f} m)"
        return ""
