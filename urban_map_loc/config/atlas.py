# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Areas larger than one model: how they are split into regions, trained, and kept in memory while driving."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class RegionsConfig(Section):
    """How `area build --region-size` splits an area."""

    size_m: float = setting(
        1000.0,
        "side of the square that is a region's own: a model of it is some megabytes and is loaded in a fraction of a second",
        unit="m",
        low=100.0,
        high=20_000.0,
    )
    overlap_m: float = setting(
        150.0,
        "a region's map goes on so far beyond its own square: the recent drive (60 m) and what was seen from its far end (50 m) lie "
        "in the map of one region wherever the car is, and there is some road left on which to change over",
        unit="m",
        low=0.0,
        high=5000.0,
    )
    largest_reach_m: float = setting(
        100_000.0,
        "from the datum to the atlas's farthest corner: a plane's scale is off there by 0.012 %, 6 mm over a tile, and "
        "latitudes and longitudes come back to a millimetre",
        unit="m",
        low=1000.0,
        high=100_000.0,
    )


@dataclass(frozen=True)
class AtlasTrainingConfig(Section):
    """How the processes that train an atlas share its regions."""

    beat_s: float = setting(5.0, "a process that trains a region says so again this often", unit="s", low=0.1, high=600.0)
    silent_s: float = setting(
        60.0, "a region whose process has not said anything for so long is taken over: it or its machine is gone", unit="s", low=1.0
    )
    attempts: int = setting(3, "so many processes may die while they train a region before it is given up", low=1, high=100)


@dataclass(frozen=True)
class AtlasConfig(Section):
    """Which of an atlas's regions are in memory while a car drives."""

    regions_in_memory: int = setting(
        12, "at most so many; the least recently needed is dropped. A car needs four at a corner where they meet", low=4, high=10_000
    )
    load_ahead_m: float = setting(
        400.0,
        "a region is loaded as soon as the car is this near to it: 13 s at 30 m/s, and loading takes one at most",
        unit="m",
        low=0.0,
        high=20_000.0,
    )
    change_m: float = setting(
        20.0, "the car is this far inside another region before that one is tracked in: no to and fro along a border", unit="m", low=0.0
    )
    scouted_scans: int = setting(
        8, "without a first guess, the regions in which so many scans are most probable are loaded", low=1, high=1000
    )
