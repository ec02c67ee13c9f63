# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Aids: what comes from outside the car's own scans and odometry. First guesses, and a GNSS receiver under watch."""

from __future__ import annotations

from collections import deque

import numpy as np

from urban_map_loc.config import LocalizerConfig
from urban_map_loc.localization.gnss_monitor import GnssFix, GnssMonitor, GnssState
from urban_map_loc.localization.odometry import OdometryBuffer
from urban_map_loc.localization.priors import Prior, Priors
from urban_map_loc.localization.tracking import Tracker

# Fixes that wait for odometry of their time; more than these seconds of a usual receiver's are not worth the wait.
WAITING_FIXES = 50


class Aids:
    """First guesses and GNSS, each placed where odometry was at its own stamp."""

    def __init__(self, config: LocalizerConfig) -> None:
        self.config = config.gnss
        self.priors = Priors(config.prior)
        self.gnss = GnssMonitor(config.gnss)
        self._waiting: deque[GnssFix] = deque(maxlen=WAITING_FIXES)

    def clear(self) -> None:
        """Forget all."""
        self.priors.clear()
        self.gnss.reset()
        self._waiting.clear()

    def add_prior(self, prior: Prior, stamp_s: float | None, odometry: OdometryBuffer, travelled_m: float) -> str:
        """Take a first guess made at a stamp [s], or now; says why it could not be taken, nothing where it was."""
        T_odom_base = odometry.newest if stamp_s is None else odometry.at(stamp_s)
        if isinstance(T_odom_base, str):
            return T_odom_base
        self.priors.add(prior, T_odom_base, travelled_m)
        return ""

    def add_fix(self, fix: GnssFix) -> None:
        """Take a fix; it waits until odometry has passed its stamp."""
        if self.config.use:
            self._waiting.append(fix)

    def take_fixes(self, stamp_s: float, odometry: OdometryBuffer, tracker: Tracker | None, travelled_m: float) -> None:
        """Use the fixes made before a stamp [s] of odometry: as first guesses, and while locked, where they are consistent, as factors."""
        while self._waiting and self._waiting[0].stamp_s <= stamp_s:
            fix = self._waiting.popleft()
            T_odom_base = odometry.at(fix.stamp_s)
            if isinstance(T_odom_base, str):
                continue
            self.priors.add(Prior.of_fix(fix), T_odom_base, travelled_m)
            if tracker is None:
                self.gnss.unchecked(fix, "not locked: there is nothing to compare with")
                continue
            pose, covariance = tracker.unaided.near(fix.stamp_s, T_odom_base)
            verdict = self.gnss.judge(fix, np.array([pose.x, pose.y]), covariance[:2, :2])
            if verdict.usable:
                tracker.add_fix(fix, T_odom_base, travelled_m)
            elif verdict.state is GnssState.REJECTED:
                tracker.drop_fixes()
