"""The world of a simulated drive: an area's buildings as they might really stand, and what no map knows beside the roads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, affinity

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import SimulationConfig
from urban_map_loc.simulation.roadside import CORRIDOR_M, roadside, thicket
from urban_map_loc.simulation.solids import Mesh, prism

REACH_M = 140.0  # of the world about the route: further than any sensor sees


@dataclass(frozen=True, eq=False)
class World:
    """Meshes by what they are: `ground`, `buildings`, `things` (vehicles), `leaves` (crowns, hedges: rays may pass), `others` by class."""

    ground: Mesh
    buildings: Mesh
    things: Mesh
    leaves: Mesh
    others: Mapping[int, Mesh] = field(default_factory=dict)


def build_world(area: AreaMap, route: LineString, config: SimulationConfig, rng: np.random.Generator) -> World:
    """The world within sight of a route (`map` frame)."""
    corridor = route.buffer(CORRIDOR_M)
    shifts = rng.normal(0.0, config.building_shift_m, (len(area.buildings), 2)) + rng.normal(0.0, config.map_shift_m, 2)
    heights = _heights(area, rng)
    near = shapely.dwithin(area.buildings, route, REACH_M)
    overgrown = near & (rng.random(len(near)) < config.overgrown) if config.overgrown > 0.0 else np.zeros(len(near), dtype=bool)
    near &= ~overgrown
    footprints, tops = [], []
    for building, shift, height in zip(area.buildings[near], shifts[near], heights[near], strict=True):
        moved = affinity.translate(building, *shift)
        for part in shapely.get_parts(moved.difference(corridor) if moved.intersects(corridor) else moved):
            if part.geom_type == "Polygon" and part.area > 0.5:
                footprints.append(part)
                tops.append(float(height))
    beside = roadside(area, route, REACH_M, np.array(footprints, dtype=object), config, rng)
    leaves = Mesh.joined([beside.leaves, thicket(area.buildings[overgrown], corridor, rng)])
    west, south, east, north = shapely.bounds(route) + np.array([-1.0, -1.0, 1.0, 1.0]) * 2.0 * REACH_M
    floor = Mesh(np.array([[west, south, 0], [east, south, 0], [east, north, 0], [west, north, 0.0]]), np.array([[0, 1, 2], [0, 2, 3]]))
    return World(
        floor, Mesh.joined([prism(f, 0.0, top) for f, top in zip(footprints, tops, strict=True)]), beside.vehicles, leaves, beside.others
    )


def _heights(area: AreaMap, rng: np.random.Generator) -> NDArray[np.float64]:
    """The tagged heights, elsewhere plausible ones: sheds low, houses two storeys, large buildings higher [m]."""
    size = shapely.area(area.buildings)
    typical = np.interp(size, [0.0, 30.0, 60.0, 150.0, 800.0], [2.6, 2.9, 6.5, 8.5, 13.0])
    guessed = np.clip(typical * rng.lognormal(0.0, 0.2, len(size)), 2.3, 40.0)
    return np.where(np.isfinite(area.building_heights), area.building_heights, guessed)
