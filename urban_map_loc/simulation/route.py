# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A car's drive along an area's roads: where it goes, how fast, and its pose over time."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.errors import AreaError
from urban_map_loc.geometry.trajectory import Trajectory

STEP_M = 0.5  # between samples of the path
CORNER_M = 5.0  # standard deviation of the smoothing that rounds corners
LANE_M = 1.7  # right of the road's middle
TOP_SPEED_M_S = 9.5
SLOWEST_M_S = 1.5
LATERAL_ACCELERATION_M_S2 = 2.0
ACCELERATION_M_S2 = 1.5
RATE_HZ = 20.0
FIRST_STAMP_S = 1.0  # ROS takes 0 for an unset stamp

Vertex = tuple[int, int]  # map position in centimetres


def town_route(area: AreaMap, seed: int, length_m: float) -> Trajectory:
    """A drive of about `length_m` [m] along the area's roads without turning back, preferring streets not yet seen.

    Raises:
        AreaError: the roads form no circuit, so that every drive would end in a dead end.
    """
    path = _lane(_walk(area, np.random.default_rng(seed), length_m))
    time_s, poses = _timed(path)
    return Trajectory.from_poses(time_s, poses, area.plane)


def _graph(area: AreaMap) -> dict[Vertex, set[Vertex]]:
    """Road vertices and their neighbours, dead ends pruned."""
    graph: dict[Vertex, set[Vertex]] = defaultdict(set)
    for road in area.roads:
        vertices = [(round(x * 100.0), round(y * 100.0)) for x, y in shapely.get_coordinates(road)]
        for a, b in pairwise(vertices):
            if a != b:
                graph[a].add(b)
                graph[b].add(a)
    ends = [v for v, near in graph.items() if len(near) < 2]
    while ends:
        end = ends.pop()
        for near in graph.pop(end, set()):
            graph[near].discard(end)
            if len(graph[near]) < 2:
                ends.append(near)
    return graph


def _walk(area: AreaMap, rng: np.random.Generator, length_m: float) -> NDArray[np.float64]:
    """Vertices `(N, 2)` [m] of a walk that never turns back."""
    graph = _graph(area)
    if not graph:
        raise AreaError("the area's roads form no circuit to drive; take a larger area")
    west, south, east, north = area.bounds
    middle = np.array([west + east, south + north]) * 50.0
    vertices = sorted(graph)
    nearest = sorted(vertices, key=lambda v: float(np.hypot(*(np.array(v) - middle))))
    here = nearest[int(rng.integers(0, max(len(nearest) // 4, 1)))]
    came = sorted(graph[here])[int(rng.integers(0, len(graph[here])))]
    visits: dict[frozenset[Vertex], int] = defaultdict(int)
    walk, driven = [here], 0.0
    while driven < length_m:
        onward = sorted(v for v in graph[here] if v != came)
        costs = [visits[frozenset((here, v))] + 0.8 * rng.random() + 0.1 * _sharpness(came, here, v) for v in onward]
        came, here = here, onward[int(np.argmin(costs))]
        visits[frozenset((came, here))] += 1
        driven += float(np.hypot(here[0] - came[0], here[1] - came[1])) / 100.0
        walk.append(here)
    return np.array(walk) / 100.0


def _sharpness(a: Vertex, b: Vertex, c: Vertex) -> float:
    """0 straight on, 2 for a hairpin at b."""
    one, two = np.subtract(b, a), np.subtract(c, b)
    return 1.0 - float(one @ two) / float(np.hypot(*one) * np.hypot(*two))


def _lane(walk: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points `(N, 2)` [m] about every STEP_M: corners rounded, in the right lane."""
    line = shapely.LineString(walk)
    samples = shapely.get_coordinates(shapely.line_interpolate_point(line, np.arange(0.0, line.length, STEP_M)))
    smooth = gaussian_filter1d(samples, CORNER_M / STEP_M, axis=0, mode="nearest")
    tangent = np.gradient(smooth, axis=0)
    tangent /= np.hypot(tangent[:, :1], tangent[:, 1:])
    lane = smooth + LANE_M * np.column_stack([tangent[:, 1], -tangent[:, 0]])
    return np.asarray(gaussian_filter1d(lane, LANE_M / STEP_M, axis=0, mode="nearest"))


def _timed(path: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stamps `(M,)` [s] and poses `(M, 3)` at RATE_HZ: slower in bends, bounded acceleration, from and to standstill."""
    step = np.hypot(*np.diff(path, axis=0).T)
    arc = np.concatenate([[0.0], np.cumsum(step)])
    yaw = np.unwrap(np.arctan2(*np.gradient(path, axis=0).T[::-1]))
    curvature = np.abs(np.gradient(yaw)) / np.maximum(np.gradient(arc), 1e-3)
    speed = np.clip(np.sqrt(LATERAL_ACCELERATION_M_S2 / np.maximum(curvature, 1e-6)), SLOWEST_M_S, TOP_SPEED_M_S)
    speed[[0, -1]] = SLOWEST_M_S
    for order in (range(1, len(speed)), range(len(speed) - 2, -1, -1)):
        towards = -1 if order.step > 0 else 1
        for k in order:
            reach = speed[k + towards] ** 2 + 2.0 * ACCELERATION_M_S2 * step[k - (order.step > 0)]
            speed[k] = min(speed[k], float(np.sqrt(reach)))
    at = np.concatenate([[0.0], np.cumsum(2.0 * step / (speed[:-1] + speed[1:]))])
    times = np.arange(0.0, at[-1], 1.0 / RATE_HZ)
    poses = np.column_stack([np.interp(times, at, column) for column in (path[:, 0], path[:, 1], yaw)])
    return times + FIRST_STAMP_S, poses
