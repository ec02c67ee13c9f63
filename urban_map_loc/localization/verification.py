# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Verification: are MapNet's guesses true to the map? Of one area here; of an atlas in `localization/atlas/verifier.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import DISTANCE_STEP_M, BuildingRaster
from urban_map_loc.config import VerificationConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization import kernels
from urban_map_loc.localization.alignment import align, normal_equations
from urban_map_loc.localization.expectation import expected, rays_to
from urban_map_loc.localization.result import Answer
from urban_map_loc.mapnet.hypotheses import Hypotheses

# Coarse candidates whose rays are followed, and of these the distinct ones that are refined; more change no answer.
FOLLOWED = 4000
REFINED = 60
# Gauss-Newton: steps with a wider kernel, then with the walls' own; each at most so long.
WIDE, WIDE_STEPS, STEPS, LONGEST_STEP_M = 2.0, 3, 10, 0.7
# Positions of so many regions are kept; a cell's are some kilobytes.
REMEMBERED_REGIONS = 20_000


class Verification(ABC):
    """Scores poses against buildings, and finds the best among many candidates."""

    def __init__(self, config: VerificationConfig) -> None:
        self.config = config
        self.headings = np.arange(config.heading_steps) * (2.0 * np.pi / config.heading_steps)

    @abstractmethod
    def score(self, points: FloatArray, origins: FloatArray, poses: FloatArray) -> FloatArray:
        """Agreement `(K,)` of poses `(K, 3)` with the map: 1 = every hit on a wall, negative = rays through buildings.

        `points (M, 2)` and the `origins (M, 2)` of their rays are in the base frame [m].
        """

    @abstractmethod
    def sight(self, rays: FloatArray, poses: FloatArray) -> FloatArray:
        """Walls of the map in sight of poses `(K, 3)`, `(K, 3)` in rays: those that are there, those seen to be gone, those hidden.

        `rays (R, 5)` are those of `expectation.rays_of`.
        """

    def found(self, rays: FloatArray, poses: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Share `(K,)` of the walls which the map has in sight of poses `(K, 3)` that are there, 0 to 1, and how much that says, 0 to 1."""
        there, gone, hidden = self.sight(rays, poses).T
        walls = there + gone + self.config.expected_hidden * hidden
        return there / (walls + self.config.expected_belief), walls / (walls + self.config.expected_belief)

    def agreement(self, points: FloatArray, origins: FloatArray, poses: FloatArray, scores: FloatArray) -> FloatArray:
        """How well poses `(K, 3)`, whose `score` is known, and the map explain each other's walls `(K,)`: the mean of that and `found`."""
        found, _ = self.found(rays_to(points, origins), poses)
        return 0.5 * (scores + found)

    @abstractmethod
    def refine(self, points: FloatArray, origins: FloatArray, poses: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Where the hits fit best near each of poses `(K, 3)`, by Gauss-Newton on the distance field; and the scores `(K,)` there."""

    @abstractmethod
    def information(self, points: FloatArray, pose: Pose2) -> FloatArray:
        """Information `(3, 3)` of east [m], north [m], yaw [rad] that hits `(M, 2)` (base frame) give of a pose.

        It is the curvature of the objective there. Neighbouring hits see the same wall, so that `hits_per_wall` of them count as one.
        """

    @abstractmethod
    def coarse(self, points: FloatArray, positions: FloatArray) -> NDArray[np.float32]:
        """Mean hit value `(P, H)` of points `(M, 2)` seen from positions `(P, 2)` in each of the `headings`."""

    @abstractmethod
    def lattice(self, region: tuple[float, ...]) -> FloatArray:
        """Points `(P, 2)` [m] of a region (west, south, east, north) on which a car may stand."""

    @abstractmethod
    def raster_at(self, position: FloatArray) -> BuildingRaster:
        """The buildings about a position `(2,)` [m]."""

    def answers(self, points: FloatArray, hypotheses: Hypotheses) -> list[Answer]:
        """The best distinct poses for one scan `(M, 2)` inside the hypotheses' regions, best first.

        Coarse: every drivable position of the regions' lattice in every heading, by hits alone; then with rays followed; then
        refined, and judged by the walls as well that the map has in sight, as fusion judges. The hypothesis's log-probability counts
        in each, at last with how near to its pose the answer is (Cauchy's kernel): network and geometry make different mistakes.
        """
        cfg = self.config
        positions, of = self._candidates(hypotheses)
        if len(positions) == 0 or len(points) == 0:
            return []
        thin, second, points = (_thinned(points, count) for count in (cfg.coarse_rays, cfg.second_rays, cfg.rays))
        prior = cfg.log_probability_weight * hypotheses.log_probability
        total = self.coarse(thin, positions)
        total += prior[of, None]
        count = min(FOLLOWED, total.size)
        chosen = np.argpartition(total.ravel(), -count)[-count:]
        at, heading = np.unravel_index(chosen, total.shape)
        poses = np.column_stack([positions[at], self.headings[heading]])
        of = of[at]
        scores = self.score(second, np.zeros_like(second), poses) + prior[of]
        keep = self._distinct(poses, scores, REFINED)
        of = of[keep]
        refined, scores = self.refine(points, np.zeros_like(points), poses[keep])
        agreement = self.agreement(points, np.zeros_like(points), refined, scores)
        beside = 0.5 * cfg.log_probability_weight * np.log1p(hypotheses.squared_distance(refined, of))
        ranked = agreement + 0.5 * (prior[of] - beside)  # hits, against which these are weighed, are half of the agreement
        best = self._distinct(refined, ranked, cfg.answers)
        by_hits = scores + prior[of]
        return [self._answer(points, refined[i], agreement[i], by_hits[i]) for i in best]

    def _answer(self, points: FloatArray, pose: FloatArray, score: float, by_hits: float) -> Answer:
        T_map_base = Pose2.from_array(pose)
        # Along what no wall constrains, the answer is known to about the candidates' spacing and the cell.
        prior = np.diag([self.config.distinct_m**-2, self.config.distinct_m**-2, self.config.distinct_rad**-2])
        covariance = np.asarray(np.linalg.inv(self.information(points, T_map_base) + prior), dtype=np.float64)
        return Answer(T_map_base, covariance, float(score), float(by_hits))

    def _candidates(self, hypotheses: Hypotheses) -> tuple[FloatArray, NDArray[np.int64]]:
        """Drivable lattice positions `(P, 2)` [m] inside the regions, and of which hypothesis `(P,)` each is."""
        lattices = [self.lattice(tuple(region)) for region in hypotheses.region]
        counts = [len(lattice) for lattice in lattices]
        return np.concatenate([np.zeros((0, 2)), *lattices]), np.repeat(np.arange(len(lattices)), counts)

    def _distinct(self, poses: FloatArray, scores: FloatArray, count: int) -> NDArray[np.int64]:
        """Indices of at most `count` poses, best first, none near another in both position and heading."""
        return kernels.distinct(poses, np.argsort(-scores), count, self.config.distinct_m, self.config.distinct_rad)


class Verifier(Verification):
    """Scores poses against an area's buildings. Cost depends on the hypotheses, not on the area's size."""

    def __init__(self, area: AreaMap, raster: BuildingRaster, config: VerificationConfig) -> None:
        super().__init__(config)
        self._distance, self._corner, self._step = raster.distance, raster.origin, raster.resolution_m
        steps = np.abs(np.arange(-128, 128)) * DISTANCE_STEP_M
        self._hit = np.exp(-0.5 * (steps / config.wall_sigma_m) ** 2)
        self._high = raster.heights >= config.look_over_m
        self._deep = round(-config.through_depth_m / DISTANCE_STEP_M)
        self.raster, self._roads = raster, shapely.STRtree(area.roads)
        self._lattices: dict[tuple[float, ...], FloatArray] = {}

    def score(self, points: FloatArray, origins: FloatArray, poses: FloatArray) -> FloatArray:
        """See `Verification`."""
        if len(poses) == 1:  # not worth waking other threads
            return np.array([kernels.score_pose(*self._rasters, points, origins, *poses[0])])
        return np.asarray(kernels.score_poses(*self._rasters, points, origins, np.ascontiguousarray(poses)))

    def refine(self, points: FloatArray, origins: FloatArray, poses: FloatArray) -> tuple[FloatArray, FloatArray]:
        """See `Verification`."""
        raster, cfg = self.raster, self.config
        aligned = np.ascontiguousarray(poses)
        # Wide first: a kernel of the walls' width sees nothing of a wall two metres away.
        for sigma, steps in ((WIDE * cfg.wall_sigma_m, WIDE_STEPS), (cfg.wall_sigma_m, STEPS)):
            aligned = align(raster.distance, raster.origin, raster.resolution_m, sigma, points, aligned, steps, LONGEST_STEP_M)
        before, after = self.score(points, origins, poses), self.score(points, origins, aligned)
        better = after > before  # rays through buildings, which the alignment does not know, may say otherwise
        return np.where(better[:, None], aligned, poses), np.where(better, after, before)

    def sight(self, rays: FloatArray, poses: FloatArray) -> FloatArray:
        """See `Verification`."""
        cfg, building = self.config, self.raster.building
        counts = expected(
            self._distance, building, self._high, self._corner, self._step, rays, np.ascontiguousarray(poses),
            cfg.expected_reach_m, cfg.expected_near_m, cfg.expected_near_share,
        )  # fmt: skip
        return counts.astype(np.float64)

    @property
    def _rasters(
        self,
    ) -> tuple[NDArray[np.int8], NDArray[np.uint16], NDArray[np.bool_], FloatArray, int, FloatArray, float, float]:
        return (
            self._distance,
            self.raster.building,
            self._high,
            self._hit,
            self._deep,
            self._corner,
            self._step,
            self.config.through_penalty,
        )

    def information(self, points: FloatArray, pose: Pose2) -> FloatArray:
        """See `Verification`."""
        matrix, gradient = np.empty((3, 3)), np.empty(3)
        raster, cfg = self.raster, self.config
        normal_equations(
            raster.distance, raster.origin, raster.resolution_m, cfg.wall_sigma_m, points, pose.x, pose.y, pose.yaw, matrix, gradient
        )
        return matrix / (cfg.wall_sigma_m**2 * cfg.hits_per_wall)

    def coarse(self, points: FloatArray, positions: FloatArray) -> NDArray[np.float32]:
        """See `Verification`."""
        return np.asarray(kernels.coarse_hits(self._distance, self._hit, self._corner, self._step, points, positions, self.headings))

    def raster_at(self, position: FloatArray) -> BuildingRaster:
        """The area's only one."""
        return self.raster

    def lattice(self, region: tuple[float, ...]) -> FloatArray:
        """Points `(P, 2)` [m] of a region (west, south, east, north) on which a car may stand; remembered."""
        if region not in self._lattices:
            if len(self._lattices) >= REMEMBERED_REGIONS:
                self._lattices.clear()
            step = self.config.position_step_m
            east, north = (np.arange(np.ceil(region[k] / step), np.ceil(region[k + 2] / step)) * step for k in (0, 1))
            points = np.stack(np.meshgrid(east, north), axis=-1).reshape(-1, 2)
            near, _ = self._roads.query(shapely.points(points), predicate="dwithin", distance=self.config.road_reach_m)
            points = points[np.unique(near)]
            self._lattices[region] = points[self.raster.distance_m(points) > -self.config.through_depth_m]
        return self._lattices[region]


def _thinned(points: FloatArray, count: int) -> FloatArray:
    """At most `count` of the points, evenly."""
    return np.ascontiguousarray(points[:: -(-len(points) // count)])
