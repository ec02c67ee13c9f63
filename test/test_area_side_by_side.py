# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Several maps as one, and generated towns."""

from __future__ import annotations

import numpy as np
import shapely
from towns import crossing, one_block

from urban_map_loc.area.side_by_side import GAP_M, side_by_side
from urban_map_loc.simulation.towns import generated_towns


def test_maps_stand_beside_each_other_and_keep_their_shapes() -> None:
    first, others = one_block(), [crossing(), one_block(), crossing()]
    area = side_by_side(first, others, columns=2)
    counts = [len(a.buildings) for a in (first, *others)]
    assert len(area.buildings) == sum(counts)
    assert len(area.roads) == sum(len(a.roads) for a in (first, *others))
    assert len(set(area.building_ids)) == len(area.building_ids)
    # Moved as a whole: each map's buildings have the same places relative to each other, to the centimetre.
    begin = 0
    for original, count in zip((first, *others), counts, strict=True):
        moved = area.buildings[begin : begin + count]
        shift = shapely.get_coordinates(moved) - shapely.get_coordinates(original.buildings)
        np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=0.02)
        begin += count
    west, _, east, _ = first.bounds
    assert shapely.total_bounds(area.buildings[counts[0] :])[0] >= east + GAP_M - 0.1
    np.testing.assert_allclose(shapely.get_coordinates(area.buildings[: counts[0]]), shapely.get_coordinates(first.buildings), atol=1e-6)
    assert west < east


def test_generated_towns_are_the_same_for_the_same_seed() -> None:
    area = generated_towns(3, 5)
    assert area.content_hash == generated_towns(3, 5).content_hash != generated_towns(3, 6).content_hash
    assert len(area.buildings) > 500
