"""The world of a simulated drive: an area's buildings as they might really stand, and what no map knows beside the roads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, affinity

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import SimulationConfig
from urban_map_loc.simulation.solids import Mesh, boxes, cars, prism, tree

REACH_M = 140.0  # of the world about the route: further than any sensor sees
CORRIDOR_M = 1.8  # half the way kept free for the car, through buildings too where map and route disagree
KERB_M = {"motorway": 8.0, "trunk": 6.5, "primary": 5.5, "secondary": 5.0, "tertiary": 4.2}  # from the road's middle to parked cars
KERB_OTHERS_M = 3.0
PLACE_M = 6.5  # length of a kerb place
CAR_FROM_ROADS_M = 1.7  # parked cars stand at least this far from the middle of every road
TREE_BEHIND_KERB_M = 2.0
HEDGE_BEHIND_KERB_M = 3.2


@dataclass(frozen=True, eq=False)
class World:
    """Meshes by what they are: `ground`, `buildings`, `things` (vehicles, trunks), `leaves` (crowns, hedges: rays may pass)."""

    ground: Mesh
    buildings: Mesh
    things: Mesh
    leaves: Mesh


def build_world(area: AreaMap, route: LineString, config: SimulationConfig, rng: np.random.Generator) -> World:
    """The world within sight of a route (`map` frame)."""
    corridor = route.buffer(CORRIDOR_M)
    shifts = rng.normal(0.0, config.building_shift_m, (len(area.buildings), 2))
    heights = _heights(area, rng)
    near = shapely.dwithin(area.buildings, route, REACH_M)
    footprints, tops = [], []
    for building, shift, height in zip(area.buildings[near], shifts[near], heights[near], strict=True):
        moved = affinity.translate(building, *shift)
        for part in shapely.get_parts(moved.difference(corridor) if moved.intersects(corridor) else moved):
            if part.geom_type == "Polygon" and part.area > 0.5:
                footprints.append(part)
                tops.append(float(height))
    things, leaves = _roadside(area, route, np.array(footprints, dtype=object), config, rng)
    west, south, east, north = shapely.bounds(route) + np.array([-1.0, -1.0, 1.0, 1.0]) * 2.0 * REACH_M
    floor = Mesh(np.array([[west, south, 0], [east, south, 0], [east, north, 0], [west, north, 0.0]]), np.array([[0, 1, 2], [0, 2, 3]]))
    return World(floor, Mesh.joined([prism(f, 0.0, top) for f, top in zip(footprints, tops, strict=True)]), things, leaves)


def _heights(area: AreaMap, rng: np.random.Generator) -> NDArray[np.float64]:
    """The tagged heights, elsewhere plausible ones: sheds low, houses two storeys, large buildings higher [m]."""
    size = shapely.area(area.buildings)
    typical = np.interp(size, [0.0, 30.0, 60.0, 150.0, 800.0], [2.6, 2.9, 6.5, 8.5, 13.0])
    guessed = np.clip(typical * rng.lognormal(0.0, 0.2, len(size)), 2.3, 40.0)
    return np.where(np.isfinite(area.building_heights), area.building_heights, guessed)


@dataclass(frozen=True, eq=False)
class _Places:
    """Kerb places along both sides of the roads: poses `(N, 3)` on the road's middle, kerb offset `(N,)` signed, left positive [m]."""

    poses: NDArray[np.float64]
    kerb_m: NDArray[np.float64]

    def beside(self, behind_m: float, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        poses = self.poses[chosen].copy()
        offset = self.kerb_m[chosen] + np.sign(self.kerb_m[chosen]) * behind_m
        poses[:, 0] -= np.sin(poses[:, 2]) * offset
        poses[:, 1] += np.cos(poses[:, 2]) * offset
        return poses


def _places(area: AreaMap, route: LineString, rng: np.random.Generator) -> _Places:
    poses, kerbs = [np.zeros((0, 3))], [np.zeros(0)]
    near = shapely.dwithin(area.roads, route, REACH_M)
    for road, kind in zip(area.roads[near], area.road_classes[near], strict=True):
        along = np.arange(PLACE_M, road.length - PLACE_M, PLACE_M)
        if not len(along):
            continue
        here = shapely.get_coordinates(shapely.line_interpolate_point(road, along))
        ahead = shapely.get_coordinates(shapely.line_interpolate_point(road, along + 0.5))
        yaw = np.arctan2(*(ahead - here).T[::-1])
        kerb = KERB_M.get(str(kind).removesuffix("_link"), KERB_OTHERS_M)
        for side in (1.0, -1.0):
            poses.append(np.column_stack([here, yaw]))
            kerbs.append(side * (kerb + rng.normal(0.0, 0.15, len(along))))
    return _Places(np.concatenate(poses), np.concatenate(kerbs))


def _roadside(
    area: AreaMap, route: LineString, footprints: NDArray[np.object_], config: SimulationConfig, rng: np.random.Generator
) -> tuple[Mesh, Mesh]:
    """Things and leaves beside the roads, none in a building or on the car's way."""
    places = _places(area, route, rng)
    buildings, roads = shapely.STRtree(footprints), shapely.STRtree(area.roads)

    def free(poses: NDArray[np.float64], sizes: NDArray[np.float64], from_roads_m: float) -> NDArray[np.bool_]:
        shapes = _rectangles(poses, sizes)
        good = shapely.distance(shapes, route) > CORRIDOR_M
        good[buildings.query(shapes, predicate="intersects")[0]] = False
        good[roads.query(shapes, predicate="dwithin", distance=from_roads_m)[0]] = False
        return good

    count = len(places.kerb_m)
    chance = rng.random((count, 3))
    parked = places.beside(0.0, chance[:, 0] < config.parked_cars)
    parked[:, 2] += rng.normal(0.0, 0.03, len(parked))
    vans = np.where(rng.random((len(parked), 1)) < 0.1, [1.2, 1.1, 1.5], 1.0)
    car_sizes = rng.normal([4.4, 1.8, 1.5], [0.3, 0.06, 0.1], (len(parked), 3)) * vans
    keep = free(parked, car_sizes, CAR_FROM_ROADS_M)
    parked, car_sizes = parked[keep], car_sizes[keep]

    trunks = places.beside(TREE_BEHIND_KERB_M, chance[:, 1] < config.trees)
    trunks[:, :2] += rng.normal(0.0, 0.4, (len(trunks), 2))
    trunk_sizes = np.column_stack([*2 * [rng.uniform(0.2, 0.5, len(trunks))], rng.uniform(1.8, 3.2, len(trunks))])
    keep = free(trunks, trunk_sizes + [1.0, 1.0, 0.0], CAR_FROM_ROADS_M)
    trunks, trunk_sizes = trunks[keep], trunk_sizes[keep]

    hedges = places.beside(HEDGE_BEHIND_KERB_M, chance[:, 2] < config.hedges)
    hedge_sizes = rng.uniform([3.0, 0.3, 0.8], [PLACE_M, 1.0, 2.2], (len(hedges), 3))
    keep = free(hedges, hedge_sizes, CAR_FROM_ROADS_M)
    crowns = [
        tree(x, y, float(rng.uniform(1.2, 2.8)), float(trunk[2]), float(trunk[2] + rng.uniform(2.5, 6.0)))
        for (x, y, _), trunk in zip(trunks, trunk_sizes, strict=True)
    ]
    return (
        Mesh.joined([cars(parked, car_sizes), boxes(trunks, trunk_sizes)]),
        Mesh.joined([boxes(hedges[keep], hedge_sizes[keep]), *crowns]),
    )


def _rectangles(poses: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.object_]:
    corners = boxes(poses, sizes).vertices.reshape(-1, 8, 3)[:, :4, :2]
    shapes: NDArray[np.object_] = shapely.polygons(corners)
    return shapes
