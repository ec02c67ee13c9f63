"""Verification: are MapNet's guesses true to the map?"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import VerificationConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, wrap_angle
from urban_map_loc.localization import kernels
from urban_map_loc.localization.result import PoseEstimate
from urban_map_loc.mapnet.hypotheses import Hypotheses

# Coarse candidates whose rays are followed, and of these the distinct ones that are refined; more change no answer.
FOLLOWED = 4000
REFINED = 60


class Verifier:
    """Scores poses against an area's buildings. Cost depends on the hypotheses, not on the area's size."""

    def __init__(self, area: AreaMap, raster: BuildingRaster, config: VerificationConfig) -> None:
        self.config = config
        self._corner, self._step = raster.origin, raster.resolution_m
        self._distance = np.abs(raster.distance)
        self._hit = np.exp(-0.5 * (self._distance / np.float32(config.wall_sigma_m)) ** 2).astype(np.float32)
        self._hit_bytes = np.rint(255.0 * self._hit).astype(np.uint8)
        self._deep = raster.distance < -config.through_depth_m
        self._lattice_origin, self._drivable = _drivable_lattice(area, raster, config)
        self._headings = np.arange(config.heading_steps) * (2.0 * np.pi / config.heading_steps)

    def score(self, points: FloatArray, origins: FloatArray, poses: FloatArray) -> FloatArray:
        """Agreement `(K,)` of poses `(K, 3)` with the map: 1 = every hit on a wall, negative = rays through buildings.

        `points (M, 2)` and the `origins (M, 2)` of their rays are in the base frame [m].
        """
        return np.asarray(kernels.score_poses(*self._rasters, points, origins, np.ascontiguousarray(poses)))

    def refine(self, points: FloatArray, origins: FloatArray, poses: FloatArray, reach_m: float = 1.0) -> tuple[FloatArray, FloatArray]:
        """Nearest local maximum of the score from each of poses `(K, 3)`: poses and scores; first steps of `reach_m` / 2."""
        radians = reach_m / 2.0 * self._headings[1] / self.config.position_step_m * 2.0
        return kernels.climb(*self._rasters, points, origins, np.ascontiguousarray(poses), reach_m / 2.0, radians, 3)

    @property
    def _rasters(self) -> tuple[FloatArray, FloatArray, FloatArray, float, float]:
        return self._hit, self._deep, self._corner, self._step, self.config.through_penalty  # type: ignore[return-value]

    def information(self, points: FloatArray, pose: Pose2) -> FloatArray:
        """Information `(3, 3)` of east [m], north [m], yaw [rad] that hits `(M, 2)` (base frame) give of a pose.

        Neighbouring hits see the same wall, so that `hits_per_wall` of them count as one.
        """
        matrix = kernels.information(self._distance, self._corner, self._step, self.config.wall_sigma_m, points, pose.as_array())
        return np.asarray(matrix / self.config.hits_per_wall)

    def answers(self, points: FloatArray, hypotheses: Hypotheses) -> list[PoseEstimate]:
        """The best distinct poses for one scan `(M, 2)` inside the hypotheses' regions, best first.

        Coarse: every drivable position of the regions' lattice in every heading, by hits alone; then with rays followed; then
        refined. The final score adds the region's log-probability: network and geometry make different mistakes.
        """
        cfg = self.config
        positions, log_probability = self._candidates(hypotheses.best(cfg.cells))
        if len(positions) == 0 or len(points) == 0:
            return []
        thin = np.ascontiguousarray(points[:: -(-len(points) // cfg.rays)])
        origins = np.zeros_like(thin)
        prior = cfg.log_probability_weight * log_probability
        total = kernels.coarse_hits(self._hit_bytes, self._corner, self._step, thin, positions, self._headings) + prior[:, None]
        count = min(FOLLOWED, total.size)
        chosen = np.argpartition(total.ravel(), -count)[-count:]
        at, heading = np.unravel_index(chosen, total.shape)
        poses = np.column_stack([positions[at], self._headings[heading]])
        scores = self.score(thin, origins, poses) + prior[at]
        keep = self._distinct(poses, scores, REFINED)
        refined, agreement = self.refine(thin, origins, poses[keep])
        ranked = agreement + prior[at[keep]]
        best = self._distinct(refined, ranked, cfg.answers)
        return [self._estimate(points, refined[i], agreement[i]) for i in best]

    def _estimate(self, points: FloatArray, pose: FloatArray, score: float) -> PoseEstimate:
        T_map_base = Pose2.from_array(pose)
        # Along what no wall constrains, the answer is known to about the candidates' spacing and the cell.
        prior = np.diag([self.config.distinct_m**-2, self.config.distinct_m**-2, self.config.distinct_rad**-2])
        covariance = np.asarray(np.linalg.inv(self.information(points, T_map_base) + prior), dtype=np.float64)
        return PoseEstimate(T_map_base, covariance, float(score))

    def _candidates(self, hypotheses: Hypotheses) -> tuple[FloatArray, FloatArray]:
        """Drivable lattice positions `(P, 2)` [m] inside the regions, and their region's log-probability `(P,)`."""
        step, shape = self.config.position_step_m, np.array(self._drivable.shape[::-1])
        positions, log_probability = [np.zeros((0, 2))], [np.zeros(0)]
        for region, value in zip(hypotheses.region, hypotheses.log_probability, strict=True):
            first = np.clip(np.ceil((region[:2] - self._lattice_origin) / step).astype(int), 0, shape)
            last = np.clip(np.ceil((region[2:] - self._lattice_origin) / step).astype(int), 0, shape)
            rows, columns = np.nonzero(self._drivable[first[1] : last[1], first[0] : last[0]])
            positions.append(self._lattice_origin + (np.column_stack([columns, rows]) + first) * step)
            log_probability.append(np.full(len(rows), value))
        return np.concatenate(positions), np.concatenate(log_probability)

    def _distinct(self, poses: FloatArray, scores: FloatArray, count: int) -> list[int]:
        """Indices of at most `count` poses, best first, none near another in both position and heading."""
        order = np.argsort(-scores)
        kept: list[int] = []
        taken = np.zeros(len(poses), dtype=bool)
        for i in order:
            if taken[i]:
                continue
            kept.append(int(i))
            if len(kept) == count:
                break
            near = np.hypot(*(poses[:, :2] - poses[i, :2]).T) < self.config.distinct_m
            taken |= near & (np.abs(wrap_angle(poses[:, 2] - poses[i, 2])) < self.config.distinct_rad)
        return kept


def _drivable_lattice(area: AreaMap, raster: BuildingRaster, config: VerificationConfig) -> tuple[FloatArray, NDArray[np.bool_]]:
    """South-west corner `(2,)` [m] of a lattice over the area, and which of its points `(H, W)` a car may stand on."""
    step = config.position_step_m
    west, south, east, north = area.bounds
    origin = np.floor(np.array([west, south]) / step) * step
    columns, rows = (int(n) + 1 for n in np.ceil((np.array([east, north]) - origin) / step))
    drivable = np.zeros((rows, columns), dtype=bool)
    corridor = shapely.buffer(area.roads, config.road_reach_m, quad_segs=4)
    for polygon in corridor:
        low = np.maximum(np.floor((np.array(polygon.bounds[:2]) - origin) / step).astype(int), 0)
        high = np.minimum(np.ceil((np.array(polygon.bounds[2:]) - origin) / step).astype(int) + 1, [columns, rows])
        c, r = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        shapely.prepare(polygon)
        drivable[r, c] |= shapely.contains_xy(polygon, origin[0] + c * step, origin[1] + r * step)
    on_road = np.argwhere(drivable)
    row, column, _ = raster.index(origin + on_road[:, ::-1] * step)
    drivable[on_road[:, 0], on_road[:, 1]] = raster.distance[row, column] > -config.through_depth_m
    return origin, drivable
