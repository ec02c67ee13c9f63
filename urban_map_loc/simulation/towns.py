# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Many generated towns as one area: what the packaged weights of MapNet are trained on."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from math import ceil, sqrt
from pathlib import Path

import numpy as np

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.osm import read_osm
from urban_map_loc.area.side_by_side import side_by_side
from urban_map_loc.simulation.town import write_town

# Every third town lacks up to this share of its houses: suburbs.
THINNED, EVERY = 0.6, 3


def generated_towns(count: int, seed: int) -> AreaMap:
    """`count` towns of about 0.45 km2 each, side by side, every third of them thinned; the same for the same seed."""
    random = np.random.default_rng(seed)
    towns = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "town.osm"
        for number in range(count):
            write_town(path, int(random.integers(2**31)))
            town = read_osm(path)
            towns.append(_thinned(town, random.uniform(0.0, THINNED), random) if number % EVERY == EVERY - 1 else town)
    return side_by_side(towns[0], towns[1:], ceil(sqrt(count)))


def _thinned(town: AreaMap, share: float, random: np.random.Generator) -> AreaMap:
    """The town without a random share of its buildings."""
    kept = random.random(len(town.buildings_wgs84)) >= share
    names = ("buildings_wgs84", "building_heights", "building_ids", "building_min_heights")
    return replace(town, **{name: getattr(town, name)[kept] for name in names})
