# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Priors: first guesses from outside. They say where to look and give a small advantage; the scans decide."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from urban_map_loc.config import PriorConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, wrap_angle
from urban_map_loc.localization.gnss_monitor import GnssFix
from urban_map_loc.mapnet.hypotheses import Hypotheses

# Places to look at have edges of whole metres, so that what is known of them is found again at the next scan.
EDGE_M = 4.0
SMALLEST_REACH_RAD = 0.5  # a guessed heading is never trusted more than that


@dataclass(frozen=True, eq=False)
class Prior:
    """A guess of the car's pose.

    Attributes:
        T_map_base: where it may be.
        covariance: `(3, 3)` of east [m], north [m], yaw [rad]; infinite in yaw where only the position is guessed.
        source: who says so, such as "initialpose"; a newer guess of the same source takes the place of the older one.
    """

    T_map_base: Pose2
    covariance: FloatArray
    source: str

    @classmethod
    def of_fix(cls, fix: GnssFix) -> Prior:
        """From a GNSS fix, which knows no heading."""
        covariance = np.diag([0.0, 0.0, np.inf])
        covariance[:2, :2] = fix.covariance
        return cls(Pose2(fix.position[0], fix.position[1], 0.0), covariance, "gnss")

    @property
    def knows_heading(self) -> bool:
        """Whether a heading is guessed."""
        return isfinite(self.covariance[2, 2])


@dataclass(frozen=True, eq=False)
class _Carried:
    """A guess as it was when odometry was at `T_odom_base` and the car had driven `travelled_m`."""

    prior: Prior
    T_odom_base: Pose2
    travelled_m: float


class Priors:
    """The guesses that still count, carried by odometry."""

    def __init__(self, config: PriorConfig) -> None:
        self.config = config
        self._carried: dict[str, _Carried] = {}

    def add(self, prior: Prior, T_odom_base: Pose2, travelled_m: float) -> None:
        """Take a guess made when odometry was at `T_odom_base` and the car had driven so far."""
        self._carried[prior.source] = _Carried(prior, T_odom_base, travelled_m)

    def clear(self) -> None:
        """Forget all guesses."""
        self._carried.clear()

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._carried)

    def regions(self, T_odom_base: Pose2, travelled_m: float) -> Hypotheses:
        """Where to look now: one place a guess, as sure as MapNet can be."""
        squares = [self._square(carried, T_odom_base, travelled_m) for carried in self._alive(travelled_m)]
        region = [[*np.floor((c - r) / EDGE_M) * EDGE_M, *np.ceil((c + r) / EDGE_M) * EDGE_M] for c, r in squares]
        return Hypotheses.anywhere(np.array(region).reshape(-1, 4), np.zeros(len(region)))

    def advantage(self, poses: FloatArray, T_odom_base: Pose2, travelled_m: float) -> FloatArray:
        """What poses `(K, 3)` inside a guess have ahead of others, in agreement `(K,)`."""
        out = np.zeros(len(poses))
        for carried in self._alive(travelled_m):
            centre, reach_m = self._square(carried, T_odom_base, travelled_m)
            inside = np.hypot(*(poses[:, :2] - centre).T) <= reach_m
            if carried.prior.knows_heading:
                yaw = carried.prior.T_map_base.yaw + T_odom_base.yaw - carried.T_odom_base.yaw
                reach_rad = max(self.config.reach_sigma * sqrt(carried.prior.covariance[2, 2]), SMALLEST_REACH_RAD)
                inside &= np.abs(wrap_angle(poses[:, 2] - yaw)) <= reach_rad
            out[inside] = self.config.advantage
        return out

    def _alive(self, travelled_m: float) -> list[_Carried]:
        return [c for c in self._carried.values() if travelled_m - c.travelled_m <= self.config.lifetime_m]

    def _square(self, carried: _Carried, T_odom_base: Pose2, travelled_m: float) -> tuple[FloatArray, float]:
        """Centre `(2,)` and half side [m] of where a guess is now; without a heading nobody knows which way the car has driven since."""
        cfg, prior = self.config, carried.prior
        sigma = sqrt(float(np.linalg.eigvalsh(prior.covariance[:2, :2])[-1]))
        reach = max(cfg.reach_sigma * sigma, cfg.smallest_reach_m)
        T_map_base = prior.T_map_base
        if prior.knows_heading:
            T_map_base = T_map_base @ carried.T_odom_base.inverse() @ T_odom_base
        else:
            reach += travelled_m - carried.travelled_m
        return np.array([T_map_base.x, T_map_base.y]), min(reach, cfg.largest_reach_m)
