# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The other systems that this one is compared with: a section each, and what they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import pi

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class AnswersConfig(Section):
    """How the systems' ranked poses become distinct answers."""

    distinct_m: float = setting(4.0, "answers nearer than this to a better one, and heading as it does, are left out", unit="m", low=0.0)
    distinct_rad: float = setting(pi / 6, "headings nearer than this are the same", unit="rad", low=0.0, high=pi)
    looked_through: int = setting(4000, "so many of the best poses are looked through for distinct ones", low=1)
    region_m: float = setting(8.0, "half the side of the region about an answer: as large as MapNet's cells", unit="m", low=0.1)


@dataclass(frozen=True)
class ReferencesConfig(Section):
    """Where retrieval systems look at the map: along the roads, as MapNet's cells do."""

    spacing_m: float = setting(3.0, "distance between views along roads, as MapNet's", unit="m", low=0.5, high=50.0)
    headings: int = setting(
        8, "headings in which each place is looked at, for descriptors that do not survive turning; 45 degrees apart", low=1, high=72
    )


@dataclass(frozen=True)
class QuestionsConfig(Section):
    """Which scans of a drive the systems are asked about."""

    at_most: int = setting(1500, "scans of a bag; of more, so many are taken evenly: neighbours hardly differ", low=1)
    previous_m: float = setting(8.0, "how far back the previous view of systems that use one lies", unit="m", low=0.1, high=100.0)


@dataclass(frozen=True)
class RingMatchConfig(Section):
    """The FFT ring match."""

    spacing_m: float = setting(2.0, "distance between places along roads", unit="m", low=0.2, high=50.0)
    directions: int = setting(180, "directions of a ring, and headings tried: 2 degrees, 1.7 m at 50 m", low=16, high=720)
    sigma_m: float = setting(
        3.0,
        "how far apart ranges fit: a car's distance from the road's middle, and the map's errors; on tiles drawn from a map 2.5 and 4 do "
        "as well, and 1.5 loses a tenth of the recall",
        unit="m",
        low=0.1,
    )
    open_fit: float = setting(
        0.3, "what a direction counts in which scan and map see no wall; one in which both see the same wall counts 1", low=0.0, high=1.0
    )
    range_step_m: float = setting(3.0, "steps of range, between which fits are interpolated; at most sigma_m", unit="m", low=0.2)


@dataclass(frozen=True)
class BuildingDistanceConfig(Section):
    """Cho et al.'s descriptor of distances to buildings."""

    spacing_m: float = setting(1.0, "distance between places along roads", unit="m", low=0.2, high=50.0)
    directions: int = setting(360, "angles of the descriptor: 1 degree, as in the paper", low=16, high=720)
    key_step_m: float = setting(5.0, "width of the distance histogram's bins in the rotation-invariant key", unit="m", low=0.5)
    candidates: int = setting(500, "places that the key hands on to the descriptor", low=1)


@dataclass(frozen=True)
class MapNetPlusConfig(Section):
    """MapNet+ among the systems."""

    drive_share: float = setting(0.3, "share of the budget that goes on the drives, after the map", low=0.05, high=0.95)


@dataclass(frozen=True)
class BaselinesConfig(Section):
    """All of them."""

    questions: QuestionsConfig = field(default_factory=QuestionsConfig)
    answers: AnswersConfig = field(default_factory=AnswersConfig)
    ring_match: RingMatchConfig = field(default_factory=RingMatchConfig)
    building_distance: BuildingDistanceConfig = field(default_factory=BuildingDistanceConfig)
    mapnet_plus: MapNetPlusConfig = field(default_factory=MapNetPlusConfig)
    references: ReferencesConfig = field(default_factory=ReferencesConfig)
