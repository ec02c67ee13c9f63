# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A generated town as an OpenStreetMap file: irregular streets, varied blocks, the same for the same seed on any machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Polygon

from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.output import final_file
from urban_map_loc.simulation.houses import Building, fill_block
from urban_map_loc.simulation.route import town_route

__all__ = ["TOWN_CENTRE", "town_route", "write_town"]

TOWN_CENTRE = GeoPoint(54.5, 6.0)  # in the North Sea: nobody takes it for a real place
COLUMNS, ROWS = 8, 7  # junctions east-west and north-south
SPACING_M = (60.0, 115.0)  # between neighbouring streets
JITTER_M = 13.0  # of junctions
JUNCTION_M = 10.0  # around a junction there is no building: cars cut corners
OUTER_LOTS_M = 32.0  # depth of the lots outside the outermost streets
REMOVED_STREETS = 0.14  # share of inner streets left out: larger and T-shaped blocks
HALF_WIDTH_M = {"secondary": 8.0, "tertiary": 6.5, "residential": 5.2, "living_street": 4.2}


@dataclass(frozen=True)
class _Street:
    start: int
    end: int
    line: LineString
    kind: str


def write_town(path: Path, seed: int) -> None:
    """Write a town of about 0.45 km2 as OpenStreetMap XML.

    Raises:
        OutputError: `path` cannot be written.
    """
    rng = np.random.default_rng(seed)
    junctions, streets = _streets(rng)
    land = _land(junctions, [street.line for street in streets])
    corners = shapely.buffer(shapely.points(junctions), JUNCTION_M)
    kerbs = shapely.union_all([*corners, *(street.line.buffer(HALF_WIDTH_M[street.kind]) for street in streets)])
    blocks = [part for piece in land for part in shapely.get_parts(piece.difference(kerbs)) if part.geom_type == "Polygon"]
    buildings = [building for block in blocks for building in fill_block(block, rng)]
    document = _Document(LocalTangentPlane(TOWN_CENTRE))
    crossings = [document.node(junction) for junction in junctions]
    for street in streets:
        inner = [document.node(point) for point in shapely.get_coordinates(street.line)[1:-1]]
        document.way([crossings[street.start], *inner, crossings[street.end]], {"highway": street.kind})
    for building in buildings:
        document.building(building)
    with final_file(path) as temporary:
        temporary.write_text(document.xml(), encoding="utf-8")


def _streets(rng: np.random.Generator) -> tuple[NDArray[np.float64], list[_Street]]:
    """Junctions `(J, 2)` [m] about the town's centre, and the streets between them."""
    x = np.cumsum(rng.uniform(*SPACING_M, COLUMNS))
    y = np.cumsum(rng.uniform(*SPACING_M, ROWS))
    grid = np.stack(np.meshgrid(x - x.mean(), y - y.mean(), indexing="ij"), axis=-1)
    grid += rng.uniform(-JITTER_M, JITTER_M, grid.shape)
    grid[..., 0] += 0.12 * grid[..., 1] + 12.0 * np.sin(grid[..., 1] / 110.0)  # no right angles, gentle bends
    grid[..., 1] += 14.0 * np.sin(grid[..., 0] / 140.0)
    junctions = grid.reshape(-1, 2)
    main_column, main_row = int(rng.integers(2, COLUMNS - 2)), int(rng.integers(2, ROWS - 2))
    degree = np.zeros(len(junctions), dtype=int)
    pairs: list[tuple[int, int, str, bool]] = []
    for i in range(COLUMNS):
        for j in range(ROWS):
            here = i * ROWS + j
            for there, main, edge in (
                (here + ROWS if i + 1 < COLUMNS else -1, j == main_row, j in (0, ROWS - 1)),
                (here + 1 if j + 1 < ROWS else -1, i == main_column, i in (0, COLUMNS - 1)),
            ):
                if there >= 0:
                    kind = ("secondary" if there == here + ROWS else "tertiary") if main else "residential"
                    pairs.append((here, there, kind, main or edge))
                    degree[[here, there]] += 1
    streets = []
    for start, end, kind, fixed in pairs:
        if not fixed and rng.random() < REMOVED_STREETS and degree[start] > 3 and degree[end] > 3:
            degree[[start, end]] -= 1
            continue
        if kind == "residential" and rng.random() < 0.15:
            kind = "living_street"
        streets.append(_Street(start, end, _bent(junctions[start], junctions[end], rng), kind))
    return junctions, streets


def _land(junctions: NDArray[np.float64], lines: list[LineString]) -> list[Polygon]:
    """The pieces between the streets, and a ring of lots outside the outermost ones."""
    town = shapely.union_all(shapely.get_parts(shapely.polygonize(lines)))
    rays = [LineString([(0.0, 0.0), 2.0 * junction]) for junction in junctions if town.exterior.distance(shapely.Point(junction)) < 1.0]
    cuts = shapely.union_all([town.buffer(OUTER_LOTS_M).exterior, *lines, *(ray.difference(town) for ray in rays)])
    return list(shapely.get_parts(shapely.polygonize(shapely.get_parts(cuts))))


def _bent(start: NDArray[np.float64], end: NDArray[np.float64], rng: np.random.Generator) -> LineString:
    """A street with a gentle bow."""
    t = np.linspace(0.0, 1.0, 5)[:, None]
    across = np.array([start[1] - end[1], end[0] - start[0]]) / np.hypot(*(end - start))
    bow = start + t * (end - start) + across * float(rng.normal(0.0, 3.5)) * 4.0 * t * (1.0 - t)
    return LineString([start, *bow[1:-1], end])  # the very junctions: blocks are found by their common points


@dataclass
class _Document:
    """Collects nodes, ways and relations of an OSM file."""

    plane: LocalTangentPlane
    points: list[NDArray[np.float64]] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    relations: list[str] = field(default_factory=list)

    def node(self, point: NDArray[np.float64]) -> int:
        self.points.append(point)
        return len(self.points)

    def way(self, nodes: list[int], tags: dict[str, str]) -> int:
        number = len(self.ways) + 1
        refs = "".join(f'<nd ref="{n}"/>' for n in nodes)
        self.ways.append(f' <way id="{number}" version="1">{refs}{_tags(tags)}</way>')
        return number

    def building(self, building: Building) -> None:
        """A way, or with courtyards a multipolygon relation."""
        tags = {"building": building.kind, "building:levels": str(building.levels)}
        shape: Polygon = building.footprint
        rings = [self._ring(ring, {} if shape.interiors else tags) for ring in (shape.exterior, *shape.interiors)]
        if len(rings) > 1:
            members = "".join(f'<member type="way" ref="{w}" role="{"inner" if k else "outer"}"/>' for k, w in enumerate(rings))
            tags = {"type": "multipolygon", **tags}
            self.relations.append(f' <relation id="{len(self.relations) + 1}" version="1">{members}{_tags(tags)}</relation>')

    def _ring(self, ring: shapely.LinearRing, tags: dict[str, str]) -> int:
        nodes = [self.node(point) for point in shapely.get_coordinates(ring)[:-1]]
        return self.way([*nodes, nodes[0]], tags)

    def xml(self) -> str:
        lat_lon = np.round(self.plane.to_geodetic(np.array(self.points)), 7)
        (south, west), (north, east) = lat_lon.min(axis=0), lat_lon.max(axis=0)
        nodes = [f' <node id="{k}" version="1" lat="{lat:.7f}" lon="{lon:.7f}"/>' for k, (lat, lon) in enumerate(lat_lon, start=1)]
        head = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<osm version="0.6" generator="urban_map_loc, an invented town">',
            f' <bounds minlat="{south:.7f}" minlon="{west:.7f}" maxlat="{north:.7f}" maxlon="{east:.7f}"/>',
        ]
        return "\n".join([*head, *nodes, *self.ways, *self.relations, "</osm>", ""])


def _tags(tags: dict[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in tags.items())
