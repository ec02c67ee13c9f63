# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What no map knows beside the roads: parked cars, trees, hedges, and on demand fences, poles, people, bushes and thickets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Polygon

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import SimulationConfig
from urban_map_loc.simulation.classes import FENCE, PERSON, POLE, TRUNK
from urban_map_loc.simulation.solids import Mesh, boxes, cars, tree

CORRIDOR_M = 1.8  # half the way kept free for the car, through buildings too where map and route disagree
KERB_M = {"motorway": 8.0, "trunk": 6.5, "primary": 5.5, "secondary": 5.0, "tertiary": 4.2}  # from the road's middle to parked cars
KERB_OTHERS_M = 3.0
PLACE_M = 6.5  # length of a kerb place
CAR_FROM_ROADS_M = 1.7  # what stands beside a road is at least this far from its middle
TREE_BEHIND_KERB_M = 2.0
HEDGE_BEHIND_KERB_M = 3.2
PLANT_M2, LARGEST_PLANT_M, MOST_PLANTS = 7.0, 2.5, 80  # of a thicket: ground for each, largest radius, number


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


def _places(area: AreaMap, route: LineString, reach_m: float, rng: np.random.Generator) -> _Places:
    poses, kerbs = [np.zeros((0, 3))], [np.zeros(0)]
    near = shapely.dwithin(area.roads, route, reach_m)
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


@dataclass(frozen=True, eq=False)
class Roadside:
    """Meshes of what stands beside the roads: `vehicles`, `leaves` (rays may pass), and solid `others` by class."""

    vehicles: Mesh
    leaves: Mesh
    others: dict[int, Mesh]


def roadside(
    area: AreaMap,
    route: LineString,
    reach_m: float,
    footprints: NDArray[np.object_],
    config: SimulationConfig,
    rng: np.random.Generator,
) -> Roadside:
    """What stands beside the roads within `reach_m` [m] of the route, none of it in a building or on the car's way."""
    places = _places(area, route, reach_m, rng)
    buildings, roads = shapely.STRtree(footprints), shapely.STRtree(area.roads)

    def free(poses: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.bool_]:
        shapes = _rectangles(poses, sizes)
        good = shapely.distance(shapes, route) > CORRIDOR_M
        good[buildings.query(shapes, predicate="intersects")[0]] = False
        good[roads.query(shapes, predicate="dwithin", distance=CAR_FROM_ROADS_M)[0]] = False
        return good

    count = len(places.kerb_m)
    chance = rng.random((count, 3))
    parked = places.beside(0.0, chance[:, 0] < config.parked_cars)
    parked[:, 2] += rng.normal(0.0, 0.03, len(parked))
    vans = np.where(rng.random((len(parked), 1)) < 0.1, [1.2, 1.1, 1.5], 1.0)
    car_sizes = rng.normal([4.4, 1.8, 1.5], [0.3, 0.06, 0.1], (len(parked), 3)) * vans
    keep = free(parked, car_sizes)
    vehicles = cars(parked[keep], car_sizes[keep])

    trunks = places.beside(TREE_BEHIND_KERB_M, chance[:, 1] < config.trees)
    trunks[:, :2] += rng.normal(0.0, 0.4, (len(trunks), 2))
    trunk_sizes = np.column_stack([*2 * [rng.uniform(0.2, 0.5, len(trunks))], rng.uniform(1.8, 3.2, len(trunks))])
    keep = free(trunks, trunk_sizes + [1.0, 1.0, 0.0])
    trunks, trunk_sizes = trunks[keep], trunk_sizes[keep]

    hedges = places.beside(HEDGE_BEHIND_KERB_M, chance[:, 2] < config.hedges)
    hedge_sizes = rng.uniform([3.0, 0.3, 0.8], [PLACE_M, 1.0, config.hedge_height_m], (len(hedges), 3))
    keep = free(hedges, hedge_sizes)
    crowns = [
        tree(x, y, float(rng.uniform(1.2, 2.8)), float(trunk[2]), float(trunk[2] + rng.uniform(2.5, 6.0)))
        for (x, y, _), trunk in zip(trunks, trunk_sizes, strict=True)
    ]
    leaves = [boxes(hedges[keep], hedge_sizes[keep]), *crowns]

    # Kinds that are not there unless asked for: share of places, distance behind the kerb [m], smallest and largest size [m].
    others = {TRUNK: boxes(trunks, trunk_sizes)}
    for label, share, behind, small, large in (
        (FENCE, config.fences, (0.8, 6.0), (PLACE_M, 0.04, 0.7), (PLACE_M, 0.3, 2.1)),
        (POLE, config.poles, (0.4, 1.5), (0.08, 0.08, 2.2), (0.35, 0.35, 9.0)),
        (PERSON, config.people, (0.3, 3.0), (0.3, 0.3, 1.1), (0.6, 0.5, 1.9)),
    ):
        others[label] = boxes(*_scattered(places, share, behind, (small, large), free, rng))
    bushes, sizes = _scattered(places, config.bushes, (0.8, 9.0), ((1.2, 1.2, 0.8), (4.5, 4.5, 5.0)), free, rng)
    leaves += [tree(x, y, 0.5 * width, 0.0, height) for (x, y, _), (width, _, height) in zip(bushes, sizes, strict=True)]
    return Roadside(vehicles, Mesh.joined(leaves), others)


def _scattered(
    places: _Places,
    share: float,
    behind_m: tuple[float, float],
    sizes_m: tuple[tuple[float, ...], tuple[float, ...]],
    free: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Poses and sizes `(N, 3)` of one kind of thing at a share of the kerb places; in gardens fences run on from place to place."""
    if share == 0.0:
        return np.zeros((0, 3)), np.zeros((0, 3))
    chosen = rng.random(len(places.kerb_m)) < share
    poses = places.beside(float(rng.uniform(*behind_m)), chosen)
    sizes = rng.uniform(*sizes_m, (len(poses), 3))
    keep = free(poses, sizes)
    return poses[keep], sizes[keep]


def thicket(footprints: NDArray[np.object_], corridor: Polygon, rng: np.random.Generator) -> Mesh:
    """Bushes and low trees where buildings stand in the map, as where it is out of date; clear of the car's way."""
    plants = []
    for footprint in footprints:
        west, south, east, north = footprint.bounds
        count = min(int(footprint.area / PLANT_M2) + 1, MOST_PLANTS)
        spots = rng.uniform((west, south), (east, north), (count, 2))
        inside = shapely.contains_xy(footprint, spots) & (shapely.distance(shapely.points(spots), corridor) > LARGEST_PLANT_M)
        for x, y in spots[inside]:
            plants.append(tree(x, y, float(rng.uniform(0.6, LARGEST_PLANT_M)), 0.0, float(rng.uniform(1.0, 9.0))))
    return Mesh.joined(plants)


def _rectangles(poses: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.object_]:
    corners = boxes(poses, sizes).vertices.reshape(-1, 8, 3)[:, :4, :2]
    shapes: NDArray[np.object_] = shapely.polygons(corners)
    return shapes
