# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ground: the mapped ground that a localizer works on. One area, here; or an atlas, whose regions come and go (`atlas/ground.py`)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from urban_map_loc.area.area_map import AreaMap, MappedArea
from urban_map_loc.area.raster import BuildingRaster, raster_cache
from urban_map_loc.config import LocalizerConfig, TrainConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.search import Network
from urban_map_loc.localization.verification import Verification, Verifier
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.mapnet.inference import Inference, choose_device


class Ground(Protocol):
    """What the localizer asks of its map."""

    @property
    def area(self) -> MappedArea:
        """Datum, plane, bounds and hash of all of it."""
        ...

    @property
    def trained(self) -> TrainConfig:
        """The settings of the model: how tiles look."""
        ...

    @property
    def network(self) -> Network:
        """MapNet, over all the ground that is in memory."""
        ...

    @property
    def verifier(self) -> Verification:
        """The buildings that are in memory."""
        ...

    @property
    def raster(self) -> BuildingRaster:
        """The buildings about the car, to be shown."""
        ...

    def attend(self, positions: FloatArray, locked: bool) -> None:
        """See to it that the map is at hand where the car is, or where it may be: positions `(K, 2)` [m], the likeliest first."""
        ...

    def outside(self, pose: Pose2) -> str:
        """Why there is no map at a pose; empty where there is."""
        ...


class OneArea:
    """An area with its model, all of it in memory."""

    def __init__(
        self, area: AreaMap, model: Checkpoint, config: LocalizerConfig, area_path: Path | None = None, network: Network | None = None
    ) -> None:
        """Loaded and ready.

        Args:
            area: the map.
            model: trained on it.
            config: all settings.
            area_path: the area's file, beside which its rasters are kept; without it they are made in memory.
            network: asked in place of the model's own.

        Raises:
            ModelError: the model was trained on another area.
            ConfigurationError: device cuda, but there is no GPU.
        """
        model.check_area(area, str(area_path or "the area"))
        self.area, self.trained = area, model.config
        self.raster = BuildingRaster.from_area(area, config.raster, raster_cache(area_path) if area_path else None)
        self.verifier = Verifier(area, self.raster, config.verification)
        self.network = network or Inference(model.network, choose_device(config.device))

    def attend(self, positions: FloatArray, locked: bool) -> None:
        """Everything is at hand."""

    def outside(self, pose: Pose2) -> str:
        """See `Ground`."""
        west, south, east, north = self.area.bounds
        inside = west <= pose.x <= east and south <= pose.y <= north
        return "" if inside else "the car has left the area"
