# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Filling the blocks of a generated town with footprints: detached houses, terraces, courtyards, churches, halls, parks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from shapely import Polygon, affinity

SMALLEST_BLOCK_M2 = 500.0
Lot = Callable[[], tuple[float, Polygon, str, int]]  # width [m], footprint (x along the street, y inward), kind, levels


@dataclass(frozen=True)
class Building:
    """A footprint in town coordinates [m] with its OSM `building` value and number of levels."""

    footprint: Polygon
    kind: str
    levels: int


def fill_block(block: Polygon, rng: np.random.Generator) -> list[Building]:
    """Buildings of one block (the land between streets)."""
    if block.area < SMALLEST_BLOCK_M2:
        return []
    kinds: list[tuple[float, Callable[[Polygon, np.random.Generator], list[Building]]]] = [
        (0.30, _mixed),
        (0.16, _detached),
        (0.16, _terraces),
        (0.16, _courtyard),
        (0.08, _church),
        (0.10, _halls),
        (0.04, _park),
    ]
    weights = np.array([weight for weight, _ in kinds])
    return kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))][1](block, rng)


def _along_sides(block: Polygon, rng: np.random.Generator, lot: Lot, skip: float) -> list[Building]:
    """Walk around a block and set one building a lot; `lot` gives its width, its footprint (x along, y inward) and tags."""
    ground = block.buffer(1.6)  # the sides are straightened by up to 1.5 m
    corners = shapely.get_coordinates(shapely.orient_polygons(block.simplify(1.5)).exterior)
    buildings: list[Building] = []
    for start, end in pairwise(corners):
        length = float(np.hypot(*(end - start)))
        angle = float(np.arctan2(end[1] - start[1], end[0] - start[0]))
        along = float(rng.uniform(0.0, 6.0))
        while True:
            width, shape, kind, levels = lot()
            if along + width > length:
                break
            turned = affinity.rotate(affinity.translate(shape, along), angle, origin=(0.0, 0.0), use_radians=True)
            placed = affinity.translate(turned, *start)
            free = all(placed.intersection(other.footprint).area < 0.01 for other in buildings)
            if free and rng.random() > skip and ground.contains(placed):
                buildings.append(Building(placed, kind, levels))
            along += width
    return buildings


def _rectangle(x: float, y: float, width: float, depth: float) -> Polygon:
    return shapely.box(x, y, x + width, y + depth)


def _house(rng: np.random.Generator, x: float, setback: float, width: float, depth: float) -> Polygon:
    """A rectangle, an L, or a rectangle with a bay or a porch."""
    body = _rectangle(x, setback, width, depth)
    form = rng.random()
    if form < 0.35:
        side = 0.0 if rng.random() < 0.5 else width * 0.55
        wing = _rectangle(x + side, setback + depth - 0.5, width * 0.45, float(rng.uniform(3.0, 7.0)))
        return shapely.union_all([body, wing])
    if form < 0.6:
        porch = _rectangle(x + float(rng.uniform(0.1, 0.5)) * width, setback - 1.4, width * 0.35, 1.9)
        return shapely.union_all([body, porch])
    return body


def _mixed(block: Polygon, rng: np.random.Generator) -> list[Building]:
    """Every side built by somebody else: terraces here, detached houses there, a workshop."""
    options = [_detached(block, rng), _terraces(block, rng), _halls(block, rng)]
    angle = float(rng.uniform(0.0, 2.0 * np.pi))
    buildings: list[Building] = []
    for building in (b for option in options for b in option):
        towards = np.arctan2(building.footprint.centroid.y - block.centroid.y, building.footprint.centroid.x - block.centroid.x)
        third = int(((towards - angle) % (2.0 * np.pi)) / (2.0 * np.pi) * len(options)) % len(options)
        crowded = any(building.footprint.distance(other.footprint) < 1.0 for other in buildings if other.kind != building.kind)
        if any(building is b for b in options[third]) and not crowded:
            buildings.append(building)
    return buildings


def _detached(block: Polygon, rng: np.random.Generator) -> list[Building]:
    setback = float(rng.uniform(1.5, 6.0))

    def lot() -> tuple[float, Polygon, str, int]:
        width, depth = float(rng.uniform(7.5, 14.0)), float(rng.uniform(8.0, 13.0))
        gap = float(rng.uniform(2.0, 9.0))
        if rng.random() < 0.15:  # a garage at the street
            return 3.2 + 1.0, _rectangle(0.5, float(rng.uniform(0.3, setback)), 3.2, 6.0), "garage", 1
        shape = _house(rng, gap / 2.0, max(setback + float(rng.normal(0.0, 1.2)), 1.5), width, depth)
        return width + gap, affinity.rotate(shape, float(rng.normal(0.0, 3.0))), "detached", int(rng.integers(1, 4))

    return _along_sides(block, rng, lot, skip=0.12)


def _terraces(block: Polygon, rng: np.random.Generator) -> list[Building]:
    setback, depth = float(rng.uniform(0.3, 4.0)), float(rng.uniform(8.5, 11.0))
    left_in_row = 0

    def lot() -> tuple[float, Polygon, str, int]:
        nonlocal left_in_row, depth, setback
        if left_in_row == 0:  # a gap, then a new row
            left_in_row = int(rng.integers(3, 9))
            depth, setback = float(rng.uniform(8.0, 12.0)), max(setback + float(rng.normal(0.0, 1.0)), 0.2)
            return float(rng.uniform(3.0, 12.0)), Polygon(), "no", 0
        left_in_row -= 1
        width = float(rng.uniform(5.0, 8.0))
        front = setback + float(rng.choice([0.0, 0.0, 0.6, -0.15]))
        return width, _rectangle(0.0, front, width, depth + float(rng.uniform(-0.5, 2.0))), "terrace", int(rng.integers(2, 4))

    return [b for b in _along_sides(block, rng, lot, skip=0.03) if not b.footprint.is_empty]


def _courtyard(block: Polygon, rng: np.random.Generator) -> list[Building]:
    """A perimeter block: one ring, or a ring with passages that cut it into wings."""
    outer = block.buffer(-float(rng.uniform(0.2, 2.0)), join_style="mitre").simplify(0.5)
    inner = outer.buffer(-float(rng.uniform(10.0, 14.0)), join_style="mitre")
    if inner.geom_type != "Polygon" or inner.area < 60.0:
        return _halls(block, rng)
    ring = outer.difference(inner)
    centre = outer.centroid
    for _ in range(int(rng.choice([0, 0, 1, 2, 3]))):
        angle = float(rng.uniform(0.0, 2.0 * np.pi))
        far = affinity.translate(centre, 300.0 * np.cos(angle), 300.0 * np.sin(angle))
        ring = ring.difference(shapely.LineString([centre, far]).buffer(float(rng.uniform(2.0, 7.0))))
    levels = int(rng.integers(3, 6))
    return [Building(part, "apartments", levels) for part in shapely.get_parts(ring) if part.area > 60.0]


def _church(block: Polygon, rng: np.random.Generator) -> list[Building]:
    """A cross-shaped church with a tower on a green, a few houses beside it."""
    length, nave = float(rng.uniform(26.0, 42.0)), float(rng.uniform(9.0, 13.0))
    church = shapely.union_all(
        [
            _rectangle(-length / 2.0, -nave / 2.0, length, nave),
            _rectangle(length * 0.1, -nave * 1.1, nave * 0.9, nave * 2.2),
            _rectangle(-length / 2.0 - 6.0, -3.5, 7.0, 7.0),
        ]
    )
    church = affinity.rotate(church, float(rng.uniform(-25.0, 25.0)))
    placed = affinity.translate(church, block.centroid.x, block.centroid.y)
    buildings = [Building(placed, "church", 5)] if block.contains(placed) else []
    around = [b for b in _detached(block, rng) if b.footprint.distance(placed) > 6.0 and rng.random() < 0.7]
    return buildings + around


def _halls(block: Polygon, rng: np.random.Generator) -> list[Building]:
    """Schools, shops and workshops: a few large bodies, set back by various depths."""

    def lot() -> tuple[float, Polygon, str, int]:
        width, depth = float(rng.uniform(16.0, 38.0)), float(rng.uniform(12.0, 24.0))
        body = _rectangle(0.0, float(rng.uniform(1.0, 9.0)), width, depth)
        if rng.random() < 0.5:
            body = body.difference(_rectangle(width * 0.3, depth * 0.55, width * float(rng.uniform(0.25, 0.5)), 60.0))
        body = shapely.get_parts(body)[0]
        return width + float(rng.uniform(4.0, 14.0)), body, "commercial", int(rng.integers(1, 4))

    return _along_sides(block, rng, lot, skip=0.08)


def _park(block: Polygon, rng: np.random.Generator) -> list[Building]:
    """Open ground with a pavilion; streets beside it see only one side."""
    pavilion = affinity.rotate(_rectangle(-5.0, -4.0, 10.0, 8.0), float(rng.uniform(0.0, 90.0)))
    placed = affinity.translate(pavilion, block.centroid.x, block.centroid.y)
    return [Building(placed, "yes", 1)] if block.contains(placed) else []
