# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RoadSampler: where training poses are drawn."""

from __future__ import annotations

import numpy as np

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import SamplerConfig
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle
from urban_map_loc.mapnet.cells import NO_CELL, PositionCells
from urban_map_loc.training.stretches import RoadGraph


class RoadSampler:
    """Stretches of drives along the drivable roads, uniform in length, with lateral and heading spread."""

    def __init__(self, area: AreaMap, config: SamplerConfig, cells: PositionCells) -> None:
        self.config = config
        self.cells = cells
        self._roads = RoadGraph.from_area(area)
        self._probability = self._roads.lengths / self._roads.lengths.sum()

    def draw(self, count: int, random: np.random.Generator) -> FloatArray:
        """Poses `(N, 3)` [m, rad] in `map`, each inside a cell; `tuple_length` consecutive ones are one stretch of a drive.

        `N` is `count`, rounded down to whole stretches, but at least one.
        """
        length = self.config.tuple_length
        stretches = np.empty((0, length, 3))
        wanted = max(1, count // length)
        while len(stretches) < wanted:
            drawn = self._stretches(wanted, random)
            inside = self.cells.of(drawn.reshape(-1, 3)[:, :2]).reshape(-1, length) != NO_CELL
            stretches = np.concatenate([stretches, drawn[inside.all(axis=1)]])
        return stretches[:wanted].reshape(-1, 3)

    def _stretches(self, count: int, random: np.random.Generator) -> FloatArray:
        """Poses `(count, L, 3)` along roads."""
        config = self.config
        edges = random.choice(len(self._probability), count, p=self._probability)
        jitter = random.uniform(-config.tuple_spacing_jitter, config.tuple_spacing_jitter, (count, config.tuple_length - 1))
        spacings = config.tuple_spacing_m * (1.0 + jitter)
        seed = int(random.integers(2**31))
        poses = self._roads.paths(edges, random.random(count), spacings, config.corner_m, config.sharpest_turn_rad, seed)
        sideways = self._wander(config.lateral_m, spacings, random)
        poses[..., 0] -= np.sin(poses[..., 2]) * sideways
        poses[..., 1] += np.cos(poses[..., 2]) * sideways
        # A car that turns or parks heads anywhere, but keeps its place.
        turned = np.where(random.random(count) < config.any_heading, random.uniform(-np.pi, np.pi, count), 0.0)
        poses[..., 2] = wrap_angle(poses[..., 2] + turned[:, None] + self._wander(config.heading_rad, spacings, random))
        return poses

    def _wander(self, deviation: float, spacings: FloatArray, random: np.random.Generator) -> FloatArray:
        """Normal deviates `(N, L)` that change over `wander_m` along each stretch (an Ornstein-Uhlenbeck process)."""
        values = random.normal(0.0, deviation, (len(spacings), spacings.shape[1] + 1))
        for k in range(spacings.shape[1]):
            kept = np.exp(-spacings[:, k] / self.config.wander_m)
            values[:, k + 1] = kept * values[:, k] + np.sqrt(1.0 - kept**2) * values[:, k + 1]
        return values
