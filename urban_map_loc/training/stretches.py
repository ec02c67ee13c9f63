# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Stretches of drives: smooth paths along the road graph, through junctions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.geometry.pose2 import FloatArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RoadGraph:
    """The drivable roads as directed edges; edge `2 k` runs along a piece of road, `2 k + 1` back along it.

    One-way roads may be driven both ways: maps err there, and a tile seen against the traffic is a good tile.

    Attributes:
        start: `(E, 2)` [m] where an edge begins, `map` frame.
        along: `(E, 2)` [m] from there to its end.
        end_node: `(E,)` node at its end.
        first: `(V + 1,)` the edges that leave node v are `leaving[first[v] : first[v + 1]]`.
        leaving: `(E,)`.
    """

    start: FloatArray
    along: FloatArray
    end_node: IntArray
    first: IntArray
    leaving: IntArray

    @classmethod
    def from_area(cls, area: AreaMap) -> RoadGraph:
        """Roads meet where they share a point, as in OpenStreetMap."""
        coordinates, road = shapely.get_coordinates(area.roads, return_index=True)
        points, node = np.unique(coordinates, axis=0, return_inverse=True)
        pieces = np.flatnonzero((road[1:] == road[:-1]) & (coordinates[1:] != coordinates[:-1]).any(axis=1))
        ends = np.stack([node[pieces], node[pieces + 1]], axis=1)
        ends = np.stack([ends, ends[:, ::-1]], axis=1).reshape(-1, 2)
        leaving = np.argsort(ends[:, 0], kind="stable")
        first = np.searchsorted(ends[leaving, 0], np.arange(len(points) + 1))
        return cls(points[ends[:, 0]], points[ends[:, 1]] - points[ends[:, 0]], ends[:, 1], first, leaving)

    @property
    def lengths(self) -> FloatArray:
        """Length `(E,)` [m] of each edge."""
        return np.asarray(np.hypot(*self.along.T))

    def paths(
        self, edges: IntArray, fractions: FloatArray, spacings: FloatArray, smoothing_m: float, turn_rad: float, seed: int
    ) -> FloatArray:
        """Poses `(N, L, 3)` of cars that follow roads: east, north [m], heading [rad].

        A path begins `fractions (N,)` of the way along `edges (N,)` and goes on at random at junctions. Where the road ends
        too soon, it begins earlier; on a road shorter than the path, poses lie closer together.

        Args:
            spacings: `(N, L - 1)` [m] between successive poses, along the road.
            smoothing_m: corners are rounded over this length before and after them.
            turn_rad: sharpest turn into another road, or at a bend.
            seed: of the choices at junctions.
        """
        out = np.empty((len(edges), spacings.shape[1] + 1, 3))
        roads = (self.start, self.along, self.lengths, self.end_node, self.first, self.leaving)
        _paths(roads, edges, fractions, spacings, smoothing_m, np.cos(turn_rad), seed, out)
        return out


_Roads = tuple[FloatArray, FloatArray, FloatArray, IntArray, IntArray, IntArray]


@njit(cache=True)
def _walk(roads: _Roads, edge: int, fraction: float, reach_m: float, turn_cos: float) -> list[tuple[float, float, float]]:
    """Corners (metres walked, east, north) from a place on an edge onwards, until `reach_m` is walked or the road ends."""
    start, along, length, end_node, first, leaving = roads
    walked = -fraction * length[edge]
    corners = [(0.0, start[edge, 0] + fraction * along[edge, 0], start[edge, 1] + fraction * along[edge, 1])]
    while True:
        walked += length[edge]
        corners.append((walked, start[edge, 0] + along[edge, 0], start[edge, 1] + along[edge, 1]))
        if walked >= reach_m:
            return corners
        ways, chosen = 0, -1
        for k in range(first[end_node[edge]], first[end_node[edge] + 1]):
            other = leaving[k]
            ahead = along[edge, 0] * along[other, 0] + along[edge, 1] * along[other, 1]
            if other != edge ^ 1 and ahead >= turn_cos * length[edge] * length[other]:
                ways += 1
                if np.random.randint(ways) == 0:  # each of the ways is kept with the same probability
                    chosen = other
        if chosen < 0:
            return corners
        edge = chosen


@njit(cache=True)
def _sum_to(path: FloatArray, at_m: float) -> tuple[float, float, float, float]:
    """Place (x, y) at a length of `path (V, 3)` (metres, x, y), standing still beyond its ends, and its integral from the start."""
    sum_x, sum_y = 0.0, 0.0
    if at_m <= path[0, 0]:
        return path[0, 1], path[0, 2], (at_m - path[0, 0]) * path[0, 1], (at_m - path[0, 0]) * path[0, 2]
    for v in range(path.shape[0] - 1):
        step = path[v + 1, 0] - path[v, 0]
        share = min(1.0, (at_m - path[v, 0]) / step) if step > 0.0 else 0.0
        x, y = path[v, 1] + share * (path[v + 1, 1] - path[v, 1]), path[v, 2] + share * (path[v + 1, 2] - path[v, 2])
        sum_x += share * step * 0.5 * (path[v, 1] + x)
        sum_y += share * step * 0.5 * (path[v, 2] + y)
        if at_m <= path[v + 1, 0]:
            return x, y, sum_x, sum_y
    beyond, x, y = at_m - path[-1, 0], path[-1, 1], path[-1, 2]
    return x, y, sum_x + beyond * x, sum_y + beyond * y


@njit(cache=True)
def _paths(
    roads: _Roads,
    edges: IntArray,
    fractions: FloatArray,
    spacings: FloatArray,
    smoothing_m: float,
    turn_cos: float,
    seed: int,
    out: FloatArray,
) -> None:
    np.random.seed(seed)
    for i in range(edges.shape[0]):
        wanted_m = spacings[i].sum()
        ahead = _walk(roads, edges[i], fractions[i], wanted_m + smoothing_m, turn_cos)
        missing_m = max(0.0, wanted_m - ahead[-1][0])
        behind = _walk(roads, edges[i] ^ 1, 1.0 - fractions[i], missing_m + smoothing_m, turn_cos)
        path = np.empty((len(behind) - 1 + len(ahead), 3))
        for k in range(1, len(behind)):
            path[len(behind) - 1 - k] = (-behind[k][0], behind[k][1], behind[k][2])
        for k in range(len(ahead)):
            path[len(behind) - 1 + k] = ahead[k]
        at_m = max(-missing_m, path[0, 0])
        scale = min(1.0, (path[-1, 0] - at_m) / wanted_m) if wanted_m > 0.0 else 1.0
        for k in range(out.shape[1]):
            # The mean of the road over a window is a smooth curve, and the window's chord its exact tangent.
            back_x, back_y, back_sum_x, back_sum_y = _sum_to(path, at_m - smoothing_m)
            front_x, front_y, front_sum_x, front_sum_y = _sum_to(path, at_m + smoothing_m)
            out[i, k, 0] = (front_sum_x - back_sum_x) / (2.0 * smoothing_m)
            out[i, k, 1] = (front_sum_y - back_sum_y) / (2.0 * smoothing_m)
            out[i, k, 2] = np.arctan2(front_y - back_y, front_x - back_x)
            if k < spacings.shape[1]:
                at_m += scale * spacings[i, k]
