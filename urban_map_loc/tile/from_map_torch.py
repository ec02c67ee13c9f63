"""The renderer of `tile/from_map.py` on PyTorch, for a GPU: thousands of tiles at a time, the clean view without scan effects.

All rays take their steps together; those that have ended are dropped now and then. Positions are double precision, as in the
compiled kernel, so that both take the same steps.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from urban_map_loc.area.raster import DISTANCE_STEP_M, BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import TileConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.tile.grid import TileGrid
from urban_map_loc.tile.road_channel import pixel_rays

STEPS_TOGETHER = 8  # steps between two looks at which rays have ended: each look waits for the GPU


class TorchMapRenderer:
    """What `MapRenderer` draws without effects, on a device."""

    def __init__(self, raster: BuildingRaster, tile: TileConfig, roads: RoadRaster | None = None, device: str = "cpu") -> None:
        """`roads`: of the same area and pixels; needed where the tile has that channel.

        Raises:
            ConfigurationError: the tile has a road channel, and there are no roads.
        """
        if tile.planes > 1 and roads is None:
            raise ConfigurationError(f"channels {tile.channels} need the area's roads; give a RoadRaster, or choose channels buildings")
        self.config, self.grid = tile, TileGrid(tile)
        self.device = torch.device(device)
        self._origin, self._step = raster.origin.tolist(), raster.resolution_m
        self._distance = torch.tensor(raster.distance, device=self.device)
        tall = raster.heights >= tile.sensor_height_m
        self._low = None if tall.all() else torch.tensor(~tall[raster.building], device=self.device)
        self._surface = None if roads is None or tile.planes == 1 else torch.tensor(roads.surface, device=self.device)
        self._pixels = [torch.tensor(array, device=self.device) for array in pixel_rays(self.grid, tile)]
        half_turn = 0.5 * tile.field_of_view_rad
        self._bearings = torch.tensor(
            (np.arange(tile.sectors) + 0.5) * tile.field_of_view_rad / tile.sectors - half_turn, device=self.device
        )

    @torch.inference_mode()
    def tiles(self, poses: Tensor, occluded: Tensor | None = None) -> Tensor:
        """Tiles `(N, S, S)` uint8, or `(N, 2, S, S)` with the road channel, seen from poses `(N, 3)` [m, rad] in `map`.

        `occluded (N, sectors)` [m]: how far occluders let each ray get, without any where it is left out.
        """
        poses = poses.to(self.device, torch.float64)
        limit = torch.full((len(poses), self.config.sectors), self.config.range_m, dtype=torch.float64, device=self.device)
        ranges, hit = self._trace(poses, limit if occluded is None else torch.minimum(limit, occluded.to(limit)))
        walls = self._draw(ranges, hit)
        return walls if self._surface is None else torch.stack([walls, self._roads(poses, ranges)], dim=1)

    def _trace(self, poses: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
        """How far each ray sees `(N, R)` [m], at most to its `limit (N, R)`, and whether a wall ends it `(N, R)`."""
        count, rays = len(poses), len(self._bearings)
        direction = (poses[:, 2:] + self._bearings).reshape(-1)
        start, heading = poses[:, :2].repeat_interleave(rays, dim=0), torch.stack([direction.cos(), direction.sin()], dim=1)
        ranges, limit = limit.reshape(-1).clone(), limit.reshape(-1)
        hit = torch.zeros(count * rays, dtype=torch.bool, device=self.device)
        ray = torch.arange(count * rays, device=self.device)
        travelled, left = torch.zeros_like(ranges), limit > 0.0  # left: not yet ended
        free, over = torch.zeros_like(hit), torch.zeros_like(hit)
        while len(ray):
            for _ in range(STEPS_TOGETHER):
                travelled, left, free, over = self._advance(start, heading, limit, ray, (travelled, left, free, over), ranges, hit)
            kept = left.nonzero()[:, 0]
            start, heading, limit, ray = (a[kept] for a in (start, heading, limit, ray))
            travelled, left, free, over = (a[kept] for a in (travelled, left, free, over))
        return ranges.view(count, rays), hit.view(count, rays)

    def _advance(
        self,
        start: Tensor,
        heading: Tensor,
        limit: Tensor,
        ray: Tensor,
        state: tuple[Tensor, Tensor, Tensor, Tensor],
        ranges: Tensor,
        hit: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step of every ray that is left; the results of those that a wall ends are written to `ranges` and `hit`."""
        travelled, left, free, over = state
        height, width = self._distance.shape
        column = torch.round((start[:, 0] + travelled * heading[:, 0] - self._origin[0]) / self._step).long()
        row = torch.round((start[:, 1] + travelled * heading[:, 1] - self._origin[1]) / self._step).long()
        left = left & (row >= 0) & (column >= 0) & (row < height) & (column < width)
        pixel = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        distance = self._distance.view(-1)[pixel].double() * DISTANCE_STEP_M
        inside = distance < 0.0
        low = inside & self._low.view(-1)[pixel] if self._low is not None else torch.zeros_like(inside)
        ended = left & inside & ~low & free
        wall = torch.where(over, travelled, (travelled + distance).clamp(min=0.0))
        ranges[ray] = torch.where(ended, wall, ranges[ray])
        hit[ray] |= ended
        travelled = travelled + torch.where(inside, self._step, distance.clamp(min=0.5 * self._step))
        left = left & ~ended & (travelled < limit)
        return travelled, left, free | ~inside, (over & inside) | low

    def _draw(self, ranges: Tensor, hit: Tensor) -> Tensor:
        """Tiles `(N, S, S)` of hits: `TileGrid.draw` for many."""
        size, half_m = self.grid.size_px, self.grid.half_m
        x, y = ranges * self._bearings.cos(), ranges * self._bearings.sin()
        row, column = ((half_m - along) / self.grid.resolution_m for along in (x, y))
        row, column = row.floor().long(), column.floor().long()
        drawn = hit & (ranges > 0.0) & (row >= 0) & (column >= 0) & (row < size) & (column < size)
        tiles = torch.zeros(len(ranges) * size * size + 1, dtype=torch.uint8, device=self.device)  # the last takes what is not drawn
        tile = torch.arange(len(ranges), device=self.device)[:, None]
        tiles[torch.where(drawn, (tile * size + row) * size + column, -1)] = 1
        return tiles[:-1].view(-1, size, size)

    def _roads(self, poses: Tensor, ranges: Tensor) -> Tensor:
        """The road channel `(N, S, S)`, as `draw_roads` has it."""
        assert self._surface is not None
        centres, pixel_range, ray = self._pixels
        c, s = (poses[:, 2].cos() / self._step)[:, None, None], (poses[:, 2].sin() / self._step)[:, None, None]
        east, north = ((poses[:, k, None, None] - self._origin[k]) / self._step for k in (0, 1))
        x, y = centres[..., 0], centres[..., 1]
        column, row = torch.round(east + c * x - s * y).long(), torch.round(north + s * x + c * y).long()
        height, width = self._surface.shape
        seen = (ray >= 0) & (pixel_range < ranges[:, ray.clamp(min=0)])
        seen &= (row >= 0) & (column >= 0) & (row < height) & (column < width)
        return self._surface[row.clamp(0, height - 1), column.clamp(0, width - 1)] * seen
