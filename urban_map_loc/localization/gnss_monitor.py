# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""GnssMonitor: may a GNSS receiver be believed, judged by the pose that map and odometry give without it?

Three tests of the innovation (fix minus pose), each normalised by the covariances of both:

* the fix itself: a chi-square test with 2 degrees of freedom finds multipath's jumps;
* the mean of the last seconds, winsorised so that one jump does not decide it: it finds the slow drift of spoofing, whose every single
  innovation is harmless. A receiver's error lasts for seconds, so that many fixes are no more certain than one;
* silence: after an outage nothing is known of the receiver until it has agreed for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import exp, inf, sqrt

import numpy as np

from urban_map_loc.config import GnssConfig
from urban_map_loc.geometry.pose2 import FloatArray


class GnssState(StrEnum):
    """`unchecked`: nothing to compare with; `consistent`: may be used; `suspect`: not used; `rejected`: not used, and was wrong."""

    UNCHECKED = "unchecked"
    CONSISTENT = "consistent"
    SUSPECT = "suspect"
    REJECTED = "rejected"


@dataclass(frozen=True, eq=False)
class GnssFix:
    """A position by satellites.

    Attributes:
        stamp_s: when it was measured [s].
        position: `(2,)` east, north [m] in `map`.
        covariance: `(2, 2)` [m2], as the receiver states it.
    """

    stamp_s: float
    position: FloatArray
    covariance: FloatArray

    @classmethod
    def stated(cls, stamp_s: float, position: FloatArray, covariance: FloatArray | None, config: GnssConfig) -> GnssFix:
        """With the covariance that the receiver states, or a usual one where it states none."""
        return cls(stamp_s, position, np.eye(2) * config.usual_m**2 if covariance is None else covariance)


@dataclass(frozen=True)
class GnssVerdict:
    """What the monitor makes of a fix: the state, both test values (squared, normalised) and one line that says why."""

    state: GnssState = GnssState.UNCHECKED
    fix_test: float = 0.0
    mean_test: float = 0.0
    reason: str = "no fix yet"

    @property
    def usable(self) -> bool:
        """Whether the fix may be used."""
        return self.state is GnssState.CONSISTENT


class GnssMonitor:
    """Judges fix after fix."""

    def __init__(self, config: GnssConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Know nothing of the receiver."""
        self.verdict = GnssVerdict()
        self._stamp_s = -inf
        self._agreed_s = 0.0  # how long all tests have passed
        self._outliers = 0  # fixes in a row that failed on their own
        self._weighted = np.zeros(2)
        self._weight = np.zeros((2, 2))
        self._share = 0.0  # how much of a full memory the mean rests on

    def judge(self, fix: GnssFix, position: FloatArray, covariance: FloatArray) -> GnssVerdict:
        """Compare a fix with the `position (2,)` [m] that map and odometry gave at its stamp, and its covariance `(2, 2)` [m2]."""
        elapsed_s = fix.stamp_s - self._stamp_s
        if elapsed_s <= 0.0:
            return self.verdict
        if elapsed_s > self.config.outage_s:
            self.reset()
            elapsed_s = 0.0
        self._stamp_s = fix.stamp_s
        stated = fix.covariance + np.eye(2) * self.config.floor_m**2
        innovation = fix.position - position
        fix_test = float(innovation @ np.linalg.solve(stated + covariance, innovation))
        self._outliers = self._outliers + 1 if fix_test > self.config.fix_limit else 0
        shrink = sqrt(min(1.0, self.config.fix_limit / max(fix_test, 1e-12)))
        mean_test = self._mean_test(shrink * innovation, stated, covariance, elapsed_s)
        good = fix_test <= self.config.fix_limit and mean_test <= self.config.suspect_limit
        self._agreed_s = self._agreed_s + elapsed_s if good else 0.0
        state, reason = self._decide(fix_test, mean_test, float(np.hypot(*innovation)))
        self.verdict = GnssVerdict(state, fix_test, mean_test, reason)
        return self.verdict

    def unchecked(self, fix: GnssFix, reason: str) -> GnssVerdict:
        """Note a fix that cannot be compared with anything."""
        self.reset()
        self._stamp_s = fix.stamp_s
        self.verdict = GnssVerdict(GnssState.UNCHECKED, reason=reason)
        return self.verdict

    def _mean_test(self, innovation: FloatArray, stated: FloatArray, covariance: FloatArray, elapsed_s: float) -> float:
        """Add an innovation to the mean of the last seconds, weighted by information, and test that against zero."""
        keep = exp(-elapsed_s / self.config.memory_s)
        information = np.linalg.inv(stated)
        self._weighted = keep * self._weighted + information @ innovation
        self._weight = keep * self._weight + information
        self._share = keep * self._share + 1.0
        mean = np.linalg.solve(self._weight, self._weighted)
        # As certain as a single fix of the mean information: errors last for about as long as the memory.
        of_mean = np.linalg.inv(self._weight) * self._share
        return float(mean @ np.linalg.solve(of_mean + covariance, mean))

    def _decide(self, fix_test: float, mean_test: float, metres: float) -> tuple[GnssState, str]:
        cfg, before = self.config, self.verdict.state
        if mean_test > cfg.rejected_limit:
            return GnssState.REJECTED, f"its mean of the last seconds is off (test {mean_test:.1f}, {cfg.rejected_limit:g} allowed)"
        if self._outliers >= cfg.outliers:
            return GnssState.REJECTED, f"{self._outliers} fixes in a row are off, the last by {metres:.0f} m"
        if before is GnssState.REJECTED and self._agreed_s < cfg.trust_again_s:
            return before, f"was wrong, and has agreed for {self._agreed_s:.0f} s only ({cfg.trust_again_s:g} s needed)"
        if fix_test > cfg.fix_limit or mean_test > cfg.suspect_limit:
            return GnssState.SUSPECT, f"off by {metres:.0f} m (tests {fix_test:.1f} and {mean_test:.1f})"
        if before is GnssState.UNCHECKED and self._agreed_s < cfg.trust_s:
            return before, f"has agreed for {self._agreed_s:.1f} s ({cfg.trust_s:g} s needed)"
        return GnssState.CONSISTENT, f"agrees within {metres:.1f} m"
