# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A made-up atlas for tests: a street in regions, shown to the packaged network."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from towns import street

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.atlas import Atlas
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.regions import build_atlas
from urban_map_loc.config import AtlasConfig, LocalizerConfig, RasterConfig, RegionsConfig
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.result import LocalizationResult
from urban_map_loc.mapnet.cells import PositionCells, drivable_cells
from urban_map_loc.mapnet.checkpoint import Checkpoint, save_checkpoint
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.mapnet.packaged import packaged_weights
from urban_map_loc.mapnet.references import fill_references, reference_poses
from urban_map_loc.tile.from_map import MapRenderer
from urban_map_loc.training.warm_start import take_weights

STREET_M = 900.0
SPLIT = RegionsConfig(size_m=130.0, overlap_m=110.0)
# Fewer regions in memory than there are.
FEW = LocalizerConfig(atlas=AtlasConfig(regions_in_memory=4, load_ahead_m=100.0))


@cache
def long_street() -> AreaMap:
    """The street that the atlas is of."""
    return street(STREET_M)


def shown(area: AreaMap) -> Checkpoint:
    """The packaged network, shown an area, not calibrated."""
    packaged = packaged_weights()
    config = packaged.config
    cells = PositionCells(drivable_cells(area, config.network), config.network.cell_size_m)
    network = MapNet(config.network, config.tile, cells.centres, reference_poses(area, config.network, cells))
    take_weights(network, packaged)
    fill_references(network, MapRenderer(BuildingRaster.from_area(area, RasterConfig()), config.tile))
    return Checkpoint(network.eval(), config, area.datum, area.content_hash, {})


def street_atlas(folder: Path, split: RegionsConfig = SPLIT) -> Atlas:
    """The street as seven regions, or as `split` says, ready to drive in."""
    atlas = build_atlas(long_street(), folder, split)
    for region in atlas.regions:
        save_checkpoint(shown(read_area(region.area)), region.model)
    return atlas


def errors_m(results: list[tuple[object, LocalizationResult]]) -> np.ndarray:
    """How far each offered estimate is from the truth [m], NaN where none is."""
    return np.array([np.nan if r.estimate is None else r.estimate.T_map_base.distance_to(m.T_map_base) for m, r in results])  # type: ignore[attr-defined]


def feed(localizer: Localizer, moments: list) -> list[tuple[object, LocalizationResult]]:
    """The answers to a drive."""
    results = []
    for moment in moments:
        localizer.add_odometry(moment.stamp_s, moment.T_odom_base)
        results.append((moment, localizer.add_cloud(moment.cloud)))
    return results
