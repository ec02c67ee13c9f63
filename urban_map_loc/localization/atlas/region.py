# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A region of an atlas made ready: its map for verification, its places for MapNet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from urban_map_loc.area.atlas import Atlas, distances_m
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.raster import BuildingRaster, raster_cache
from urban_map_loc.config import LocalizerConfig, TrainConfig
from urban_map_loc.errors import AreaError, ModelError
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.checkpoint import load_checkpoint, sum_of_tensors
from urban_map_loc.mapnet.inference import Ranking
from urban_map_loc.mapnet.network import MapNet

NOBODY = -1


@dataclass(frozen=True, eq=False)
class ReadyRegion:
    """A region in memory.

    Attributes:
        number: its place in the atlas.
        core: `(4,)` west, south, east, north [m] of the ground that is its own.
        verifier: of its map, which goes on beyond.
        head: MapNet's places in the core, so that each place of the atlas is ranked once.
        trunk: what makes views of tiles; regions of equal `weights` may use each other's.
        weights: SHA-256 of all that a view depends on.
        trained: the model's settings.
    """

    number: int
    core: FloatArray
    verifier: Verifier
    head: CellsHead
    trunk: MapNet
    weights: str
    trained: TrainConfig


def load_region(atlas: Atlas, number: int, config: LocalizerConfig, device: torch.device) -> ReadyRegion:
    """Read a region's files and make it ready.

    Raises:
        AreaError, ModelError: a file is missing, damaged, or not of this atlas.
    """
    region = atlas.regions[number]
    area = read_area(region.area)
    if area.content_hash != region.area_hash:
        raise AreaError(
            f"{region.area} is {area.content_hash[:12]}, the atlas says {region.area_hash[:12]}; copy the whole atlas again or build it"
        )
    require_models(atlas, [number])
    model = load_checkpoint(region.model)
    model.check_area(area, str(region.area))
    if not isinstance(model.network.head, CellsHead):
        raise ModelError(f"{region.model} regresses poses, which cannot be ranked across regions; train the atlas with --head cells")
    raster = BuildingRaster.from_area(area, config.raster, raster_cache(region.area), on_grid=True)
    looks = Ranking(model.network, 0).network.to(device)
    if device.type == "cuda":
        looks.trunk.half()
    looks.head = nn.Identity()  # places are ranked by the head below
    return ReadyRegion(
        number,
        np.array(region.core),
        Verifier(area, raster, config.verification),
        _own_places(atlas, number, model.network.head, model.config).to(device),
        looks,
        weights_of(model.network.state_dict()),
        model.config,
    )


def require_models(atlas: Atlas, numbers: Sequence[int] | None = None) -> None:
    """Find out whether regions have been trained: these, or all.

    Raises:
        ModelError: how many have not.
    """
    regions = atlas.regions if numbers is None else [atlas.regions[number] for number in numbers]
    missing = [region for region in regions if not region.model.is_file()]
    if missing:
        raise ModelError(
            f"{len(missing)} of {len(regions)} regions of {atlas.folder} have no model, such as {missing[0].name}; "
            f"make them with `urban_map_loc train {atlas.folder}`"
        )


def weights_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all that likeness depends on: where it is equal, views of one network fit the references of the other."""
    return sum_of_tensors({name: tensor for name, tensor in tensors.items() if is_weight(name)})


def is_weight(name: str) -> bool:
    """Whether likeness depends on the tensor of this name, other than through the references."""
    return not name.startswith("head.") or name == "head.log_sharpness"


def own(atlas: Atlas, number: int, positions: Tensor) -> NDArray[np.bool_]:
    """Which of positions `(K, 2)` [m] are the region's own: in its core, or nearest to it where no region is."""
    return atlas.owner(positions.double().cpu().numpy()) == number


def _own_places(atlas: Atlas, number: int, head: CellsHead, config: TrainConfig) -> CellsHead:
    """The head with the cells of the core alone; with all, should none lie there."""
    mine = torch.from_numpy(own(atlas, number, head.cells))
    if not mine.any():
        return head
    kept = mine[head.reference_cell]
    smaller = CellsHead(config.network, head.cells[mine].double().numpy(), head.reference_poses[kept].double().numpy())
    same = {name: tensor for name, tensor in head.state_dict().items() if tensor.shape == smaller.state_dict()[name].shape}
    smaller.load_state_dict(same, strict=False)
    smaller.references.copy_(head.references[kept])
    return smaller.eval()


class ReadyRegions:
    """The regions in memory, as the localizer's thread sees them; changed between two scans, by that thread alone."""

    def __init__(self, overlap_m: float) -> None:
        self.overlap_m = overlap_m
        self.regions: tuple[ReadyRegion, ...] = ()
        self._cores = np.zeros((0, 4))

    def replace(self, regions: Sequence[ReadyRegion]) -> None:
        """Take others."""
        self.regions = tuple(regions)
        self._cores = np.array([region.core for region in self.regions]).reshape(-1, 4)

    def distances_m(self, positions: FloatArray) -> FloatArray:
        """How far `(K, R)` [m] positions `(K, 2)` lie from the regions' cores, negative inside."""
        return distances_m(self._cores, positions)

    def owner(self, positions: FloatArray) -> NDArray[np.int64]:
        """Which of the regions `(K,)` to ask about positions `(K, 2)`: the one with the nearest core; NOBODY where no map reaches."""
        if not self.regions:
            return np.full(len(positions), NOBODY)
        distance = self.distances_m(positions)
        nearest = distance.argmin(axis=1)
        return np.where(distance[np.arange(len(positions)), nearest] <= self.overlap_m, nearest, NOBODY)
