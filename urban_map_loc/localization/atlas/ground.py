# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""AtlasGround: which regions are in memory. The localizer's thread says where the car may be; other threads load, it never waits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from urban_map_loc.area.atlas import Atlas
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import LocalizerConfig, TrainConfig
from urban_map_loc.errors import ConfigurationError, ModelError, UrbanMapLocError
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.atlas.network import AtlasNetwork
from urban_map_loc.localization.atlas.region import ReadyRegion, ReadyRegions, load_region, require_models
from urban_map_loc.localization.atlas.scout import Scout
from urban_map_loc.localization.atlas.verifier import AtlasVerifier
from urban_map_loc.mapnet.inference import choose_device

LoadRegion = Callable[[Atlas, int, LocalizerConfig, torch.device], ReadyRegion]


class AtThisMoment(Executor):
    """Does what it is given at once, for runs that must not depend on how fast a machine loads."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `Executor`."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class AtlasGround:
    """An atlas as ground to localize on; see `Ground`.

    Where all regions may be in memory they are loaded at the start and stay. Else those near the car are, when it is known where that
    is; when not, those where first guesses and hypotheses are and those that the scout holds for the likeliest.

    Attributes:
        area: the atlas.
        trained: the settings of its models.
        ready: the regions in memory.
        failed: why a region could not be loaded, by its number.
    """

    def __init__(self, atlas: Atlas, config: LocalizerConfig, wait: bool = False, load: LoadRegion = load_region) -> None:
        """Made ready with the first regions.

        Args:
            atlas: its index.
            config: all settings.
            wait: load in the caller's thread, so that the same drive always gives the same answers.
            load: makes a region ready.

        Raises:
            AreaError, ModelError: regions are not trained, or their files damaged.
            ConfigurationError: the regions overlap by less than the recent drive and a tile reach, or there is no such device.
        """
        require_models(atlas)
        self.area, self._config, self._load = atlas, config, load
        self._device = choose_device(config.device)
        first = load(atlas, 0, config, self._device)
        self.trained: TrainConfig = first.trained
        reach_m = config.fusion.window_m + self.trained.tile.range_m
        if len(atlas.regions) > 1 and atlas.overlap_m < reach_m:
            raise ConfigurationError(
                f"the regions of {atlas.folder} overlap by {atlas.overlap_m:g} m, the recent drive and a tile reach {reach_m:g} m; "
                f"build it again with --region-overlap {reach_m:g} or more"
            )
        self.failed: dict[int, str] = {}
        self._loaded: dict[int, ReadyRegion] = {}  # the least recently needed first
        self._pending: dict[int, Future[ReadyRegion]] = {}
        self.ready = ReadyRegions(atlas.overlap_m)
        self.network = AtlasNetwork(self.ready, self._device)
        self.verifier = AtlasVerifier(self.ready, config.verification, config.atlas.change_m)
        self._scout, self._scouting = Scout(atlas, config.atlas.scouted_scans), Future[None]()
        self._scouting.set_result(None)
        # Two, so that no load waits for the scout.
        self._loader, self._watch = (AtThisMoment() if wait else ThreadPoolExecutor(1, name) for name in ("regions", "scout"))
        self._take(first)
        if len(atlas.regions) <= config.atlas.regions_in_memory:
            for number in range(1, len(atlas.regions)):
                self._take(load(atlas, number, config, self._device))
        self.ready.replace(list(self._loaded.values()))

    @property
    def raster(self) -> BuildingRaster:
        """The buildings about the car."""
        return self.verifier.current.verifier.raster

    def attend(self, positions: FloatArray, locked: bool) -> None:
        """See `Ground`. Takes what has been loaded meanwhile, asks for what is missing, drops what nobody needs; never waits."""
        if len(self._loaded) == len(self.area.regions):
            return
        self._settle()
        if locked:
            self._scout.forget()
            wanted = self._ahead(positions[:1])
        else:
            self._scout_newest()
            there, half = list(dict.fromkeys(self.area.owner(positions).tolist())), self._config.atlas.regions_in_memory // 2
            # Hypotheses are where maps are: they must not keep the scout's regions out.
            wanted = list(dict.fromkeys([*there[:half], *self._scout.likeliest(), *there[half:]]))
        wanted = [number for number in wanted if number not in self.failed][: self._config.atlas.regions_in_memory]
        for number in reversed(wanted):  # the most needed is the last to go
            if number in self._loaded:
                self._loaded[number] = self._loaded.pop(number)
        for number in wanted:
            if number not in self._loaded and number not in self._pending and self._make_room(wanted):
                self._pending[number] = self._loader.submit(self._load, self.area, number, self._config, self._device)
        self._settle()
        if {region.number for region in self.ready.regions} != self._loaded.keys():
            self.ready.replace(list(self._loaded.values()))

    def outside(self, pose: Pose2) -> str:
        """See `Ground`."""
        west, south, east, north = self.area.bounds
        if not (west <= pose.x <= east and south <= pose.y <= north):
            return "the car has left the area"
        position = np.array([[pose.x, pose.y]])
        (number,) = self.area.owner(position)
        if self.ready.owner(position)[0] >= 0 or self.area.distances_m(position)[0, number] > self.area.overlap_m:
            return ""  # in the second case OpenStreetMap has no building or no road there, as if within one large area
        return f"the map of region {self.area.regions[number].name} is not there: {self.failed.get(int(number), 'it is being loaded')}"

    def _ahead(self, position: FloatArray) -> list[int]:
        """The regions about a position `(1, 2)` [m], the nearest first."""
        distance = self.area.distances_m(position)[0]
        near = np.flatnonzero(distance <= max(self._config.atlas.load_ahead_m, self.area.overlap_m))
        return [int(number) for number in near[np.argsort(distance[near])]]

    def _scout_newest(self) -> None:
        """Have the newest tile looked at, unless an earlier one still is."""
        if self._scouting.done() and self.network.newest is not None:
            self._scouting.result()
            tile, self.network.newest = self.network.newest, None
            self._scouting = self._watch.submit(self._scout.look, tile, self.ready.regions[0])

    def _make_room(self, wanted: list[int]) -> bool:
        """Whether one more region may be loaded; drops the least recently needed for it."""
        if len(self._loaded) + len(self._pending) < self._config.atlas.regions_in_memory:
            return True
        for number in self._loaded if len(self._loaded) > 1 else ():  # there is always some ground to stand on
            if number not in wanted:
                del self._loaded[number]
                return True
        return False

    def _settle(self) -> None:
        """Take the regions that have been loaded."""
        for number in [number for number, future in self._pending.items() if future.done()]:
            try:
                self._take(self._pending.pop(number).result())
            except UrbanMapLocError as error:
                self.failed[number] = str(error)
            except Exception as error:
                self.failed[number] = f"unexpected {type(error).__name__}: {error}; please report it"

    def _take(self, region: ReadyRegion) -> None:
        if region.trained.tile != self.trained.tile or region.trained.network != self.trained.network:
            raise ModelError(
                f"{self.area.regions[region.number].model} was trained with other settings than the first region; train the atlas again"
            )
        # Equal weights are kept once.
        trunk = next((other.trunk for other in self._loaded.values() if other.weights == region.weights), region.trunk)
        self._loaded[region.number] = replace(region, trunk=trunk)
