# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Moving vehicles about the car: oncoming ones, and now and then one ahead or behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.config import SimulationConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.simulation.solids import Mesh, cars

SIGHT_M = 90.0
ONCOMING_M = 3.3  # between the two lanes' middles
CAR_M = (4.5, 1.8, 1.5)
LORRY_M = (8.0, 2.4, 3.3)
GAP_M = (9.0, 25.0)  # to the vehicles ahead and behind


class Traffic:
    """Vehicles on the car's own route, in either direction.

    Args:
        time_s: `(N,)` stamps of the route [s].
        poses: `(N, 3)` the car's poses.
        drives_left: oncoming vehicles pass on the right.
    """

    def __init__(
        self,
        time_s: NDArray[np.float64],
        poses: NDArray[np.float64],
        drives_left: bool,
        config: SimulationConfig,
        rng: np.random.Generator,
    ) -> None:
        self._time_s = time_s
        self._arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(poses[:, :2], axis=0).T))])
        self._poses = np.column_stack([poses[:, :2], np.unwrap(poses[:, 2])])
        self._side = -ONCOMING_M if drives_left else ONCOMING_M
        length, lasts = self._arc[-1], time_s[-1] - time_s[0]
        self._speed = 8.0
        count = int((length + self._speed * lasts) / config.traffic_spacing_m) + 1
        self._start = rng.uniform(0.0, length + self._speed * lasts, count)
        self._phase = rng.uniform(0.0, 2.0 * np.pi, 2)
        self._sizes = np.where(rng.random((count + 2, 1)) < config.lorries, LORRY_M, CAR_M)

    def at(self, time_s: float) -> Mesh:
        """Vehicles in sight of the car at a time, `map` frame."""
        since = time_s - self._time_s[0]
        ego_arc = float(np.interp(time_s, self._time_s, self._arc))
        T_map_ego = Pose2.from_array(self._along(np.array([ego_arc]), 0.0)[0])
        oncoming = self._along(self._start - self._speed * since, self._side)
        oncoming[:, 2] += np.pi
        swing = np.sin(since / 12.0 + self._phase)
        gap = GAP_M[0] + (GAP_M[1] - GAP_M[0]) * np.abs(swing)
        own_lane = self._along(ego_arc + gap * [1.0, -1.0] + [2.0, -2.0], 0.0)
        own_lane[swing < 0.0] = np.nan  # no vehicle there now
        poses = np.concatenate([oncoming, own_lane])
        local = T_map_ego.inverse().transform(poses[:, :2])
        room = 0.5 * self._sizes[:, 0] + 2.5
        touching = (np.abs(local[:, 0]) < room) & (np.abs(local[:, 1]) < 2.2)
        seen = np.isfinite(poses[:, 0]) & (np.hypot(local[:, 0], local[:, 1]) < SIGHT_M) & ~touching
        return cars(poses[seen], self._sizes[seen])

    def _along(self, arc: NDArray[np.float64], left_m: float) -> NDArray[np.float64]:
        """Poses `(K, 3)` at arc lengths `(K,)` [m], shifted to the left; NaN off the route's ends."""
        poses = np.column_stack([np.interp(arc, self._arc, column, left=np.nan, right=np.nan) for column in self._poses.T])
        poses[:, 0] -= np.sin(poses[:, 2]) * left_m
        poses[:, 1] += np.cos(poses[:, 2]) * left_m
        return poses
