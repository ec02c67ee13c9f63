# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tracking: the locked pose, smoothed over the recent drive, and whether it can still be believed."""

from __future__ import annotations

import numpy as np

from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.expectation import rays_of
from urban_map_loc.localization.gnss_monitor import GnssFix
from urban_map_loc.localization.recent_drive import Keyframe, RecentDrive
from urban_map_loc.localization.slip import Slip
from urban_map_loc.localization.verification import Verification
from urban_map_loc.localization.window import PoseWindow

# One scan never speaks for more than so many metres, however long none has come.
LONGEST_STEP_M = 3.0


class Tracker:
    """The locked pose: `T_map_odom` with the covariance of the car's pose, from a window of poses.

    Once fixes are used there are two windows: one with them, whose pose is offered, and one without, against which the
    next fixes are judged. Otherwise a fix would be judged by a pose that its predecessors have pulled.
    """

    def __init__(self, verifier: Verification, config: LocalizerConfig, drive: RecentDrive, T_map_odom: Pose2) -> None:
        self.verifier, self.config = verifier, config
        last = T_map_odom @ drive.keyframes[-1].T_odom_base
        raster, sigmas = verifier.raster_at(np.array([last.x, last.y])), (config.fusion.lock_sigma_m, config.fusion.lock_heading_rad)
        self.window = PoseWindow(raster, config.tracking, drive.keyframes, T_map_odom, *sigmas)
        self.unaided = self.window
        self.T_map_odom = T_map_odom
        self.covariance: FloatArray = self.window.covariance
        self.agreement = 1.0
        self.slip = Slip(verifier, config.fusion)
        self.doubted_since_m = drive.travelled_m
        self._disagreement_m = 0.0
        self._compared: tuple[float, float] | None = None
        self._fix_m = -np.inf

    def move(self, T_odom_base: Pose2) -> Pose2:
        """`T_map_base` now, by odometry since the newest keyframe."""
        T_map_base, self.covariance = self.window.at(T_odom_base)
        self.T_map_odom = T_map_base @ T_odom_base.inverse()
        return T_map_base

    def add(self, keyframe: Keyframe) -> None:
        """Take a keyframe into the windows; where another region begins, they go on with its map."""
        self.window.raster = self.unaided.raster = self.verifier.raster_at(self.window.poses[-1, :2])
        self.window.add(keyframe)
        if self.unaided is not self.window:
            self.unaided.add(keyframe)

    def compare(self, scan: BuildingScan, T_map_base: Pose2, travelled_m: float, field_of_view_rad: float) -> None:
        """Collect by how much a scan disagrees with the map (a CUSUM test over the distance driven).

        Fences, lorries and new buildings are no disagreement as long as what the map has in sight is there.

        A car that stands may have been carried there: time counts as well, slowly. Where the sum was last nothing is the most likely
        place of the change (Page 1954), `doubted_since_m` in metres driven.
        """
        fusion = self.config.fusion
        since = self._compared or (scan.stamp_s, travelled_m)
        progress_m = max(travelled_m - since[1], (scan.stamp_s - since[0]) * fusion.standing_m_s, 0.0)
        self._compared = (scan.stamp_s, travelled_m)
        pose = T_map_base.as_array()[None]
        score = float(self.verifier.score(scan.points, np.zeros_like(scan.points), pose)[0])
        rays = rays_of(scan, field_of_view_rad)
        found, weight = (float(value[0]) for value in self.verifier.found(rays, pose))
        self.slip.look(score, found, T_map_base, scan.points, rays)
        score = max(score, found) if found > fusion.lost_score else score
        self.agreement += min(1.0, progress_m / fusion.agreement_m) * (score - self.agreement)
        step = weight * (fusion.lost_score - score) * min(progress_m, LONGEST_STEP_M)
        self._disagreement_m = max(0.0, self._disagreement_m + step)
        if self._disagreement_m == 0.0:
            self.doubted_since_m = travelled_m

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
        """Covariance `(3, 3)` [m, m, rad] with the map's own error added, and what doubts make of it.

        As probable as the recent scans make it the car is elsewhere, and elsewhere begins `rival_distance_m` and `rival_heading_rad`
        away: with that probability, that much squared is the least by which the mixture's covariance grows.
        """
        fusion, doubt = self.config.fusion, self.doubt
        position = fusion.map_sigma_m**2 + doubt * fusion.rival_distance_m**2
        heading = fusion.map_sigma_rad**2 + doubt * fusion.rival_heading_rad**2
        return self.covariance + np.diag([position, position, heading])

    @property
    def doubt(self) -> float:
        """How probable the recent scans make it that the car is elsewhere: 0 until they are `doubtful`, 1 where the lock is lost."""
        fusion = self.config.fusion
        least, most = fusion.doubtful_share * fusion.lost_disagreement_m, fusion.lost_disagreement_m
        return max(self.slip.share, min(1.0, max(0.0, self._disagreement_m - least) / max(most - least, 1e-6)))

    @property
    def doubtful(self) -> bool:
        """Whether the recent scans make another place likely enough to look for it."""
        fusion = self.config.fusion
        return self._disagreement_m > fusion.doubtful_share * fusion.lost_disagreement_m

    @property
    def disagreement(self) -> str:
        """Why the recent scans speak against the pose; empty while they do not."""
        if reason := self.slip.reason:
            return reason
        if self._disagreement_m > self.config.fusion.lost_disagreement_m:
            return f"the scans disagree with the map (agreement {self.agreement:.2f})"
        return ""

    @property
    def sigma_m(self) -> float:
        """Standard deviation of the position along its worst direction [m], the map's own error apart."""
        return float(np.sqrt(np.linalg.eigvalsh(self.covariance[:2, :2])[-1]))

    @property
    def uncertainty(self) -> str:
        """Why the pose is too uncertain to be offered; empty while it is not."""
        if self.sigma_m > self.config.fusion.lost_sigma_m:
            return f"too long without walls to hold on to (position sigma {self.sigma_m:.1f} m)"
        return ""
