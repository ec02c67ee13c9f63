# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Slip: whether the last scans show the car beside where odometry has carried it, each clearly and all alike.

A scan that agrees badly with the map at the tracked pose says that something is wrong; where it agrees far better a few metres ahead
or behind, or in another heading, it says what: odometry has not moved as the car has. One such scan may be chance, several in a row that
see the same are not. "Far better" is what overrules a lock: it leaves so many times less unexplained.
"""

from __future__ import annotations

import numpy as np

from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, compose_all
from urban_map_loc.localization.verification import Verification

# Where to look: so far apart along the way, in these headings; and in all headings at the pose itself.
STEP_M, ASKEW_RAD, TURN_STEP_RAD = 0.5, (-0.1, 0.0, 0.1), 0.1
# So many hits are enough for a look, and so many of the best places are aligned.
LOOK_HITS, ALIGNED = 90, 4
# Fewer hits say too little, and nearer places are the same place: fences that go on a house's wall fitted 2 m aside and 8 degrees askew.
FEWEST_HITS, NEAREST_M, NEAREST_RAD = 40, 2.5, 0.2
# From one scan to the next, the car's way apart from odometry's.
ALIKE_M, ALIKE_RAD = 3.0, 0.4


class Slip:
    """Looks beside the tracked pose, scan by scan.

    Attributes:
        offset: `T_tracked_seen`, where the newest scan showed the car, as long as `count` is not 0.
        count: how many scans in a row, the newest included, saw about the same.
    """

    def __init__(self, verifier: Verification, config: FusionConfig) -> None:
        self._verifier, self.config = verifier, config
        self.offset = Pose2.identity()
        self.count = 0

    def look(self, score: float, found: float, T_map_base: Pose2, points: FloatArray, rays: FloatArray) -> None:
        """Take a scan's hits `(M, 2)` [m, base frame] and rays `(R, 5)`, with its `Verification.score` and `found` at the tracked pose."""
        looks = score < self.config.lock_score and len(points) >= FEWEST_HITS
        seen = self._seen(0.5 * (score + found), T_map_base, points, rays) if looks else None
        if seen is None:
            self.count = 0
            return
        alike = seen.distance_to(self.offset) <= ALIKE_M and seen.heading_difference(self.offset) <= ALIKE_RAD
        self.count = self.count + 1 if self.count and alike else 1
        self.offset = seen

    def _seen(self, agreement: float, T_map_base: Pose2, points: FloatArray, rays: FloatArray) -> Pose2 | None:
        """`T_tracked_seen` of the place beside the tracked one at which the scan would lock and overrule it; None where there is none.

        Both are judged as hypotheses are, by what is seen and by what should be: a street full of fences fits beside itself by chance.
        """
        few = np.ascontiguousarray(points[:: max(1, len(points) // LOOK_HITS)])
        origins = np.zeros_like(few)
        places = compose_all(T_map_base, _beside(self.config.slip_reach_m))
        best = np.argsort(-self._verifier.score(few, origins, places))[:ALIGNED]
        aligned, scores = self._verifier.refine(few, origins, places[best])
        agreements = 0.5 * (scores + self._verifier.found(rays, aligned)[0])
        needed = max(self.config.lock_score, 1.0 - (1.0 - agreement) / self.config.overrule_misfit_ratio)
        if agreements.max() < needed:
            return None
        offset = T_map_base.inverse() @ Pose2.from_array(aligned[int(np.argmax(agreements))])
        elsewhere = offset.distance_to(Pose2.identity()) >= NEAREST_M or offset.heading_difference(Pose2.identity()) >= NEAREST_RAD
        return offset if elsewhere else None

    @property
    def share(self) -> float:
        """How far on the way to certainty, 0 to 1."""
        return min(1.0, self.count / self.config.slip_scans)

    @property
    def reason(self) -> str:
        """What the scans say of odometry; empty while they say nothing."""
        if self.count < self.config.slip_scans:
            return ""
        metres, degrees = self.offset.x, np.degrees(self.offset.yaw)
        told = [f"{abs(metres):.0f} m {'further on' if metres > 0.0 else 'further back'}"] if abs(metres) >= 1.0 else []
        told += [f"turned {abs(degrees):.0f} degrees further {'left' if degrees > 0.0 else 'right'}"] if abs(degrees) >= 5.0 else []
        shown = " and ".join(told) or f"{self.offset.distance_to(Pose2.identity()):.0f} m aside"
        return (
            f"odometry disagrees with the walls: they show the car {shown}; check the node that publishes odom, unless the car was carried"
        )


def _beside(reach_m: float) -> FloatArray:
    """Where else to look, `(K, 3)` from the tracked pose: ahead and behind, and in all headings."""
    lengths, turns = np.arange(-reach_m, reach_m + STEP_M / 2, STEP_M), np.arange(-np.pi, np.pi, TURN_STEP_RAD)
    along = [np.column_stack([lengths, np.zeros_like(lengths), np.full_like(lengths, askew)]) for askew in ASKEW_RAD]
    return np.concatenate([*along, np.column_stack([np.zeros_like(turns), np.zeros_like(turns), turns])])
