# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tiles from the map with visibility: rays from the ego stop at the first building, as a lidar's do.

The scan effects (`ScanEffectsConfig`, drawn in `tile/scene.py`) turn the map's clean view into one that a sensor may have had.
Sphere tracing (Hart 1996) over the raster's distance field takes steps as long as the distance to the nearest wall.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import ScanEffectsConfig, TileConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.tile.grid import TileGrid
from urban_map_loc.tile.kernels import RayEffects, Walls, cast, draw_hits
from urban_map_loc.tile.road_channel import draw_roads
from urban_map_loc.tile.scene import EVERY_TILE, draw_scene

NO_EFFECTS = ScanEffectsConfig(**{field.name: 0 for field in fields(ScanEffectsConfig)})


class MapRenderer:
    """Renders what a car would see of the buildings, and of the roads if asked, from given poses."""

    def __init__(self, raster: BuildingRaster, tile: TileConfig, roads: RoadRaster | None = None) -> None:
        """`roads`: of the same area and pixels; needed where the tile has that channel.

        Raises:
            ConfigurationError: the tile has a road channel, and there are no roads.
        """
        if tile.planes > 1 and roads is None:
            raise ConfigurationError(f"channels {tile.channels} need the area's roads; give a RoadRaster, or choose channels buildings")
        self.raster, self.roads = raster, roads
        self.config = tile
        self.grid = TileGrid(tile)
        self._walls = Walls(raster.distance, raster.building, raster.heights, raster.origin, raster.resolution_m)

    def points(
        self,
        poses: FloatArray,
        effects: ScanEffectsConfig = NO_EFFECTS,
        seed: int = 0,
        stretch: int = 1,
    ) -> FloatArray:
        """First hits `(N, sectors, 2)` [m] in the base frame from poses `(N, 3)` in `map`; NaN where a ray meets nothing.

        Args:
            effects: random scan effects, decided by `seed`.
            stretch: so many consecutive poses are of one drive: one sensor, and one map's errors.
        """
        return self._cast(poses, effects, seed, stretch, EVERY_TILE)[0]

    def tiles(
        self,
        poses: FloatArray,
        effects: ScanEffectsConfig = NO_EFFECTS,
        seed: int = 0,
        stretch: int = 1,
        part: slice = EVERY_TILE,
    ) -> NDArray[np.uint8]:
        """Tiles `(N, S, S)` uint8, 1 where a wall is hit, seen from poses `(N, 3)` in `map`; arguments as of `points`.

        With the road channel `(N, 2, S, S)`: walls, and 1 where rays pass over road surface; none in push-broom tiles.
        Only the tiles of a `part` are drawn, as they would be among all.
        """
        points, seen, poses = self._cast(poses, effects, seed, stretch, part)
        tiles = np.zeros((len(poses), self.grid.size_px, self.grid.size_px), dtype=np.uint8)
        draw_hits(points, self.grid.half_m, self.grid.resolution_m, tiles)
        if self.roads is None or self.config.planes == 1:
            return tiles
        return np.stack([tiles, draw_roads(self.roads, self.grid, self.config, poses, seen)], axis=1)

    def _cast(
        self, poses: FloatArray, effects: ScanEffectsConfig, seed: int, stretch: int, part: slice
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """First hits, how far each ray sees `(N, sectors)` [m], none without a return, and where on the map the car then is."""
        scene = draw_scene(self.config, effects, len(poses), seed, stretch).part(part)
        seeds = np.random.default_rng(seed).integers(0, 2**31 - 1, len(poses))[part]
        poses = np.array(poses[part], dtype=np.float64)
        poses[:, :2] += scene.map_shift
        points, seen = np.empty((len(poses), self.config.sectors, 2)), np.empty((len(poses), self.config.sectors))
        cast(
            self._walls,
            poses,
            seeds,
            scene,
            RayEffects.of(effects, self.config.range_m),
            self.config.field_of_view_rad,
            points,
            seen,
        )
        return points, seen, poses
