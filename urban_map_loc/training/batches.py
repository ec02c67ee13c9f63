"""TileBatches: poses drawn on the roads, with the tiles that a car would see there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import TrainConfig
from urban_map_loc.errors import AreaError
from urban_map_loc.mapnet.cells import PositionCells, drivable_cells
from urban_map_loc.tile.from_map import MapRenderer
from urban_map_loc.training.sampler import RoadSampler


@dataclass(frozen=True, eq=False)
class Batch:
    """Tiles with the poses they were seen from.

    Attributes:
        tiles: `(N, S, S)` or `(N, C, S, S)` uint8, as `MapRenderer.tiles` makes them.
        poses: `(N, 3)` float32 east [m], north [m], yaw [rad] in `map`.
        cells: `(N,)` int64, the position cell of each pose.
        tuple_length: so many consecutive tiles are one stretch of a drive.
    """

    tiles: Tensor
    poses: Tensor
    cells: Tensor
    tuple_length: int = 1

    def __len__(self) -> int:
        return len(self.poses)

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        tiles, poses, cells = (tensor.to(device, non_blocking=True) for tensor in (self.tiles, self.poses, self.cells))
        return Batch(tiles, poses, cells, self.tuple_length)


class TileBatches:
    """Draws batches from an area; what is drawn depends on the seed alone."""

    def __init__(self, area: AreaMap, config: TrainConfig, cache: Path | None = None) -> None:
        """`cache`: folder for the area's rasters, see `BuildingRaster.from_area`.

        Raises:
            AreaError: no drivable road.
        """
        centres = drivable_cells(area, config.network)
        if len(centres) == 0:
            raise AreaError("the area has no drivable road to train on; build it from an extract that contains roads")
        self.effects = config.effects
        self.cells = PositionCells(centres, config.network.cell_size_m)
        self.sampler = RoadSampler(area, config.sampler, self.cells)
        roads = RoadRaster.from_area(area, config.raster, config.roads, cache) if config.tile.planes > 1 else None
        self.renderer = MapRenderer(BuildingRaster.from_area(area, config.raster, cache), config.tile, roads)

    def draw(self, seed: tuple[int, ...], count: int) -> Batch:
        """`count` tiles, rounded down to whole stretches of a drive; the same seed and count give the same batch."""
        random = np.random.default_rng(seed)
        poses = self.sampler.draw(count, random)
        length = self.sampler.config.tuple_length
        tiles = self.renderer.tiles(poses, self.effects, int(random.integers(2**31)), stretch=length)
        cells = self.cells.of(poses[:, :2])
        return Batch(torch.from_numpy(tiles), torch.from_numpy(poses).float(), torch.from_numpy(cells), length)
