"""Finding: hypotheses for `T_map_odom` compete to explain the recent drive."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, wrap_angle
from urban_map_loc.localization.kernels import distinct
from urban_map_loc.localization.result import PoseEstimate
from urban_map_loc.localization.verification import Verifier

# What has been refined to poses nearer than this is one hypothesis.
SAME_M, SAME_RAD = 1.5, 0.1


class Finder:
    """Keeps the poses that the car may have, best first, each judged on the whole recent drive.

    A hypothesis that is found late competes with old ones on equal terms, because odometry tells where it would have been at
    every scan of the recent drive.

    Attributes:
        poses: `(K, 3)` T_map_base of the hypotheses: east, north [m], yaw [rad].
        scores: `(K,)` their agreement with the recent drive.
        merits: `(K,)` that and the advantage of first guesses, by which they are ranked.
    """

    def __init__(self, verifier: Verifier, config: FusionConfig) -> None:
        self.verifier, self.config = verifier, config
        self.clear()

    def clear(self) -> None:
        """Forget all hypotheses."""
        self._T_map_odom = np.zeros((0, 3))
        self.poses, self.scores, self.merits = np.zeros((0, 3)), np.zeros(0), np.zeros(0)

    def propose(self, answers: list[PoseEstimate], T_odom_base: Pose2) -> None:
        """Add what a single scan answered when odometry was at `T_odom_base`."""
        T_base_odom = T_odom_base.inverse()
        new = [(answer.T_map_base @ T_base_odom).as_array() for answer in answers]
        self._T_map_odom = np.concatenate([self._T_map_odom, np.array(new).reshape(-1, 3)])

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
        poses[:refined], scores[:refined] = self.verifier.refine(points, origins, poses[:refined])
        merits = scores + advantage(poses) if advantage else scores
        kept = distinct(poses, np.argsort(-merits), len(merits), SAME_M, SAME_RAD)
        self.poses, self.scores, self.merits = poses[kept], scores[kept], merits[kept]
        self._T_map_odom = _after(self.poses, T_odom_base.inverse())

    def best_other_place(self, pose: FloatArray) -> float:
        """Merit of the best hypothesis at another place, or heading elsewhere, than `pose (3,)`; -1 where there is none."""
        offset = self.poses - pose
        elsewhere = (np.hypot(offset[:, 0], offset[:, 1]) > self.config.rival_distance_m) | (
            np.abs(wrap_angle(offset[:, 2])) > self.config.rival_heading_rad
        )
        return float(self.merits[elsewhere].max()) if elsewhere.any() else -1.0


def _after(poses: FloatArray, T: Pose2) -> FloatArray:
    """`p @ T` for each of poses `(K, 3)`."""
    c, s = np.cos(poses[:, 2]), np.sin(poses[:, 2])
    return np.column_stack([poses[:, 0] + c * T.x - s * T.y, poses[:, 1] + s * T.x + c * T.y, wrap_angle(poses[:, 2] + T.yaw)])
