# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The systems that `urban_map_loc benchmark` compares: a new one is its file and a line here."""

from __future__ import annotations

from collections.abc import Sequence

from urban_map_loc.baselines.bags_of_words import TreeHistogram, Vlad
from urban_map_loc.baselines.building_distance import BuildingDistance
from urban_map_loc.baselines.cvft import Cvft
from urban_map_loc.baselines.feature_match import FeatureMatch
from urban_map_loc.baselines.netvlad import NetVlad
from urban_map_loc.baselines.own_mapnet import MapNetCells, MapNetPlus, MapNetRegression, PackagedMapNet, VerifiedMapNet
from urban_map_loc.baselines.posenet import PoseNet
from urban_map_loc.baselines.ring_match import RingMatch
from urban_map_loc.baselines.system import System
from urban_map_loc.baselines.vlocnet import VLocNet
from urban_map_loc.errors import ConfigurationError

# In the order of the tables. Systems without training come first, so that their answers are there soon.
SYSTEMS: tuple[type[System], ...] = (
    RingMatch,
    BuildingDistance,
    FeatureMatch,
    Vlad,
    TreeHistogram,
    VerifiedMapNet,
    PackagedMapNet,
    MapNetCells,
    MapNetRegression,
    MapNetPlus,
    PoseNet,
    VLocNet,
    NetVlad,
    Cvft,
)


def key_of(system: type[System]) -> str:
    """A system's name as it stands in file names and after `--systems`: small letters, digits and hyphens."""
    words = "".join(c if c.isalnum() else "+" if c == "+" else " " for c in system.name.lower().replace("'", "")).split()
    return "-".join(words)


def systems_named(keys: Sequence[str]) -> list[type[System]]:
    """The systems of these keys, in the tables' order; all of them where none is given.

    Raises:
        ConfigurationError: there is none of that key.
    """
    known = {key_of(system): system for system in SYSTEMS}
    for key in keys:
        if key not in known:
            raise ConfigurationError(f"{key} is no system; choose among {', '.join(known)}")
    return [system for key, system in known.items() if not keys or key in keys]
