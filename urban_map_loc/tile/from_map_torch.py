# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The renderer of `tile/from_map.py` on PyTorch, for a GPU: thousands of tiles at a time.

All rays take their steps together; those that have ended are dropped now and then. Positions are double precision, as in the
compiled kernels (`tile/kernels.py`), so that both take the same steps. Both read the same `Scene`: with equal seeds they differ
in the noise of single rays alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from urban_map_loc.area.raster import DISTANCE_STEP_M, BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import ScanEffectsConfig, TileConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.tile.from_map import NO_EFFECTS
from urban_map_loc.tile.grid import TileGrid
from urban_map_loc.tile.kernels import BARE, BEAMS_TOGETHER, EAST_SALT, NORTH_SALT, NOTHING, PIECE_M, RELIEF
from urban_map_loc.tile.road_channel import pixel_rays
from urban_map_loc.tile.scene import EVERY_TILE, KNOTS, STRIP, draw_scene

STEPS_TOGETHER = 8  # steps between two looks at which rays have ended: each look waits for the GPU


class _Scene(NamedTuple):
    """`Scene` on the device."""

    salt: Tensor
    reach_m: Tensor
    skipped: Tensor
    view_rad: Tensor
    tilt: Tensor
    beam_height_m: Tensor
    kind: Tensor
    drive: Tensor
    offsets: Tensor
    obstacles: Tensor
    map_shift: Tensor


class _Rays(NamedTuple):
    """All rays of N tiles, `(N, R)` each.

    Attributes:
        bearing: in the frame of the pose from which it is cast [rad].
        back: share of the drive between that pose and the car.
        east, north: where it starts on the map [m].
        towards: its direction in `map` [rad].
        rise: how fast it rises [m/m].
        limit: how far it gets at most [m], 0 where it is not cast.
        wall: True where something taken for a wall stands at its limit.
    """

    bearing: Tensor
    back: Tensor
    east: Tensor
    north: Tensor
    towards: Tensor
    rise: Tensor
    limit: Tensor
    wall: Tensor


class TorchMapRenderer:
    """What `MapRenderer` draws, on a device."""

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
        self._building = torch.tensor(raster.building.astype(np.int32), device=self.device)
        self._heights = torch.tensor(raster.heights, device=self.device)
        self._surface = None if roads is None or tile.planes == 1 else torch.tensor(roads.surface, device=self.device)
        self._pixels = [torch.tensor(array, device=self.device) for array in pixel_rays(self.grid, tile)]
        half_turn = 0.5 * tile.field_of_view_rad
        self._bearings = torch.tensor(
            (np.arange(tile.sectors) + 0.5) * tile.field_of_view_rad / tile.sectors - half_turn, device=self.device
        )

    @torch.inference_mode()
    def tiles(
        self,
        poses: Tensor,
        effects: ScanEffectsConfig = NO_EFFECTS,
        seed: int = 0,
        occluded: Tensor | None = None,
        stretch: int = 1,
        part: slice = EVERY_TILE,
    ) -> Tensor:
        """Tiles `(N, S, S)` uint8, or `(N, 2, S, S)` with the road channel, seen from poses `(N, 3)` [m, rad] in `map`.

        Arguments as of `MapRenderer.tiles`; nothing is occluded where `occluded (N, sectors)` [m] is left out. The noise of single
        rays is another in a `part` than among all.
        """
        drawn = draw_scene(self.config, effects, len(poses), seed, stretch).part(part)
        scene = _Scene(*(torch.from_numpy(np.ascontiguousarray(values)).to(self.device) for values in drawn))
        poses = poses[part].to(self.device, torch.float64).clone()
        poses[:, :2] += scene.map_shift
        random = torch.Generator(self.device).manual_seed(seed)
        rays, known = self._rays(poses, scene, effects.dropout, occluded if occluded is None else occluded[part], random)
        ranges, building = self._trace(rays, scene, effects.missing_buildings)
        walls = self._draw(self._points(poses, rays, scene, effects, ranges, building, random))
        if self._surface is None:
            return walls
        sees = torch.where(scene.kind[:, None] == STRIP, 0.0, ranges)
        return torch.stack([walls, self._roads(poses, _seen(sees, known))], dim=1)

    def _rays(self, poses: Tensor, scene: _Scene, dropout: float, occluded: Tensor | None, random: torch.Generator) -> tuple[_Rays, Tensor]:
        """Every ray, and `(N, R)` whether what it sees is known without asking its neighbour, see `_seen`."""
        ray = torch.arange(self.config.sectors, device=self.device)
        together = torch.tensor(BEAMS_TOGETHER, device=self.device)[scene.kind, None]
        beam, member, strip = ray // together, ray % together, scene.kind[:, None] == STRIP
        bearing = torch.where(strip, (0.5 - member) * math.pi, self._bearings)
        back = torch.where(strip, beam * together / len(ray), member / (together - 1).clamp(min=1)).double()
        inside = strip | (bearing.abs() <= 0.5 * scene.view_rad[:, None])
        kept = inside & (beam % (scene.skipped[:, None] + 1) == 0)
        x, y, turned = _along(-back * scene.drive[:, :1], scene.drive[:, 1:2])
        direction = turned + bearing
        rise = scene.tilt[:, :1] * direction.cos() + scene.tilt[:, 1:] * direction.sin()
        limit = scene.reach_m[:, None].expand(direction.shape)
        if occluded is not None:
            limit = torch.minimum(limit, occluded.to(limit))
        limit = torch.minimum(limit, torch.where(rise < 0.0, scene.beam_height_m[:, None] / -rise, math.inf))  # there it meets the road
        limit, wall = _stopped(scene.obstacles, x, y, direction, limit)
        cast = kept & (torch.rand(limit.shape, generator=random, device=self.device) >= dropout)
        limit = torch.where(cast, limit, 0.0)
        off = _between_knots(scene.offsets, direction)
        c, s = poses[:, 2:].cos(), poses[:, 2:].sin()
        east, north = poses[:, :1] + c * x - s * y + off[..., 0], poses[:, 1:2] + s * x + c * y + off[..., 1]
        return _Rays(bearing, back, east, north, poses[:, 2:] + direction, rise, limit, wall & cast), ~inside | strip | (
            kept & (member == 0)
        )

    def _trace(self, rays: _Rays, scene: _Scene, missing: float) -> tuple[Tensor, Tensor]:
        """How far each ray sees `(N, R)` [m], at most to its limit, and the number of the building that ends it, or NOTHING."""
        start = torch.stack([rays.east, rays.north], dim=-1).view(-1, 2)
        heading = torch.stack([rays.towards.cos(), rays.towards.sin()], dim=-1).view(-1, 2)
        limit, rise, ray = rays.limit.reshape(-1), rays.rise.reshape(-1), torch.arange(rays.limit.numel(), device=self.device)
        ranges, hit_px = limit.clone(), torch.full_like(ray, NOTHING)
        reached, reached_px = ranges, hit_px
        travelled, left = torch.zeros_like(limit), limit > 0.0  # left: not yet ended
        free = over = torch.zeros_like(left)
        height, width = self._distance.shape
        height_matters, tile = bool(scene.tilt.any() or scene.beam_height_m.any()), ray // self.config.sectors
        while len(ray):
            for _ in range(STEPS_TOGETHER):
                column = torch.round((start[:, 0] + travelled * heading[:, 0] - self._origin[0]) / self._step).long()
                row = torch.round((start[:, 1] + travelled * heading[:, 1] - self._origin[1]) / self._step).long()
                left = left & (row >= 0) & (column >= 0) & (row < height) & (column < width)
                pixel = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
                distance = self._distance.view(-1)[pixel].double() * DISTANCE_STEP_M
                inside = distance < 0.0
                ended, low = left & inside & free, torch.zeros_like(left)
                if height_matters:
                    low = inside & (self._heights[self._building.view(-1)[pixel]] < scene.beam_height_m[tile] + rise * travelled)
                    ended = ended & ~low
                if missing > 0.0:
                    ended = ended & (_chance(self._building.view(-1)[pixel].long(), scene.salt[tile]) >= missing)
                wall = torch.where(over, travelled, (travelled + distance).clamp(min=0.0))
                reached, reached_px = torch.where(ended, wall, reached), torch.where(ended, pixel, reached_px)
                travelled = travelled + torch.where(inside, self._step, distance.clamp(min=0.5 * self._step))
                left = left & ~ended & (travelled < limit)
                free, over = free | ~inside, (over & inside) | low
            ranges[ray], hit_px[ray] = reached, reached_px
            still = left.nonzero()[:, 0]
            start, heading, limit, rise, ray, tile = (a[still] for a in (start, heading, limit, rise, ray, tile))
            travelled, left, free, over, reached, reached_px = (a[still] for a in (travelled, left, free, over, reached, reached_px))
        building = torch.where(hit_px == NOTHING, NOTHING, self._building.view(-1)[hit_px.clamp(min=0)].long())
        return ranges.view_as(rays.limit), building.view_as(rays.limit)

    def _points(
        self,
        poses: Tensor,
        rays: _Rays,
        scene: _Scene,
        effects: ScanEffectsConfig,
        ranges: Tensor,
        building: Tensor,
        random: torch.Generator,
    ) -> Tensor:
        """Hits `(N, R, 2)` [m] in the base frame, NaN where there is none."""
        there = building != NOTHING
        salt = scene.salt[:, None]
        solid = torch.where(there, _chance(building, salt + BARE) >= effects.bare_walls, rays.wall)
        lost = torch.rand(ranges.shape, generator=random, device=self.device) < effects.far_dropout * (ranges / self.config.range_m) ** 2
        noise = effects.range_noise_m * torch.randn(ranges.shape, generator=random, device=self.device)
        measured = ranges * torch.sqrt(1.0 + rays.rise**2) + noise
        solid &= ~lost & (measured > 0.0)
        x, y, turned = _along(-rays.back * scene.drive[:, 2:3], scene.drive[:, 3:])
        x, y = x + measured * (turned + rays.bearing).cos(), y + measured * (turned + rays.bearing).sin()
        if effects.simplified_m > 0.0:
            across, up = self._relief(rays, ranges, building, effects.simplified_m, salt)
            across, up = torch.where(there, across, 0.0), torch.where(there, up, 0.0)
            c, s = poses[:, 2:].cos(), poses[:, 2:].sin()
            x, y = x + c * across + s * up, y - s * across + c * up
        return torch.where(solid[..., None], torch.stack([x, y], dim=-1), math.nan)

    def _relief(self, rays: _Rays, ranges: Tensor, building: Tensor, strength: float, salt: Tensor) -> tuple[Tensor, Tensor]:
        """East and north [m] by which pieces of wall stand before or behind the outline, along the wall's normal."""
        east, north = rays.east + ranges * rays.towards.cos(), rays.north + ranges * rays.towards.sin()
        column, row = (torch.round((at - origin) / self._step).long() for at, origin in zip((east, north), self._origin, strict=True))
        height, width = self._distance.shape
        inside = (row >= 1) & (column >= 1) & (row < height - 1) & (column < width - 1)
        row, column = row.clamp(1, height - 2), column.clamp(1, width - 2)
        across = self._distance[row, column + 1].double() - self._distance[row, column - 1].double()
        up = self._distance[row + 1, column].double() - self._distance[row - 1, column].double()
        length = torch.where(inside, torch.hypot(across, up), 0.0)
        piece = salt + EAST_SALT * (east / PIECE_M).floor().long() + NORTH_SALT * (north / PIECE_M).floor().long()
        amount = strength * (_chance(building, piece + RELIEF[0]) + _chance(building, piece + RELIEF[1]) - 1.0)
        amount = torch.where(length > 0.0, amount / length, 0.0)
        return amount * across, amount * up

    def _draw(self, points: Tensor) -> Tensor:
        """Tiles `(N, S, S)` of hits: `TileGrid.draw` for many."""
        size, half_m = self.grid.size_px, self.grid.half_m
        row, column = ((half_m - along) / self.grid.resolution_m for along in points.nan_to_num(nan=-1e6).unbind(-1))
        row, column = row.floor().long(), column.floor().long()
        drawn = (row >= 0) & (column >= 0) & (row < size) & (column < size)
        tiles = torch.zeros(len(points) * size * size + 1, dtype=torch.uint8, device=self.device)  # the last takes what is not drawn
        tile = torch.arange(len(points), device=self.device)[:, None]
        tiles[torch.where(drawn, (tile * size + row) * size + column, -1)] = 1
        return tiles[:-1].view(-1, size, size)

    def _roads(self, poses: Tensor, seen: Tensor) -> Tensor:
        """The road channel `(N, S, S)`, as `draw_roads` has it."""
        assert self._surface is not None
        centres, pixel_range, ray = self._pixels
        c, s = (poses[:, 2].cos() / self._step)[:, None, None], (poses[:, 2].sin() / self._step)[:, None, None]
        east, north = ((poses[:, k, None, None] - self._origin[k]) / self._step for k in (0, 1))
        x, y = centres[..., 0], centres[..., 1]
        column, row = torch.round(east + c * x - s * y).long(), torch.round(north + s * x + c * y).long()
        height, width = self._surface.shape
        visible = (ray >= 0) & (pixel_range < seen[:, ray.clamp(min=0)])
        visible &= (row >= 0) & (column >= 0) & (row < height) & (column < width)
        return self._surface[row.clamp(0, height - 1), column.clamp(0, width - 1)] * visible


def _along(length: Tensor, curvature: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Poses on arcs, so far [m] from their beginnings at (0, 0, 0)."""
    yaw = length * curvature
    straight = yaw.abs() < 1e-6
    bend = torch.where(straight, 1.0, curvature)
    return torch.where(straight, length, yaw.sin() / bend), torch.where(straight, 0.0, (1.0 - yaw.cos()) / bend), yaw


def _stopped(obstacles: Tensor, x: Tensor, y: Tensor, direction: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    """How far rays get before an obstacle or their limit, and whether what stops them is taken for a wall."""
    c, s, wall = direction.cos(), direction.sin(), torch.zeros(limit.shape, dtype=torch.bool, device=limit.device)
    for middle_x, middle_y, hx, hy, kind in (o.unbind(-1) for o in obstacles[:, None].unbind(-2)):
        px, py, along = middle_x - x, middle_y - y, c * hy - s * hx  # along: zero where parallel, or where there is none
        distance = (px * hy - py * hx) / torch.where(along == 0.0, 1.0, along)
        met = (along != 0.0) & (distance > 0.0) & (distance < limit) & ((px * s - py * c).abs() <= along.abs())
        limit, wall = torch.where(met, distance, limit), torch.where(met, kind > 0.0, wall)
    return limit, wall


def _between_knots(offsets: Tensor, bearing: Tensor) -> Tensor:
    """How far map and world are apart `(N, R, 2)` [m] in these directions."""
    position = (bearing / (2.0 * math.pi) + 0.5) * KNOTS
    low = position.floor()
    share, a = (position - low)[..., None], low.long() % KNOTS
    tile = torch.arange(len(offsets), device=offsets.device)[:, None]
    return (1.0 - share) * offsets[tile, a] + share * offsets[tile, (a + 1) % KNOTS]


def _seen(ranges: Tensor, known: Tensor) -> Tensor:
    """How far the car's own rays see `(N, R)` [m]; a ray that is not `known` takes what the one before it sees."""
    ray = torch.arange(ranges.shape[1], device=ranges.device)
    return ranges.gather(1, torch.where(known, ray, 0).cummax(dim=1).values)


def _chance(building: Tensor, salt: Tensor) -> Tensor:
    """The same numbers in [0, 1) as the compiled kernel's."""
    h = (building * 2654435761 + salt * 40503 + 12345) & 0xFFFFFFFF
    h = h ^ (h >> 16)
    h = (h * 0x45D9F3B) & 0xFFFFFFFF
    return (h ^ (h >> 16)).double() / 4294967296.0
