# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where the world differs from the map."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from towns import crossing

from urban_map_loc.config import WORLDS, SimulationConfig, simulation_config
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.simulation.map_errors import detailed, new_buildings
from urban_map_loc.simulation.world import build_world

AREA = crossing()
ROUTE = shapely.LineString([(-110.0, -1.6), (110.0, -1.6)])
HOUSE = shapely.box(0.0, 0.0, 24.0, 10.0)
COURT = HOUSE.difference(shapely.box(8.0, 3.0, 16.0, 7.0))


def walls(**changes):
    exact = {"building_shift_m": 0.0, "map_shift_m": 0.0, "parked_cars": 0.0, "trees": 0.0, "hedges": 0.0}
    return build_world(AREA, ROUTE, SimulationConfig(**(exact | changes)), np.random.default_rng(1)).buildings.vertices


def test_demolished_buildings_are_gone_and_the_others_stand_as_before():
    assert not len(walls(demolished=1.0))
    all_of_them, half = walls(), walls(demolished=0.5)
    assert 0.2 < len(half) / len(all_of_them) < 0.8
    assert {tuple(corner) for corner in half} < {tuple(corner) for corner in all_of_them}


@given(st.sampled_from([HOUSE, COURT]), st.floats(0.1, 2.0), st.integers(0, 1000))
def test_outlines_keep_their_place(footprint, depth, seed):
    changed = detailed(footprint, depth, np.random.default_rng(seed))
    assert changed.is_valid
    assert changed.geom_type == "Polygon"
    assert len(changed.interiors) >= len(footprint.interiors) or depth > 0.5
    assert changed.hausdorff_distance(footprint) < 5.0 * depth
    assert shapely.intersection(changed, footprint).area > 0.3 * footprint.area


def test_details_stand_before_and_behind_the_outline():
    changes = [detailed(HOUSE, 0.5, np.random.default_rng(seed)) for seed in range(40)]
    outwards = np.array([c.difference(HOUSE).area for c in changes])
    inwards = np.array([HOUSE.difference(c).area for c in changes])
    assert (outwards > 0.0).any()
    assert (inwards > 0.0).any()
    assert outwards.mean() == pytest.approx(inwards.mean(), rel=0.6)


def test_new_buildings_are_clear_of_everything():
    built = new_buildings(AREA, ROUTE, 140.0, 1.8, 12, np.random.default_rng(0))
    assert 3 <= len(built) <= 12
    shapes = [shape for shape, _ in built]
    everything = shapely.union_all([*AREA.buildings, *AREA.roads, ROUTE])
    assert min(shape.distance(everything) for shape in shapes) > 0.4
    assert all(a.distance(b) > 0.4 for k, a in enumerate(shapes) for b in shapes[:k])
    assert len(walls(new_buildings=0.3)) > len(walls())
    assert not new_buildings(AREA, ROUTE, 140.0, 1.8, 0, np.random.default_rng(0))


def test_houses_stand_on_hills():
    level, hills = walls(), walls(slope=0.05)
    np.testing.assert_array_equal(level[:, :2], hills[:, :2])  # the same outlines
    assert level[:, 2].min() == 0.0
    assert np.ptp(hills[:, 2]) > np.ptp(level[:, 2]) + 1.0


def test_worlds_to_choose_from():
    assert simulation_config("plain", {}) == SimulationConfig()
    street = simulation_config("street", {"slope": 0.0})
    assert street.slope == 0.0
    assert street.people > 0.0
    for name in WORLDS:
        with pytest.raises(ConfigurationError, match="steepness"):
            simulation_config(name, {"steepness": 1.0})
