"""Finding: hypotheses for `T_map_odom` compete to explain the recent drive."""

from __future__ import annotations

import numpy as np

from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, compose_all, wrap_angle
from urban_map_loc.localization.result import PoseEstimate
from urban_map_loc.localization.verification import Verifier


class Finder:
    """Keeps the poses that the car may have, best first, each judged on the whole recent drive.

    A hypothesis that is found late competes with old ones on equal terms, because odometry tells where it would have been at
    every scan of the recent drive.
    """

    def __init__(self, verifier: Verifier, config: FusionConfig) -> None:
        self.verifier, self.config = verifier, config
        self._T_map_odom = np.zeros((0, 3))
        self.poses = np.zeros((0, 3))
        self.scores = np.zeros(0)

    def clear(self) -> None:
        """Forget all hypotheses."""
        self._T_map_odom, self.poses, self.scores = np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)

    def propose(self, answers: list[PoseEstimate], T_odom_base: Pose2) -> None:
        """Add what a single scan answered when odometry was at `T_odom_base`."""
        T_base_odom = T_odom_base.inverse()
        new = [(answer.T_map_base @ T_base_odom).as_array() for answer in answers]
        self._T_map_odom = np.concatenate([self._T_map_odom, np.array(new).reshape(-1, 3)])

    def judge(self, T_odom_base: Pose2, points: FloatArray, origins: FloatArray) -> None:
        """Score every hypothesis on the recent drive (hits and ray origins `(M, 2)` in the base frame), refine, merge, prune."""
        if len(self._T_map_odom) == 0 or len(points) == 0:
            self.poses, self.scores = np.zeros((0, 3)), np.zeros(0)
            return
        odom_base = T_odom_base.as_array()[None]
        poses = np.concatenate([compose_all(Pose2.from_array(T), odom_base) for T in self._T_map_odom])
        scores = self.verifier.score(points, origins, poses)
        promising = np.argsort(-scores)[: self.config.hypotheses]
        self.poses, self.scores = poses[promising], scores[promising]
        refined = min(self.config.refined_hypotheses, len(promising))
        best, best_scores = self.verifier.refine(points, origins, self.poses[:refined])
        self.poses[:refined], self.scores[:refined] = best, best_scores
        self._merge()
        T_base_odom = T_odom_base.inverse()
        self._T_map_odom = np.array([(Pose2.from_array(p) @ T_base_odom).as_array() for p in self.poses])

    def _merge(self) -> None:
        order = np.argsort(-self.scores)
        self.poses, self.scores = self.poses[order], self.scores[order]
        kept = np.ones(len(order), dtype=bool)
        for i in range(len(order)):
            if kept[i]:
                offset = self.poses[i + 1 :] - self.poses[i]
                same = (np.hypot(offset[:, 0], offset[:, 1]) < 1.5) & (np.abs(wrap_angle(offset[:, 2])) < 0.1)
                kept[i + 1 :] &= ~same
        self.poses, self.scores = self.poses[kept], self.scores[kept]

    def best_other_place(self, pose: FloatArray) -> float:
        """Score of the best hypothesis at another place, or heading elsewhere, than `pose (3,)`; -1 where there is none."""
        offset = self.poses - pose
        elsewhere = (np.hypot(offset[:, 0], offset[:, 1]) > self.config.rival_distance_m) | (
            np.abs(wrap_angle(offset[:, 2])) > self.config.rival_heading_rad
        )
        return float(self.scores[elsewhere].max()) if elsewhere.any() else -1.0
