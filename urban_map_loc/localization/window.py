# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""PoseWindow: MapNet+PGO made causal. The poses of the recent drive that explain odometry, the map and other fixes together.

Unknown are the poses at the keyframes of the last metres, odometry's scale, and its turn per metre. Factors:

* odometry between consecutive poses, with a small random walk: what it has of a constant error goes into scale and turn;
* the map at every pose: the distances of the scan's hits to the nearest wall, under a robust kernel;
* fixes, such as GNSS: a position with its covariance, at its own stamp, under a robust kernel;
* a prior of the oldest pose, scale and turn: what is left of all that has fallen out of the window (Schur complement).

Gauss-Newton on the normal equations; the last pose's block of their inverse is its covariance.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import TrackingConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, wrap_angle
from urban_map_loc.localization import window_kernels as kernels
from urban_map_loc.localization.recent_drive import Keyframe


class NormalEquations:
    """Matrix and gradient of all factors on `count` poses, odometry's scale and turn; laid out as `window_kernels` says."""

    def __init__(self, count: int) -> None:
        self.band, self.border, self.block = np.zeros((6, 3 * count)), np.zeros((3 * count, 2)), np.zeros((2, 2))
        self.gradient, self.shared_gradient = np.zeros(3 * count), np.zeros(2)
        self.cost = 0.0

    def add_pose(self, at: int, information: FloatArray, gradient: FloatArray) -> None:
        """Add a factor of one pose: `(3, 3)` and `(3,)`."""
        for a in range(3):
            for b in range(a, 3):
                self.band[b - a, 3 * at + a] += information[b, a]
        self.gradient[3 * at : 3 * at + 3] += gradient

    def solve(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Step of the poses `(3N,)` and of scale and turn `(2,)`, and the covariance `(3, 3)` of the last pose."""
        factor = (cholesky_banded(self.band, lower=True, check_finite=False), True)
        last = np.zeros((len(self.gradient), 3))
        last[-3:] = np.eye(3)
        solved = cho_solve_banded(factor, np.column_stack([self.border, self.gradient, last]), check_finite=False)
        by_border, by_gradient, by_last = solved[:, :2], solved[:, 2], solved[:, 3:]
        schur = np.linalg.inv(self.block - self.border.T @ by_border)
        shared = -schur @ (self.shared_gradient - self.border.T @ by_gradient)
        covariance = by_last[-3:] + by_border[-3:] @ schur @ by_border[-3:].T
        return -by_gradient - by_border @ shared, shared, np.asarray(0.5 * (covariance + covariance.T), dtype=np.float64)

    def dense(self) -> tuple[FloatArray, FloatArray]:
        """Matrix and gradient of scale, turn and then the poses."""
        size = len(self.gradient)
        matrix = np.zeros((2 + size, 2 + size))
        matrix[:2, :2], matrix[2:, :2], matrix[:2, 2:] = self.block, self.border, self.border.T
        for k, diagonal in enumerate(self.band):
            index = 2 + np.arange(size - k)
            matrix[index + k, index] = matrix[index, index + k] = diagonal[: size - k]
        return matrix, np.concatenate([self.shared_gradient, self.gradient])


@dataclass(frozen=True, eq=False)
class Fix:
    """A measured position `(2,)` [m] of the car's base, `T_key_base` away from a keyframe, with its information `(2, 2)` [1/m2]."""

    keyframe: Keyframe
    T_key_base: Pose2
    position: FloatArray
    information: FloatArray


class PoseWindow:
    """The smoothed poses of the keyframes of the last metres.

    Attributes:
        raster: the buildings about all of them; may be replaced by another of the same frame.
    """

    def __init__(
        self,
        raster: BuildingRaster,
        config: TrackingConfig,
        keyframes: list[Keyframe],
        T_map_odom: Pose2,
        sigma_m: float,
        sigma_rad: float,
    ) -> None:
        """Begin with keyframes whose poses follow from `T_map_odom`, known to so much at the last of them."""
        self.raster, self.config = raster, config
        self.keyframes = list(keyframes)
        self.poses = np.array([(T_map_odom @ keyframe.T_odom_base).as_array() for keyframe in keyframes])
        self._fixes: list[Fix] = []
        driven = keyframes[-1].travelled_m - keyframes[0].travelled_m
        first_m, first_rad = sigma_m + config.scale_sigma * driven, sigma_rad + config.turn_sigma * driven
        self._shared = np.array([1.0, 0.0])
        self._mean = np.concatenate([self._shared, self.poses[0]])
        self._information = np.diag(np.array([config.scale_sigma, config.turn_sigma, first_m, first_m, first_rad]) ** -2.0)
        self.covariance = np.eye(3)  # until it is solved: walls a metre off are seen
        self.solve()

    @property
    def scale(self) -> float:
        """What a metre of odometry is in truth [m]."""
        return float(self._shared[0])

    @property
    def turn(self) -> float:
        """How much the car turns left in a metre beyond what odometry says [rad/m]."""
        return float(self._shared[1])

    def add(self, keyframe: Keyframe) -> None:
        """Take a keyframe, also a late one: it goes where its stamp says."""
        at = len(self.keyframes)
        while at > 1 and self.keyframes[at - 1].stamp_s > keyframe.stamp_s:
            at -= 1
        before = self.keyframes[at - 1]
        step = before.T_odom_base.inverse() @ keyframe.T_odom_base
        pose = Pose2.from_array(self.poses[at - 1]) @ Pose2(self.scale * step.x, self.scale * step.y, step.yaw)
        self.keyframes.insert(at, keyframe)
        self.poses = np.insert(self.poses, at, pose.as_array(), axis=0)
        while len(self.keyframes) > self.config.window_keyframes:
            self._forget_oldest()
        self.solve()

    def add_fix(self, stamp_s: float, T_odom_base: Pose2, position: FloatArray, covariance: FloatArray) -> None:
        """Take a measured position `(2,)` [m] with covariance `(2, 2)` [m2], made when odometry was at `T_odom_base`.

        It counts from the next keyframe on.
        """
        nearest = min(self.keyframes, key=lambda keyframe: abs(keyframe.stamp_s - stamp_s))
        information = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
        self._fixes.append(Fix(nearest, nearest.T_odom_base.inverse() @ T_odom_base, position, information))

    def fork(self) -> PoseWindow:
        """A window of its own that holds the same, without the fixes."""
        other = copy(self)
        other.keyframes, other._fixes = list(self.keyframes), []
        return other

    def near(self, stamp_s: float, T_odom_base: Pose2) -> tuple[Pose2, FloatArray]:
        """`T_map_base` at a stamp at which odometry was at `T_odom_base`, also a past one, and the newest pose's covariance `(3, 3)`."""
        nearest = min(range(len(self.keyframes)), key=lambda k: abs(self.keyframes[k].stamp_s - stamp_s))
        step = self.keyframes[nearest].T_odom_base.inverse() @ T_odom_base
        return Pose2.from_array(self.poses[nearest]) @ Pose2(self.scale * step.x, self.scale * step.y, step.yaw), self.at(T_odom_base)[1]

    def at(self, T_odom_base: Pose2) -> tuple[Pose2, FloatArray]:
        """`T_map_base` and its covariance `(3, 3)` when odometry is at `T_odom_base`, from the newest keyframe on."""
        step = self.keyframes[-1].T_odom_base.inverse() @ T_odom_base
        last = Pose2.from_array(self.poses[-1])
        moved = last @ Pose2(self.scale * step.x, self.scale * step.y, step.yaw)
        metres = float(np.hypot(step.x, step.y))
        jacobian = np.eye(3)
        jacobian[0, 2], jacobian[1, 2] = -(moved.y - last.y), moved.x - last.x
        cfg = self.config
        drift = cfg.odometry_walk**2 * metres + (cfg.scale_sigma * metres) ** 2
        noise = np.diag([drift, drift, cfg.heading_walk**2 * metres + (cfg.turn_sigma * metres) ** 2])
        return moved, jacobian @ self.covariance @ jacobian.T + noise

    def solve(self) -> None:
        """Gauss-Newton to the most probable poses."""
        # The first step sees walls as far away as the pose is uncertain: after a long straight street the corner is metres off.
        wide_m = float(np.hypot(self.config.wall_sigma_m, self.position_sigma_m))
        for iteration in range(self.config.iterations):
            sigma_m = wide_m if iteration == 0 else self.config.wall_sigma_m
            step, shared, self.covariance = self._normal_equations(len(self.keyframes), sigma_m=sigma_m).solve()
            self._shared = self._shared + shared
            self.poses = self.poses + step.reshape(-1, 3)
            self.poses[:, 2] = wrap_angle(self.poses[:, 2])
            if np.abs(step).max() < self.config.converged_m:
                break

    @property
    def position_sigma_m(self) -> float:
        """Standard deviation of the newest pose along its worst direction [m]."""
        return float(np.sqrt(np.linalg.eigvalsh(self.covariance[:2, :2])[-1]))

    def _normal_equations(self, count: int, maps: int | None = None, sigma_m: float | None = None) -> NormalEquations:
        """All factors on the first `count` poses, those of the map on the first `maps` only and with walls as wide as `sigma_m`."""
        equations = NormalEquations(count)
        self._add_prior(equations)
        self._add_odometry(count, equations)
        self._add_map(count if maps is None else maps, sigma_m or self.config.wall_sigma_m, equations)
        self._add_fixes(count, equations)
        return equations

    def _add_prior(self, equations: NormalEquations) -> None:
        offset = np.concatenate([self._shared, self.poses[0]]) - self._mean
        offset[4] = float(wrap_angle(offset[4]))
        pull = self._information @ offset
        equations.cost += 0.5 * float(offset @ pull)
        equations.block += self._information[:2, :2]
        equations.border[:3] += self._information[2:, :2]
        equations.shared_gradient += pull[:2]
        equations.add_pose(0, self._information[2:, 2:], pull[2:])

    def _add_odometry(self, count: int, equations: NormalEquations) -> None:
        odometry = np.array([keyframe.T_odom_base.as_array() for keyframe in self.keyframes[:count]])
        equations.cost += kernels.add_odometry(
            self.poses[:count], odometry, self._shared, self.config.odometry_walk, self.config.heading_walk,
            equations.band, equations.border, equations.block, equations.gradient, equations.shared_gradient,
        )  # fmt: skip

    def _add_map(self, count: int, sigma_m: float, equations: NormalEquations) -> None:
        points = np.concatenate([np.zeros((0, 2)), *(keyframe.points for keyframe in self.keyframes[:count])])
        first = np.cumsum([0, *(len(keyframe.points) for keyframe in self.keyframes[:count])])
        raster = self.raster
        equations.cost += kernels.add_map(
            raster.distance, raster.origin, raster.resolution_m, sigma_m, self.config.hit_weight,
            points, first, self.poses, equations.band, equations.gradient,
        )  # fmt: skip

    def _add_fixes(self, count: int, equations: NormalEquations) -> None:
        places = {id(keyframe): k for k, keyframe in enumerate(self.keyframes[:count])}
        for fix in self._fixes:
            at = places.get(id(fix.keyframe))
            if at is None:
                continue
            pose = Pose2.from_array(self.poses[at]) @ fix.T_key_base
            residual = np.array([pose.x, pose.y]) - fix.position
            jacobian = np.array([[1.0, 0.0, self.poses[at, 1] - pose.y], [0.0, 1.0, pose.x - self.poses[at, 0]]])
            # Cauchy's kernel: a fix that is far off hardly pulls.
            weighted = jacobian.T @ fix.information / (1.0 + float(residual @ fix.information @ residual) / self.config.fix_kernel**2)
            equations.add_pose(at, weighted @ jacobian, weighted @ residual)

    def _forget_oldest(self) -> None:
        """Take the oldest pose out; what it and its factors said of the next one, of scale and of turn becomes the prior."""
        matrix, gradient = self._normal_equations(2, maps=1).dense()
        kept, gone = [0, 1, 5, 6, 7], [2, 3, 4]
        gain = np.linalg.solve(matrix[np.ix_(gone, gone)], matrix[np.ix_(gone, kept)]).T
        information = matrix[np.ix_(kept, kept)] - gain @ matrix[np.ix_(gone, kept)]
        gradient = gradient[kept] - gain @ gradient[gone]
        covariance = np.linalg.inv(information)
        metres = self.keyframes[0].T_odom_base.distance_to(self.keyframes[1].T_odom_base)
        self._mean = np.concatenate([self._shared, self.poses[1]]) - covariance @ gradient
        # Scale and turn change with tyres, speed and temperature.
        covariance[0, 0] += self.config.scale_walk**2 * metres
        covariance[1, 1] += self.config.turn_walk**2 * metres
        self._information = np.linalg.inv(covariance)
        first = self.keyframes.pop(0)
        self.poses = self.poses[1:]
        self._fixes = [fix for fix in self._fixes if fix.keyframe is not first]
