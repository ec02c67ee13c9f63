"""Reading OpenStreetMap files: the one place that knows OSM's tags."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import OSM_UNITS_PER_DEGREE, AreaMap
from urban_map_loc.area.rings import Line, assemble, polygons_of
from urban_map_loc.errors import AreaError
from urban_map_loc.geometry.geodesy import GeoPoint

log = logging.getLogger(__name__)

DRIVABLE = frozenset(f"{name}{link}" for name in ("motorway", "trunk", "primary", "secondary", "tertiary") for link in ("", "_link")) | {
    "unclassified",
    "residential",
    "living_street",
    "service",
    "road",
}
# Values of `building` that have no walls a sensor on the road would see.
WITHOUT_WALLS = frozenset({"no", "roof", "carport", "canopy", "proposed", "demolished", "razed", "removed"})
LEVEL_M = 3.0
METRES_PER_FOOT = 0.3048
DIGITS = 7  # of OSM's degrees


@dataclass
class _OsmData:
    """What is kept of a file until all of it has been read: members may come in any order."""

    nodes: dict[int, tuple[float, float]] = field(default_factory=dict)
    ways: dict[int, list[int]] = field(default_factory=dict)
    tags: dict[int, dict[str, str]] = field(default_factory=dict)
    multipolygons: list[tuple[int, dict[str, str], list[tuple[int, str]]]] = field(default_factory=list)
    bounds: tuple[float, float, float, float] | None = None
    generator: str = ""

    def line(self, way: int) -> Line | None:
        """Coordinates `(N, 2)` [deg] of a way, without the nodes that an extract lacks; None where nothing is left."""
        points = [self.nodes[n] for n in self.ways.get(way, ()) if n in self.nodes]
        return np.array(points) if len(points) >= 2 else None


def read_osm(path: Path) -> AreaMap:
    """Buildings and drivable roads of an .osm (or .osm.pbf) file.

    Roads end at the file's declared bounds, where it declares any: beyond them the buildings are missing. The datum is the
    centre of those bounds, else of the data.

    Raises:
        AreaError: the file is missing, empty, broken or truncated, or holds no building or no drivable road.
    """
    data = _load(path)
    ids, polygons, heights = _buildings(data)
    roads, classes = _roads(data)
    if not polygons:
        raise AreaError(f"{path} holds no building; export an area where OpenStreetMap has building outlines")
    if not roads:
        raise AreaError(f"{path} holds no drivable road; export an area with streets")
    west, south, east, north = data.bounds or tuple(shapely.total_bounds(np.array(polygons + roads, dtype=object)))
    datum = GeoPoint(round((south + north) / 2.0, DIGITS), round((west + east) / 2.0, DIGITS))
    # Whose data a file holds decides what a picture of it has to credit, so that the writer's own words are kept.
    source = f"{path.name}, written by {data.generator or 'an unnamed program'}"
    return AreaMap(datum, _objects(polygons), np.array(heights), _objects(ids), _objects(roads), _objects(classes), source)


def _objects(values: list[object]) -> NDArray[np.object_]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _load(path: Path) -> _OsmData:
    import osmium  # here: the robot reads GeoPackages only

    if not path.is_file():
        raise AreaError(f"{path} does not exist; check the path of the .osm file")
    if path.stat().st_size == 0:
        raise AreaError(f"{path} is empty; export or download it again")
    data = _OsmData()
    try:
        processor = osmium.FileProcessor(str(path))
        data.generator = processor.header.get("generator", "")
        box = processor.header.box()
        if box is not None and box.valid():
            data.bounds = (box.bottom_left.lon, box.bottom_left.lat, box.top_right.lon, box.top_right.lat)
        for item in processor:
            if isinstance(item, osmium.osm.Node):
                if item.location.valid():
                    data.nodes[item.id] = (round(item.location.lon, DIGITS), round(item.location.lat, DIGITS))
            elif isinstance(item, osmium.osm.Way):
                data.ways[item.id] = [node.ref for node in item.nodes]
                if "building" in item.tags or "highway" in item.tags:
                    data.tags[item.id] = dict(item.tags)
            elif isinstance(item, osmium.osm.Relation) and item.tags.get("type") == "multipolygon":
                members = [(member.ref, member.role) for member in item.members if member.type == "w"]
                data.multipolygons.append((item.id, dict(item.tags), members))
    except RuntimeError as error:
        raise AreaError(f"{path} is no whole OpenStreetMap file ({error}); export or download it again") from error
    return data


def _has_walls(tags: Mapping[str, str]) -> bool:
    return tags.get("building", "no") not in WITHOUT_WALLS and tags.get("location") != "underground"


def _buildings(data: _OsmData) -> tuple[list[object], list[object], list[float]]:
    """Ids, polygons and heights, sorted by id; each outer ring of a multipolygon is a building of its own."""
    found: list[tuple[str, int, str, shapely.Polygon, float]] = []
    outlines: set[int] = set()

    def add(kind: str, number: int, polygons: list[shapely.Polygon], tags: Mapping[str, str]) -> None:
        for k, polygon in enumerate(polygons):
            suffix = f"#{k + 1}" if len(polygons) > 1 else ""
            found.append((kind, number, f"{kind}/{number}{suffix}", polygon, _height(tags)))
        if not polygons:
            log.warning("%s/%d is no closed building outline; left out", kind, number)

    for number, tags, members in data.multipolygons:
        outer = [way for way, role in members if role != "inner"]
        if "building" not in tags:  # the older style: the tags are on the outer way
            tags = next((data.tags[w] for w in outer if "building" in data.tags.get(w, {})), {})
        if not _has_walls(tags):
            continue
        lines = [line for way in outer if (line := data.line(way)) is not None]
        holes = [line for way, role in members if role == "inner" and (line := data.line(way)) is not None]
        if not lines:
            continue  # an extract's edge: the relation is here, its ways are not
        outlines.update(outer)
        outer_rings, open_outer = assemble(lines)
        inner_rings, open_inner = assemble(holes)
        if open_outer + open_inner:
            log.warning("relation/%d has %d unclosed rings; they are left out", number, open_outer + open_inner)
        add("relation", number, polygons_of(outer_rings, inner_rings), tags)
    for number, tags in data.tags.items():
        if number in outlines or not _has_walls(tags):
            continue
        line = data.line(number)
        rings, _ = assemble([line] if line is not None and data.ways[number][0] == data.ways[number][-1] else [])
        add("way", number, polygons_of(rings, []), tags)
    found.sort(key=lambda building: building[:3])
    return [f[2] for f in found], [f[3] for f in found], [f[4] for f in found]


def _height(tags: Mapping[str, str]) -> float:
    """Height above ground [m], NaN where neither `height` nor `building:levels` says it."""
    for key, unit in (("height", 1.0), ("building:height", 1.0), ("building:levels", LEVEL_M)):
        text = tags.get(key, "").strip().replace(",", ".")
        scale = METRES_PER_FOOT if text.endswith(("'", "ft")) else 1.0
        try:
            value = float(text.rstrip("m'ft ")) * unit * scale
        except ValueError:
            continue
        if 0.0 < value < 1000.0:
            return value
    return float("nan")


def _roads(data: _OsmData) -> tuple[list[object], list[object]]:
    """Line strings and classes of drivable roads, sorted by id, cut at the declared bounds."""
    roads: list[object] = []
    classes: list[object] = []
    for number in sorted(data.tags):
        tags = data.tags[number]
        if tags.get("highway") not in DRIVABLE or tags.get("tunnel", "no") != "no" or tags.get("area") == "yes":
            continue
        line = data.line(number)
        if line is None:
            continue
        kept = shapely.LineString(line)
        if data.bounds is not None:
            kept = shapely.intersection(kept, shapely.box(*data.bounds))
        for part in shapely.get_parts(kept):
            part = shapely.transform(part, lambda degrees: np.round(degrees * OSM_UNITS_PER_DEGREE) / OSM_UNITS_PER_DEGREE)
            if part.geom_type == "LineString" and part.length > 0.0:
                roads.append(part)
                classes.append(tags["highway"])
    return roads, classes
