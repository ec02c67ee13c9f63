# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the localizer answers to a cloud."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.gnss_monitor import GnssVerdict
from urban_map_loc.tile.from_cloud import BuildingTile


class State(StrEnum):
    """`initializing`: never locked since start or reset; `locked`: an estimate is offered; `lost`: was locked, is not now."""

    INITIALIZING = "initializing"
    LOCKED = "locked"
    LOST = "lost"


@dataclass(frozen=True, eq=False)
class PoseEstimate:
    """A pose in the map with its uncertainty.

    Attributes:
        T_map_base: the pose.
        covariance: `(3, 3)` of east [m], north [m], yaw [rad].
        score: agreement with the map, 1 = every hit on a wall.
    """

    T_map_base: Pose2
    covariance: NDArray[np.float64]
    score: float


@dataclass(frozen=True, eq=False)
class Answer(PoseEstimate):
    """One of the places that a scan may have been made at.

    Attributes:
        by_hits: what it would be ranked by if what should be seen did not count.
    """

    by_hits: float


@dataclass(frozen=True, eq=False)
class Answers:
    """What one scan says by itself.

    Attributes:
        poses: the verified distinct ones, best first.
        guess: `(3,)` MapNet's own first guess of T_map_base, before the map was asked: east, north [m], yaw [rad].
        probability: what MapNet gives it.
    """

    poses: list[Answer]
    guess: NDArray[np.float64]
    probability: float


@dataclass(frozen=True, eq=False)
class LocalizationResult:
    """State, reason and everything that led to them, for one cloud.

    Attributes:
        stamp_s: the cloud's stamp [s].
        state: see `State`.
        reason: one line: why this state, or why the cloud was skipped.
        skipped: True where the cloud was not used.
        estimate: the fused pose at the cloud's stamp; None unless locked.
        single_scan: the best answer to this cloud alone; None where it was not asked for or nothing answered.
        hypotheses: `(K, 3)` poses `T_map_base` under consideration, best first: east, north [m], yaw [rad].
        scores: `(K,)` their agreement with the recent drive.
        tile: what the cloud shows about the car, as MapNet saw it, or None.
        timing_ms: duration of each stage [ms].
        gnss: what the monitor makes of the GNSS receiver.
        lost_because: while lost, why the lock was given up; `reason` says meanwhile how finding goes.
    """

    stamp_s: float
    state: State
    reason: str
    skipped: bool = False
    estimate: PoseEstimate | None = None
    single_scan: PoseEstimate | None = None
    hypotheses: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    tile: BuildingTile | None = None
    timing_ms: dict[str, float] = field(default_factory=dict)
    gnss: GnssVerdict = field(default_factory=GnssVerdict)
    lost_because: str = ""
