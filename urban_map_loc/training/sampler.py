"""RoadSampler: where training poses are drawn."""

from __future__ import annotations

import numpy as np
import shapely

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import SamplerConfig
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle
from urban_map_loc.mapnet.cells import NO_CELL, PositionCells


class RoadSampler:
    """Poses along the drivable roads, uniform in length, with lateral and heading spread."""

    def __init__(self, area: AreaMap, config: SamplerConfig, cells: PositionCells) -> None:
        self.config = config
        self.cells = cells
        coordinates, road = shapely.get_coordinates(area.roads, return_index=True)
        start, along = coordinates[:-1], np.diff(coordinates, axis=0)
        length = np.hypot(*along.T)
        keep = (road[1:] == road[:-1]) & (length > 0.0)
        self._start, self._along = start[keep], along[keep]
        self._probability = length[keep] / length[keep].sum()

    def draw(self, count: int, random: np.random.Generator) -> FloatArray:
        """Poses `(count, 3)` [m, rad] in `map`, each inside a cell."""
        poses = np.empty((0, 3))
        while len(poses) < count:
            drawn = self._candidates(count, random)
            poses = np.concatenate([poses, drawn[self.cells.of(drawn[:, :2]) != NO_CELL]])
        return poses[:count]

    def _candidates(self, count: int, random: np.random.Generator) -> FloatArray:
        segment = random.choice(len(self._start), count, p=self._probability)
        along = self._along[segment]
        heading = np.arctan2(along[:, 1], along[:, 0])
        sideways = np.stack([-np.sin(heading), np.cos(heading)], axis=1) * random.normal(0.0, self.config.lateral_m, (count, 1))
        position = self._start[segment] + along * random.random((count, 1)) + sideways
        yaw = heading + np.pi * random.integers(0, 2, count) + random.normal(0.0, self.config.heading_rad, count)
        yaw = np.where(random.random(count) < self.config.any_heading, random.uniform(-np.pi, np.pi, count), yaw)
        return np.column_stack([position, wrap_angle(yaw)])
