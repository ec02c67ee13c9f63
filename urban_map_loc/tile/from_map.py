"""Tiles from the map with visibility: rays from the ego stop at the first building, as a lidar's do.

The scan effects (Gaussian range noise, dropout, hidden sectors, clutter, buildings missing or moved) turn the map's clean
view into one that a sensor may have had. Sphere tracing (Hart 1996) over the raster's distance field takes steps as long as
the distance to the nearest wall. `tile/from_map_torch.py` does the same on a GPU.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from urban_map_loc.area.raster import DISTANCE_STEP_M, BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import ScanEffectsConfig, TileConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.tile.grid import TileGrid, draw_points
from urban_map_loc.tile.road_channel import draw_roads

NO_EFFECTS = ScanEffectsConfig(
    range_noise_m=0.0,
    dropout=0.0,
    hidden_sectors=0,
    minimum_range_m=1e6,
    missing_buildings=0.0,
    moved_building_m=0.0,
    clutter=0.0,
    bare_walls=0.0,
)

NOTHING_OCCLUDED: FloatArray = np.zeros((0, 0))


@njit(cache=True)
def _chance(building: int, salt: int) -> float:
    """A number in [0, 1) that depends on the building and the tile alone: a building is missing for all rays or for none."""
    h = (building * 2654435761 + salt * 40503 + 12345) & 0xFFFFFFFF
    h ^= h >> 16
    h = (h * 0x45D9F3B) & 0xFFFFFFFF
    h ^= h >> 16
    return h / 4294967296.0


@njit(cache=True, fastmath=True)
def _trace(
    distance: NDArray[np.int8],
    building: NDArray[np.uint16],
    tall: NDArray[np.bool_],
    origin: FloatArray,
    step: float,
    east: float,
    north: float,
    direction: float,
    limit: float,
    missing: float,
    salt: int,
) -> tuple[float, int]:
    """Distance [m] along a ray to the first building that is there, and its number; (-1, -1) beyond `limit`.

    A ray that starts inside a building leaves it first: maps and poses are metres off, and roofs span streets. Buildings that are
    not `tall (65536,)` are looked over.
    """
    de, dn = math.cos(direction), math.sin(direction)
    rows, columns = distance.shape
    travelled = 0.0
    free, over = False, False
    while travelled < limit:
        column = round((east + travelled * de - origin[0]) / step)
        row = round((north + travelled * dn - origin[1]) / step)
        if row < 0 or column < 0 or row >= rows or column >= columns:
            return -1.0, -1
        d = DISTANCE_STEP_M * distance[row, column]
        if d < 0.0:
            index = int(building[row, column])
            if not tall[index]:
                over = True
            elif free and (missing <= 0.0 or _chance(index, salt) >= missing):
                # Behind a lower one that adjoins, the wall is here: distances are to the outline of both.
                return travelled if over else max(travelled + d, 0.0), index
            travelled += step
        else:
            free, over = True, False
            travelled += max(d, 0.5 * step)
    return -1.0, -1


@njit(cache=True, parallel=True)
def _render(
    distance: NDArray[np.int8],
    building: NDArray[np.uint16],
    tall: NDArray[np.bool_],
    origin: FloatArray,
    step: float,
    poses: FloatArray,
    seeds: NDArray[np.int64],
    reach: FloatArray,
    occluded: FloatArray,
    field_of_view: float,
    effects: tuple[float, ...],
    points: FloatArray,
    seen: FloatArray,
) -> None:
    noise, dropout, hidden_max, hidden_rad, missing, moved, clutter, bare = effects
    rays = points.shape[1]
    whole_turn = field_of_view >= 2.0 * math.pi
    for i in prange(poses.shape[0]):
        np.random.seed(seeds[i] & 0x7FFFFFFF)
        salt = seeds[i] & 0xFFFF
        yaw = poses[i, 2]
        # Vehicles hide what is behind them from a few metres on, garden trees from further away.
        visible = np.full(rays, reach[i])
        for r in range(occluded.shape[1]):
            visible[r] = min(visible[r], occluded[i, r])
        for _ in range(np.random.randint(0, int(hidden_max) + 1)):
            width = int(np.random.random() * hidden_rad / field_of_view * rays)
            first = np.random.randint(0, rays)
            beyond = np.random.random() * reach[i]
            for k in range(width if whole_turn else min(width, rays - first)):
                visible[(first + k) % rays] = min(visible[(first + k) % rays], beyond)
        # Clutter comes in runs as hedges and fences do: a walk that now and then starts an obstacle at some range.
        obstacle, obstacle_left = 0.0, 0
        for r in range(rays):
            points[i, r, 0] = np.nan
            points[i, r, 1] = np.nan
            seen[i, r] = 0.0
            bearing = (r + 0.5) * field_of_view / rays - 0.5 * field_of_view
            if obstacle_left > 0:
                obstacle_left -= 1
            elif np.random.random() < clutter / 12.0:
                obstacle_left = np.random.randint(2, 24)
                obstacle = 3.0 + np.random.random() * 30.0
            if np.random.random() < dropout:
                continue
            limit = visible[r]
            distance_m, index = _trace(
                distance, building, tall, origin, step, poses[i, 0], poses[i, 1], yaw + bearing, limit, missing, salt
            )
            seen[i, r] = limit if index < 0 else distance_m
            if index >= 0:
                if bare > 0.0 and _chance(index, salt + 7) < bare:
                    continue  # trees stand before this one: it hides what lies behind, and gives no hits
                if moved > 0.0:
                    distance_m += moved * 2.0 * (_chance(index, salt + 13) + _chance(index, salt + 29) - 1.0)
            if obstacle_left > 0 and (index < 0 or obstacle < distance_m) and obstacle < limit:
                distance_m, index = obstacle, 0
                seen[i, r] = obstacle
            if index < 0:
                continue
            distance_m += noise * np.random.normal()
            if distance_m > 0.0:
                points[i, r, 0] = distance_m * math.cos(bearing)
                points[i, r, 1] = distance_m * math.sin(bearing)


@njit(cache=True, parallel=True)
def _draw(points: FloatArray, half_m: float, resolution_m: float, tiles: NDArray[np.uint8]) -> None:
    for i in prange(points.shape[0]):
        draw_points(points[i], half_m, resolution_m, tiles[i])


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
        self._tall = raster.heights >= tile.sensor_height_m

    def points(
        self, poses: FloatArray, effects: ScanEffectsConfig = NO_EFFECTS, seed: int = 0, occluded: FloatArray = NOTHING_OCCLUDED
    ) -> FloatArray:
        """First hits `(N, sectors, 2)` [m] in the base frame from poses `(N, 3)` in `map`; NaN where a ray meets nothing.

        Args:
            effects: random scan effects, decided by `seed`.
            occluded: `(N, sectors)` [m] known occluders: how far each ray gets at most, as `TorchMapRenderer` has it too.
        """
        return self._cast(poses, effects, seed, occluded)[0]

    def _cast(self, poses: FloatArray, effects: ScanEffectsConfig, seed: int, occluded: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First hits, and how far each ray sees `(N, sectors)` [m]; one without a return, for dropout, sees nothing."""
        random = np.random.default_rng(seed)
        poses = np.ascontiguousarray(poses, dtype=np.float64)
        nearest = min(effects.minimum_range_m, self.config.range_m)
        points, seen = np.empty((len(poses), self.config.sectors, 2)), np.empty((len(poses), self.config.sectors))
        _render(
            self.raster.distance,
            self.raster.building,
            self._tall,
            self.raster.origin,
            self.raster.resolution_m,
            poses,
            random.integers(0, 2**31 - 1, len(poses)),
            random.uniform(nearest, self.config.range_m, len(poses)),
            np.ascontiguousarray(occluded, dtype=np.float64),
            self.config.field_of_view_rad,
            (
                effects.range_noise_m,
                effects.dropout,
                float(effects.hidden_sectors),
                effects.hidden_sector_rad,
                effects.missing_buildings,
                effects.moved_building_m,
                effects.clutter,
                effects.bare_walls,
            ),
            points,
            seen,
        )
        return points, seen

    def tiles(
        self, poses: FloatArray, effects: ScanEffectsConfig = NO_EFFECTS, seed: int = 0, occluded: FloatArray = NOTHING_OCCLUDED
    ) -> NDArray[np.uint8]:
        """Tiles `(N, S, S)` uint8, 1 where a wall is hit, seen from poses `(N, 3)` in `map`; arguments as of `points`.

        With the road channel `(N, 2, S, S)`: walls, and 1 where rays pass over road surface.
        """
        points, seen = self._cast(poses, effects, seed, occluded)
        tiles = np.zeros((len(poses), self.grid.size_px, self.grid.size_px), dtype=np.uint8)
        _draw(points, self.grid.half_m, self.grid.resolution_m, tiles)
        if self.roads is None or self.config.planes == 1:
            return tiles
        return np.stack([tiles, draw_roads(self.roads, self.grid, self.config, poses, seen)], axis=1)
