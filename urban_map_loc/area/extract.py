# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is kept of OpenStreetMap files while they stream by: tagged ways as line strings, and multipolygon relations.

Nodes never become Python objects: pyosmium's location store holds them (16 bytes each) and ways ask it for their points. Ways are
turned into line strings, and cropped, batch by batch, so that memory is bound by what is kept.
"""

from __future__ import annotations

import bz2
import gzip
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area import tags as rules
from urban_map_loc.area.box import GeoBox
from urban_map_loc.errors import AreaError

OSM_BASE = re.compile(rb'osm_base="([^"]+)"')
DIGITS = 7  # of OSM's degrees
BATCH = 50_000


@dataclass
class Ways:
    """Ways of one kind: ids, attributes (one tuple each) and, after `finish`, their line strings [deg]."""

    crop: GeoBox | None = None
    across: bool = False  # the antimeridian: longitudes go on beyond 180
    ids: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    lines: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=object))
    _waiting: list[tuple[int, str, Any]] = field(default_factory=list)
    _done: list[NDArray[np.object_]] = field(default_factory=list)

    def add(self, number: int, wkb: str, value: Any) -> None:
        """Keep a way, given as hexadecimal WKB."""
        self._waiting.append((number, wkb, value))
        if len(self._waiting) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        lines = shapely.from_wkb([wkb for _, wkb, _ in self._waiting])
        lines = unwrapped(lines) if self.across else lines
        kept = np.arange(len(lines))
        if self.crop is not None:
            kept = np.flatnonzero(shapely.intersects(lines, shapely.box(*self.crop)) | _around(lines, self.crop))
        self.ids += [self._waiting[k][0] for k in kept]
        self.values += [self._waiting[k][2] for k in kept]
        self._done.append(lines[kept])
        self._waiting = []

    def finish(self) -> None:
        """Order by id, each id once: files that overlap repeat their ways."""
        if self._waiting:
            self._flush()
        if self._done:
            ids, first = np.unique(self.ids, return_index=True)
            self.lines = np.concatenate(self._done)[first]
            self.ids, self.values, self._done = ids.tolist(), [self.values[k] for k in first], []


def unwrapped(lines: NDArray[np.object_]) -> NDArray[np.object_]:
    """Lines with longitudes 0 to 360: continuous across the antimeridian."""

    def east(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([np.round(np.where(degrees[:, 0] < 0.0, degrees[:, 0] + 360.0, degrees[:, 0]), DIGITS), degrees[:, 1]])

    moved: NDArray[np.object_] = shapely.transform(lines, east)
    return moved


def _around(lines: NDArray[np.object_], crop: GeoBox) -> NDArray[np.bool_]:
    """Lines that may run around the whole box: a large building with the box inside it."""
    west, south, east, north = shapely.bounds(lines).T
    return (west <= crop.west) & (south <= crop.south) & (east >= crop.east) & (north >= crop.north)


@dataclass
class Extract:
    """Everything of interest in one or several files."""

    buildings: Ways  # values: (no_wall_reason, height_m, min_height_m)
    parts: Ways  # the same, of building:part
    roads: Ways  # values: (highway, oneway, bridge, tunnel)
    barriers: Ways  # values: kind
    members: Ways  # of multipolygons, never cropped; values: tags of buildings, else {}
    relations: dict[int, tuple[dict[str, str], list[tuple[int, str]]]] = field(default_factory=dict)
    bounds: GeoBox | None = None
    generators: set[str] = field(default_factory=set)
    timestamps: set[str] = field(default_factory=set)

    def layers(self) -> tuple[Ways, ...]:
        """All kinds of ways."""
        return self.buildings, self.parts, self.roads, self.barriers, self.members


def wall_values(tags: rules.Tags, value: str) -> tuple[str, float, float]:
    """What is kept of a building's or part's tags."""
    return rules.no_wall_reason(value, tags), rules.height_m(tags), rules.min_height_m(tags)


class _WayReader:
    """Called with every way of a file, its points already looked up."""

    def __init__(self, extract: Extract, members: set[int]) -> None:
        import osmium

        self.extract, self.members = extract, members
        self._wkb = osmium.geom.WKBFactory()
        self._incomplete = osmium.InvalidLocationError

    def way(self, way: Any) -> None:
        tags = {tag.k: tag.v for tag in way.tags}
        number: int = way.id
        value = rules.building_value(tags)
        member = number in self.members
        part = tags.get("building:part", "")
        kind = rules.barrier_kind(tags)
        drivable = rules.is_drivable(tags)
        if not (value or member or part or kind or drivable):
            return
        if number < 0:
            raise AreaError(
                f"way {number} was never uploaded (negative id); give the file positive ids, with `osmium renumber` for instance"
            )
        wkb = self._line(way)
        if not wkb:
            return
        out = self.extract
        if member:
            out.members.add(number, wkb, tags if value else {})
        if value:
            out.buildings.add(number, wkb, wall_values(tags, value))
        elif part and part != "no":
            out.parts.add(number, wkb, wall_values(tags, part))
        elif kind:
            out.barriers.add(number, wkb, kind)
        if drivable:
            out.roads.add(number, wkb, (tags["highway"], rules.oneway(tags), rules.is_bridge(tags), rules.is_tunnel(tags)))

    def _line(self, way: Any) -> str:
        """Hexadecimal WKB without repeated points and without nodes that an extract lacks; empty where nothing is left."""
        with suppress(RuntimeError):
            try:
                return str(self._wkb.create_linestring(way))
            except self._incomplete:
                there = [(node.location.lon, node.location.lat) for node in way.nodes if node.location.valid()]
                return str(shapely.LineString(there).wkb_hex) if len(set(there)) > 1 else ""
        return ""  # fewer than two different points


def read_files(paths: Sequence[Path], crop: GeoBox | None) -> Extract:
    """Read .osm, .osm.gz, .osm.bz2 or .osm.pbf files as if they were one; objects and their members may come in any order.

    Raises:
        AreaError: a file is missing, empty, broken or truncated.
    """
    import osmium  # here: the robot reads GeoPackages only

    across = crop is not None and crop.east > 180.0
    buildings, parts, roads, barriers = (Ways(crop, across) for _ in range(4))
    extract = Extract(buildings, parts, roads, barriers, Ways(None, across))
    locations = osmium.NodeLocationsForWays(osmium.index.create_map("flex_mem"))
    locations.ignore_errors()
    for path in paths:
        if not path.is_file():
            raise AreaError(f"{path} does not exist; check the path of the .osm file")
        if path.stat().st_size == 0:
            raise AreaError(f"{path} is empty; export or download it again")
    for path in paths:
        with _reading(path):
            _read_header(path, extract)
            osmium.apply(osmium.io.Reader(str(path), osmium.osm.NODE), locations)
            for item in osmium.FileProcessor(str(path), osmium.osm.RELATION).with_filter(osmium.filter.TagFilter(("type", "multipolygon"))):
                _read_relation(item, extract)
    members = {way for _, of_relation in extract.relations.values() for way, _ in of_relation}
    for path in paths:
        with _reading(path):
            osmium.apply(osmium.io.Reader(str(path), osmium.osm.WAY), locations, _WayReader(extract, members))
    for layer in extract.layers():
        layer.finish()
    return extract


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What the reader raises about a broken file becomes an AreaError that names it."""
    import osmium

    try:
        yield
    # Of numbers, places, texts and all else that the reader finds broken.
    except (RuntimeError, ValueError, osmium.InvalidLocationError) as error:
        raise AreaError(f"{path} is no whole OpenStreetMap file ({error}); export or download it again") from error


def _read_header(path: Path, extract: Extract) -> None:
    import osmium

    with osmium.io.Reader(str(path), osmium.osm.NOTHING) as reader:
        header = reader.header()
    extract.generators.add(header.get("generator", "") or "an unnamed program")
    when = header.get("osmosis_replication_timestamp", "") or header.get("timestamp", "") or _osm_base(path)
    if when:
        extract.timestamps.add(when)
    box = header.box()
    if box is not None and box.valid():
        here = GeoBox(box.bottom_left.lon, box.bottom_left.lat, box.top_right.lon, box.top_right.lat)
        there = extract.bounds or here
        west, south = min(here.west, there.west), min(here.south, there.south)
        extract.bounds = GeoBox(west, south, max(here.east, there.east), max(here.north, there.north))


def _osm_base(path: Path) -> str:
    """Overpass writes the age of its data into the first lines, where the reader does not look."""
    opened: Any = {".gz": gzip.open, ".bz2": bz2.open, ".osm": Path.open, ".xml": Path.open}.get(path.suffix)
    if opened is None:
        return ""
    with suppress(OSError, EOFError), opened(path, "rb") as file:
        found = OSM_BASE.search(file.read(4096))
        return found.group(1).decode("ascii", "replace") if found else ""
    return ""


def _read_relation(item: Any, extract: Extract) -> None:
    tags = {tag.k: tag.v for tag in item.tags}
    # In the older style the tags are on the outer way; but a relation that says it is land of some kind is no building.
    if rules.building_value(tags) or tags.get("building:part", "no") != "no" or not rules.LAND.intersection(tags):
        extract.relations[item.id] = (tags, [(member.ref, member.role) for member in item.members if member.type == "w"])
