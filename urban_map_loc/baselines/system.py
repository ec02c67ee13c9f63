# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""System: what every system that is compared here is asked, what it answers, and what all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import BaselinesConfig, TrainConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.kernels import distinct
from urban_map_loc.mapnet.hypotheses import Hypotheses, empty
from urban_map_loc.training.batches import TileBatches
from urban_map_loc.training.drive_tiles import DriveTiles
from urban_map_loc.training.schedule import spent

# Share done, 0 to 1, and a few words on how it goes.
Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class PreviousView:
    """What the car saw some metres before.

    Attributes:
        tile: `(S, S)` or `(C, S, S)` uint8.
        T_previous_base: where the car is now, seen from where it was, by odometry.
    """

    tile: NDArray[np.uint8]
    T_previous_base: Pose2


@dataclass(frozen=True, eq=False)
class Query:
    """What a system is asked: where was this scan made?

    Attributes:
        tile: `(S, S)` or `(C, S, S)` uint8, as `ScanRenderer` and `MapRenderer` draw it.
        points: `(N, 2)` [m] wall hits in the base frame, at most one a ray, finite.
        previous: what was seen before, for systems that use it; None at a drive's start.
    """

    tile: NDArray[np.uint8]
    points: FloatArray
    previous: PreviousView | None = None


@dataclass(frozen=True)
class Budget:
    """How long a system may learn: minutes of training, or optimizer steps; the other is 0.

    Raises:
        ConfigurationError: both or neither.
    """

    minutes: float = 0.0
    steps: int = 0

    def __post_init__(self) -> None:
        if (self.minutes > 0.0) == (self.steps > 0):
            raise ConfigurationError("give either minutes or steps of training, not both and not neither")

    def share(self, steps: int, seconds: float) -> float:
        """Share that is spent after so many steps and seconds, 0 to 1."""
        return spent(steps, seconds, self.steps, self.minutes)


@dataclass(frozen=True, eq=False)
class SharedGround:
    """What all systems share of an area.

    Attributes:
        area: whose map is known.
        config: tile, rasters, scan effects, sampler, MapNet: as for a MapNet that is trained.
        settings: the systems' own numbers, a section each.
        batches: tiles at poses on the roads, their renderer and the position cells.
        cache: folder for the area's rasters, see `BuildingRaster.from_area`.
        device: where networks compute.
        seed: of everything that is drawn.
        drives: what the car saw on the drives that are asked about, with odometry alone, for systems that learn from drives.
    """

    area: AreaMap
    config: TrainConfig
    settings: BaselinesConfig
    batches: TileBatches
    cache: Path | None
    device: torch.device
    seed: int
    drives: Sequence[DriveTiles] = ()

    @classmethod
    def of(
        cls, area: AreaMap, config: TrainConfig, settings: BaselinesConfig, device: torch.device, seed: int = 0, cache: Path | None = None
    ) -> SharedGround:
        """Rasters and cells are made here, once for all systems.

        Raises:
            AreaError: no drivable road.
        """
        return cls(area, config, settings, TileBatches(area, config, cache), cache, device, seed)


class System(ABC):
    """A system that tells from one scan where in the area the car is.

    It is made, then trained if it `learns`, then indexed, then asked. Instead of training and indexing, `load_tensors` takes what
    `tensors` gave.

    Attributes:
        name: the row of the table, short.
        source: where it was published.
        learns: False where a budget changes nothing.
        draws: False where a seed changes nothing.
        learns_from_drives: whether `SharedGround.drives` are used.
        steps: optimizer steps done.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    learns: ClassVar[bool]
    draws: ClassVar[bool] = True
    learns_from_drives: ClassVar[bool] = False

    def __init__(self, ground: SharedGround) -> None:
        self.ground = ground
        self.steps = 0

    def train(self, budget: Budget, state: Path, progress: Progress) -> None:
        """Learn until the budget is spent, from where `state` left off if that file is there; sets `steps`.

        An interrupted training leaves `state` and raises KeyboardInterrupt; a finished one leaves none.

        Raises:
            ModelError: the loss is not finite, or `state` is damaged or of another training.
        """
        if self.learns:
            raise NotImplementedError(f"{self.name} learns, but says not how")

    @abstractmethod
    def index(self, progress: Progress) -> None:
        """Make of the map, once, what queries are compared with; may be nothing."""

    @abstractmethod
    def guesses(self, query: Query, count: int) -> Hypotheses:
        """At most `count` distinct poses where the scan may have been made, best first; see `ranked_hypotheses`."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Everything that `guesses` needs besides the ground: what is kept in a file, and whose bytes are the system's size."""

    @abstractmethod
    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take what `tensors` gave, in the place of training and indexing."""


def ranked_hypotheses(poses: FloatArray, scores: FloatArray, count: int, settings: BaselinesConfig) -> Hypotheses:
    """At most `count` distinct poses of `(K, 3)`, by descending `scores (K,)`: without it the best twenty are all of one place.

    The systems state no probability: the scores' softmax is taken, and the regions are all of one size.
    """
    cfg = settings.answers
    # Near one another at the top of the list: sorting all of many thousands would cost more than the search.
    enough = min(len(scores), max(cfg.looked_through, count))
    if enough == 0:
        return empty()
    top = np.argpartition(-scores, enough - 1)[:enough]
    order = top[np.argsort(-scores[top], kind="stable")]
    poses = np.ascontiguousarray(poses, dtype=np.float64)
    kept = distinct(poses, order.astype(np.int64), count, cfg.distinct_m, cfg.distinct_rad)
    best = np.asarray(scores[kept], dtype=np.float64)
    log_probability = best - best.max() - np.log(np.sum(np.exp(best - best.max())))
    position = poses[kept, :2]
    region = np.column_stack([position - cfg.region_m, position + cfg.region_m])
    spread = np.diag([cfg.region_m**2 / 3.0, cfg.region_m**2 / 3.0, cfg.distinct_rad**2])
    return Hypotheses(poses[kept], log_probability, region, np.repeat(spread[None], len(kept), axis=0))
