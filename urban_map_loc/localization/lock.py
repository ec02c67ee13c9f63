# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""LockRules: when a place is believed, and when another one overrules it."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.finding import Finder
from urban_map_loc.localization.recent_drive import RecentDrive


@dataclass(frozen=True)
class Verdict:
    """Whether the best hypothesis is believed, and one line that says why or why not."""

    believed: bool
    reason: str


class LockRules:
    """All that must hold before a place is claimed; every condition has its setting, and the measurement that chose it there."""

    def __init__(self, config: FusionConfig) -> None:
        self.config = config

    def judge(self, finder: Finder, drive: RecentDrive, T_odom_base: Pose2) -> Verdict:
        """Is the best hypothesis the place?"""
        cfg = self.config
        if len(finder.scores) == 0:
            return Verdict(False, "no hypothesis fits the scans yet")
        if drive.length_m < cfg.lock_distance_m:
            return Verdict(False, f"only {drive.length_m:.0f} m driven, {cfg.lock_distance_m:g} needed before locking")
        if drive.hits < cfg.lock_hits:
            return Verdict(False, f"only {drive.hits} wall hits on the last {drive.length_m:.0f} m, {cfg.lock_hits} needed before locking")
        best, lead = float(finder.scores[0]), float(finder.merits[0]) - finder.best_other_place(finder.poses[0])
        if best < cfg.lock_score:
            return Verdict(False, f"the best place explains the drive by {best:.2f}, {cfg.lock_score:g} needed")
        support = finder.support(finder.poses[0], T_odom_base)
        if lead < (needed := self.lead_needed(best, support, drive)):
            return Verdict(False, f"two places explain the drive alike (lead {lead:.3f}, {needed:.3f} needed)")
        return Verdict(True, f"locked after {drive.length_m:.0f} m (agreement {best:.2f}, lead {lead:.2f}, support {support:.2f})")

    def overruled(self, own: float, pose: FloatArray, finder: Finder, drive: RecentDrive) -> str:
        """Why another place explains the recent drive clearly better than `pose (3,)`, which explains `own` of it; empty if none does.

        A lock has been checked for longer than the recent drive shows: overruling it takes more than locking anew.
        """
        if drive.length_m < self.config.lock_distance_m:
            return ""
        rival = finder.best_other_place(pose)
        if rival - own > max(self.config.overrule_margin, (self.config.overrule_misfit_ratio - 1.0) * (1.0 - rival)):
            return f"another place explains the recent drive better ({rival:.2f} against {own:.2f})"
        return ""

    def lead_needed(self, best: float, support: float, drive: RecentDrive) -> float:
        """The lead over all other places with which an agreement of `best` is believed.

        Less after a longer drive, which chance explains less easily; more where the best place itself leaves much unexplained, as
        outside the map, where one wrong place is always the best; and less where the single scans speak for it.
        """
        cfg = self.config
        metres = max(drive.length_m, 1.0)
        ratio = cfg.lock_misfit_ratio + cfg.lock_misfit_metre / metres - cfg.lock_support * support
        return max(cfg.lock_margin + cfg.lock_margin_metre / metres, (ratio - 1.0) * (1.0 - best))
