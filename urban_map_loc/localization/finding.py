# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Finding: hypotheses for `T_map_odom` compete to explain the recent drive."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, wrap_angle
from urban_map_loc.localization.kernels import distinct
from urban_map_loc.localization.result import Answers
from urban_map_loc.localization.verification import Verification

# What has been refined to poses nearer than this is one hypothesis.
SAME_M, SAME_RAD = 1.5, 0.1
# A scan votes for a hypothesis that would have been this near to its answer; odometry has drifted since.
VOTE_M, VOTE_RAD = 4.0, 0.2
DOUBTERS = 2


@dataclass(frozen=True, eq=False)
class _Vote:
    """What speaks for a pose `(3,)` when odometry was at `T_odom_base`, and how much: one scan's best answer, or MapNet's own guess."""

    T_odom_base: Pose2
    pose: FloatArray
    travelled_m: float
    weight: float


class Finder:
    """Keeps the poses that the car may have, best first, each judged on the whole recent drive.

    A hypothesis that is found late competes with old ones on equal terms, because odometry tells where it would have been at
    every scan of the recent drive.

    Attributes:
        poses: `(K, 3)` T_map_base of the hypotheses: east, north [m], yaw [rad].
        scores: `(K,)` their agreement with the recent drive.
        merits: `(K,)` that and the advantage of first guesses, by which they are ranked.
    """

    def __init__(self, verifier: Verification, config: FusionConfig) -> None:
        self.verifier, self.config = verifier, config
        self.clear()

    def clear(self) -> None:
        """Forget all hypotheses."""
        self._T_map_odom = np.zeros((0, 3))
        self._votes: deque[_Vote] = deque()
        self.poses, self.scores, self.merits = np.zeros((0, 3)), np.zeros(0), np.zeros(0)

    def propose(self, answers: Answers, T_odom_base: Pose2, travelled_m: float) -> None:
        """Add what a single scan answered when odometry was at `T_odom_base` and the car had driven so far.

        Two votes come of it, since network and geometry make different mistakes: the best answer has one, MapNet's own guess as much of
        one as it is probable. The best answer's is shared with the one that is best by hits alone: hypotheses are judged by what should
        be seen as well, and a wrong place that is believed for that must not have it confirmed by the same.
        """
        new = np.array([answer.T_map_base.as_array() for answer in answers.poses]).reshape(-1, 3)
        self._T_map_odom = np.concatenate([self._T_map_odom, _after(new, T_odom_base.inverse())])
        if len(new) and (not self._votes or travelled_m - self._votes[-1].travelled_m >= self.config.vote_m):
            by_hits = int(np.argmax([answer.by_hits for answer in answers.poses]))
            self._votes.append(_Vote(T_odom_base, new[0], travelled_m, 0.5))
            self._votes.append(_Vote(T_odom_base, new[by_hits], travelled_m, 0.5))
            self._votes.append(_Vote(T_odom_base, answers.guess, travelled_m, answers.probability))
        self.forget_before(travelled_m - self.config.window_m)

    def forget_before(self, travelled_m: float) -> None:
        """Forget the votes from before so many metres driven; hypotheses stay and are judged on what the drive still shows."""
        while self._votes and self._votes[0].travelled_m < travelled_m:
            self._votes.popleft()

    def judge(
        self, T_odom_base: Pose2, points: FloatArray, origins: FloatArray, advantage: Callable[[FloatArray], FloatArray] | None = None
    ) -> None:
        """Score every hypothesis on the recent drive, refine, merge, prune.

        Args:
            T_odom_base: where odometry is now.
            points: hits `(M, 2)` [m] of the recent drive in the base frame, with the `origins (M, 2)` of their rays.
            advantage: what poses `(K, 3)` have ahead of others, in agreement `(K,)`.
        """
        if len(self._T_map_odom) == 0 or len(points) == 0:
            self.poses, self.scores, self.merits = np.zeros((0, 3)), np.zeros(0), np.zeros(0)
            return
        poses = _after(self._T_map_odom, T_odom_base)
        scores = self.verifier.score(points, origins, poses)
        promising = np.argsort(-scores)[: self.config.hypotheses]
        poses, scores = poses[promising], scores[promising]
        refined = min(self.config.refined_hypotheses, len(promising))
        poses[:refined], aligned = self.verifier.refine(points, origins, poses[:refined])
        scores[:refined] = self.verifier.agreement(points, origins, poses[:refined], aligned)
        scores[refined:] = np.minimum(scores[refined:], scores[:refined].min())
        merits = scores + advantage(poses) if advantage else scores
        kept = distinct(poses, np.argsort(-merits), len(merits), SAME_M, SAME_RAD)
        self.poses, self.scores, self.merits = poses[kept], scores[kept], merits[kept]
        self._T_map_odom = _after(self.poses, T_odom_base.inverse())

    def support(self, pose: FloatArray, T_odom_base: Pose2) -> float:
        """Share of the recent votes, each of one scan on its own, that the car is on its way to `pose (3,)`.

        As if two more had said otherwise: three of three are less than nine of nine.
        """
        if not self._votes:
            return 0.0
        T_map_odom = Pose2.from_array(pose) @ T_odom_base.inverse()
        expected = np.array([(T_map_odom @ vote.T_odom_base).as_array() for vote in self._votes])
        offset = np.array([vote.pose for vote in self._votes]) - expected
        same = (np.hypot(offset[:, 0], offset[:, 1]) < VOTE_M) & (np.abs(wrap_angle(offset[:, 2])) < VOTE_RAD)
        weight = np.array([vote.weight for vote in self._votes])
        return float(weight[same].sum() / (weight.sum() + DOUBTERS))

    def other_place(self, pose: FloatArray) -> int | None:
        """Index of the best hypothesis at another place, or heading elsewhere, than `pose (3,)`; None where there is none."""
        offset = self.poses - pose
        elsewhere = (np.hypot(offset[:, 0], offset[:, 1]) > self.config.rival_distance_m) | (
            np.abs(wrap_angle(offset[:, 2])) > self.config.rival_heading_rad
        )
        return int(np.argmax(elsewhere)) if elsewhere.any() else None  # they are sorted

    def best_other_place(self, pose: FloatArray) -> float:
        """Merit of that hypothesis; -1 where there is none."""
        index = self.other_place(pose)
        return -1.0 if index is None else float(self.merits[index])


def _after(poses: FloatArray, T: Pose2) -> FloatArray:
    """`p @ T` for each of poses `(K, 3)`."""
    c, s = np.cos(poses[:, 2]), np.sin(poses[:, 2])
    return np.column_stack([poses[:, 0] + c * T.x - s * T.y, poses[:, 1] + s * T.x + c * T.y, wrap_angle(poses[:, 2] + T.yaw)])
