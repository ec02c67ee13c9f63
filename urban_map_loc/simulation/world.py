# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The world of a simulated drive: an area's buildings as they might really stand, and what no map knows beside the roads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Polygon, affinity

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import SimulationConfig
from urban_map_loc.simulation.map_errors import detailed, new_buildings
from urban_map_loc.simulation.roadside import CORRIDOR_M, roadside, thicket
from urban_map_loc.simulation.solids import Mesh, prism
from urban_map_loc.simulation.terrain import Terrain

REACH_M = 140.0  # of the world about the route: further than any sensor sees
FOUNDATION_M = 0.5  # walls go on so far below the lowest ground


@dataclass(frozen=True, eq=False)
class World:
    """Meshes by what they are, on the `terrain`.

    `ground`, `buildings`, `things` (vehicles), `leaves` (crowns, hedges: rays may pass), `others` by class.
    """

    ground: Mesh
    buildings: Mesh
    things: Mesh
    leaves: Mesh
    others: Mapping[int, Mesh] = field(default_factory=dict)
    terrain: Terrain = field(default_factory=Terrain.level)


def build_world(area: AreaMap, route: LineString, config: SimulationConfig, rng: np.random.Generator) -> World:
    """The world within sight of a route (`map` frame)."""
    hills, gone, new, outlines = rng.spawn(4)  # of their own: what is not asked for leaves the rest as it is
    corridor, terrain = route.buffer(CORRIDOR_M), Terrain.hills(config.slope, hills)
    shifts = rng.normal(0.0, config.building_shift_m, (len(area.buildings), 2)) + rng.normal(0.0, config.map_shift_m, 2)
    heights = _heights(area, rng)
    near = shapely.dwithin(area.buildings, route, REACH_M)
    overgrown = near & (rng.random(len(near)) < config.overgrown) if config.overgrown > 0.0 else np.zeros(len(near), dtype=bool)
    near &= ~overgrown
    near &= gone.random(len(near)) >= config.demolished
    footprints, tops = [], []
    for building, shift, height in zip(area.buildings[near], shifts[near], heights[near], strict=True):
        moved = affinity.translate(building, *shift)
        if config.outline_detail_m > 0.0:
            moved = detailed(moved, config.outline_detail_m, outlines)
        for part in shapely.get_parts(moved.difference(corridor) if moved.intersects(corridor) else moved):
            if part.geom_type == "Polygon" and part.area > 0.5:
                footprints.append(part)
                tops.append(float(height))
    for footprint, height in new_buildings(area, route, REACH_M, CORRIDOR_M, round(config.new_buildings * int(near.sum())), new):
        footprints.append(footprint)
        tops.append(height)
    beside = roadside(area, route, REACH_M, np.array(footprints, dtype=object), config, rng)
    leaves = Mesh.joined([beside.leaves, thicket(area.buildings[overgrown], corridor, rng)])
    west, south, east, north = shapely.bounds(route) + np.array([-1.0, -1.0, 1.0, 1.0]) * 2.0 * REACH_M
    return World(
        terrain.ground(west, south, east, north),
        Mesh.joined([_on(terrain, footprint, top) for footprint, top in zip(footprints, tops, strict=True)]),
        terrain.lifted(beside.vehicles),
        terrain.lifted(leaves),
        {label: terrain.lifted(mesh) for label, mesh in beside.others.items()},
        terrain,
    )


def _on(terrain: Terrain, footprint: Polygon, height_m: float) -> Mesh:
    """A building on the ground: its roof is level, so high above the ground in its middle, and its walls reach below the lowest ground."""
    if terrain.is_level:
        return prism(footprint, 0.0, height_m)
    lowest = float(terrain.height(shapely.get_coordinates(footprint)).min()) - FOUNDATION_M
    middle = float(terrain.height(shapely.get_coordinates(footprint.centroid))[0])
    return prism(footprint, lowest, max(middle, lowest + FOUNDATION_M) + height_m)


def _heights(area: AreaMap, rng: np.random.Generator) -> NDArray[np.float64]:
    """The tagged heights, elsewhere plausible ones: sheds low, houses two storeys, large buildings higher [m]."""
    size = shapely.area(area.buildings)
    typical = np.interp(size, [0.0, 30.0, 60.0, 150.0, 800.0], [2.6, 2.9, 6.5, 8.5, 13.0])
    guessed = np.clip(typical * rng.lognormal(0.0, 0.2, len(size)), 2.3, 40.0)
    return np.where(np.isfinite(area.building_heights), area.building_heights, guessed)
