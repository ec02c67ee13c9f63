# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reading OpenStreetMap files: from what `extract` kept to an AreaMap. One path for files and for downloads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area import tags as rules
from urban_map_loc.area.area_map import OSM_UNITS_PER_DEGREE, AreaMap, Layer
from urban_map_loc.area.box import GeoBox
from urban_map_loc.area.extract import DIGITS, Extract, Ways, read_files, unwrapped, wall_values
from urban_map_loc.area.rings import assemble, polygons_of, polygons_of_closed
from urban_map_loc.errors import AreaError
from urban_map_loc.geometry.geodesy import GeoPoint

log = logging.getLogger(__name__)

Objects = NDArray[np.object_]


def read_osm(paths: Path | Sequence[Path], bbox: GeoBox | None = None, source: str = "") -> AreaMap:
    """Buildings, roads and barriers of .osm, .osm.gz, .osm.bz2 or .osm.pbf files, several taken together.

    Roads end at `bbox`, or at the files' declared bounds where they declare any: beyond them the buildings are missing. Buildings
    and barriers that reach over the edge of `bbox` are kept whole. The datum is the centre of the box, else of the data.

    Args:
        paths: one file or several.
        bbox: what to keep; everything where not given.
        source: one line about where the data came from; the files' names and writers where empty.

    Raises:
        AreaError: a file is missing, empty, broken or truncated, or there is no building or no drivable road.
    """
    paths = [paths] if isinstance(paths, Path) else list(paths)
    names = ", ".join(path.name for path in paths)
    # Whose data a file holds decides what a picture of it has to credit, so that the writer's own words are kept.
    extract = read_files(paths, bbox)
    source = source or f"{names}, written by {', '.join(sorted(extract.generators))}"
    where = str(paths[0]) if len(paths) == 1 else names
    where += f" within {bbox}" if bbox else ""
    if bbox is None:
        _unwrap(extract)
    walls, without = _buildings(extract, bbox)
    kept = bbox or extract.bounds
    roads, values = _roads(extract.roads, kept)
    open_sky = np.array([not value[3] for value in values], dtype=bool)
    if not len(walls.shapes):
        raise AreaError(f"{where} holds no building; take an area where OpenStreetMap has building outlines")
    if not open_sky.any():
        raise AreaError(f"{where} holds no drivable road; take an area with streets")
    west, south, east, north = kept or shapely.total_bounds(np.concatenate([walls.shapes, roads[open_sky]]))
    longitude = (west + east) / 2.0
    datum = GeoPoint(round((south + north) / 2.0, DIGITS), round(longitude - 360.0 if longitude > 180.0 else longitude, DIGITS))
    classes, oneways, bridges = (np.array([value[k] for value in values], dtype=kind) for k, kind in enumerate((object, np.int64, bool)))
    barriers = extract.barriers
    return AreaMap(
        datum,
        *(walls.shapes, walls.heights, walls.ids),
        *(roads[open_sky], classes[open_sky]),
        source,
        max(extract.timestamps, default=""),
        walls.min_heights,
        *(oneways[open_sky], bridges[open_sky]),
        tunnels=Layer(
            roads[~open_sky], classes[~open_sky], _objects([value[4] for value, sky in zip(values, open_sky, strict=True) if not sky])
        ),
        barriers=Layer(barriers.lines, _objects(barriers.values), _objects([f"way/{number}" for number in barriers.ids])),
        without_walls=Layer(without.shapes, without.reasons, without.ids),
    )


def _objects(values: Sequence[object]) -> Objects:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _unwrap(extract: Extract) -> None:
    """Data that span more than half the globe lie on both sides of the antimeridian: their longitudes become continuous."""
    spans = [shapely.total_bounds(layer.lines) for layer in extract.layers() if len(layer.lines)]
    if spans and max(box[2] for box in spans) - min(box[0] for box in spans) > 180.0:
        for layer in extract.layers():
            layer.lines = unwrapped(layer.lines)
        if extract.bounds is not None:
            west, south, east, north = extract.bounds
            extract.bounds = GeoBox(west, south, east + 360.0, north) if east < west else None


class _Footprints:
    """Polygons with their ids and attributes, in a fixed order: by kind, number, then part."""

    def __init__(self, shapes: Objects, ids: Objects, values: Sequence[tuple[str, float, float]]) -> None:
        self.shapes, self.ids = shapes, ids
        self.reasons = _objects([value[0] for value in values])
        self.heights = np.array([value[1] for value in values], dtype=np.float64)
        self.min_heights = np.array([value[2] for value in values], dtype=np.float64)

    def where(self, chosen: NDArray[np.bool_]) -> _Footprints:
        return _Footprints(
            self.shapes[chosen],
            self.ids[chosen],
            list(zip(self.reasons[chosen], self.heights[chosen].tolist(), self.min_heights[chosen].tolist(), strict=True)),
        )


def _buildings(extract: Extract, crop: GeoBox | None) -> tuple[_Footprints, _Footprints]:
    """Footprints with walls and those without; relations first, then ways, each sorted by id."""
    related, part_numbers, taken, taken_by_parts = _relations(extract)
    outlines = _of_ways(extract.buildings, taken)
    parts = _of_ways(extract.parts, taken_by_parts)
    is_part = np.array([number in part_numbers for number in related[1]], dtype=bool)
    whole = _join([_pick(related, ~is_part), outlines])
    pieces = _join([_pick(related, is_part), parts])
    alone = ~_covered(pieces[0], whole[0])
    shapes, numbers, values, ids = _join([whole, _pick(pieces, alone)])
    kinds = np.array([text.startswith("way") for text in ids], dtype=bool)
    order = np.lexsort((np.arange(len(ids)), numbers, kinds))
    found = _Footprints(shapes[order], ids[order], [values[k] for k in order])
    if crop is not None:
        found = found.where(shapely.intersects(found.shapes, shapely.box(*crop)))
    standing = np.array([not reason for reason in found.reasons], dtype=bool)
    return found.where(standing), found.where(~standing)


_Found = tuple[Objects, NDArray[np.int64], list[tuple[str, float, float]], Objects]  # shapes, numbers, values, ids


def _pick(found: _Found, chosen: NDArray[np.bool_]) -> _Found:
    shapes, numbers, values, ids = found
    return shapes[chosen], numbers[chosen], [values[k] for k in np.flatnonzero(chosen)], ids[chosen]


def _join(several: list[_Found]) -> _Found:
    shapes, numbers, ids = (np.concatenate([found[k] for found in several]) for k in (0, 1, 3))
    return shapes, numbers, [value for found in several for value in found[2]], ids


def _found(
    kind: str, shapes: Objects, owners: NDArray[np.int64], numbers: Sequence[int], values: Sequence[tuple[str, float, float]]
) -> _Found:
    """Name polygons after the objects that they came from: "way/7", or "way/7#1" and "way/7#2" where there are several."""
    counts = np.bincount(owners, minlength=len(numbers)).tolist()
    for lost in (k for k, count in enumerate(counts) if not count):
        log.warning("%s/%d is no closed building outline; left out", kind, numbers[lost])
    ids, last, part = [], -1, 0
    for owner in owners.tolist():
        part = part + 1 if owner == last else 1
        ids.append(f"{kind}/{numbers[owner]}" + (f"#{part}" if counts[owner] > 1 else ""))
        last = owner
    return shapes, np.array(numbers, dtype=np.int64)[owners], [values[owner] for owner in owners.tolist()], _objects(ids)


def _of_ways(ways: Ways, taken: set[int]) -> _Found:
    free = [k for k, number in enumerate(ways.ids) if number not in taken]
    shapes, owners = polygons_of_closed(ways.lines[free])
    return _found("way", shapes, owners, [ways.ids[k] for k in free], [ways.values[k] for k in free])


def _relations(extract: Extract) -> tuple[_Found, set[int], set[int], set[int]]:
    """Buildings and parts made of several ways, the numbers of the parts, and the ways whose own tags are spent by either."""
    member = {number: k for k, number in enumerate(extract.members.ids)}
    lines, tags_of = extract.members.lines, extract.members.values
    numbers: list[int] = []
    values: list[tuple[str, float, float]] = []
    shapes: list[shapely.Polygon] = []
    owners: list[int] = []
    parts: set[int] = set()
    taken: set[int] = set()
    taken_by_parts: set[int] = set()
    for number in sorted(extract.relations):
        tags, members = extract.relations[number]
        outer = [way for way, role in members if role != "inner"]
        value = rules.building_value(tags)
        if not value and tags.get("building:part", "no") == "no":  # the older style: the tags are on the outer way
            tags = next((tags_of[member[way]] for way in outer if way in member and tags_of[member[way]]), {})
            value = rules.building_value(tags)
        if not value and "building:part" not in tags:
            continue
        rings = [shapely.get_coordinates(lines[member[way]]) for way in outer if way in member]
        holes = [shapely.get_coordinates(lines[member[way]]) for way, role in members if role == "inner" and way in member]
        if not rings:
            continue  # an extract's edge: the relation is here, its ways are not
        (taken if value else taken_by_parts).update(outer)
        outer_rings, open_outer = assemble(rings)
        inner_rings, open_inner = assemble(holes)
        if open_outer + open_inner:
            log.warning("relation/%d has %d unclosed rings; they are left out", number, open_outer + open_inner)
        polygons = polygons_of(outer_rings, inner_rings)
        owners += [len(numbers)] * len(polygons)
        shapes += polygons
        numbers.append(number)
        values.append(wall_values(tags, value or tags["building:part"]))
        if not value:
            parts.add(number)
    return _found("relation", _objects(shapes), np.array(owners, dtype=np.int64), numbers, values), parts, taken, taken_by_parts


def _covered(parts: Objects, outlines: Objects) -> NDArray[np.bool_]:
    """Which parts have their middle inside an outline: its wall is already there."""
    covered = np.zeros(len(parts), dtype=bool)
    if len(parts) and len(outlines):
        covered[shapely.STRtree(outlines).query(shapely.point_on_surface(parts), predicate="within")[0]] = True
    return covered


def _roads(ways: Ways, kept: GeoBox | None) -> tuple[Objects, list[tuple[object, ...]]]:
    """Line strings, sorted by id and cut at the box, with (class, oneway, bridge, tunnel, id)."""
    lines, owners = ways.lines, np.arange(len(ways.lines))
    if kept is not None:
        box = shapely.box(*kept)
        cut = ~shapely.covered_by(lines, box)
        lines = lines.copy()
        lines[cut] = shapely.intersection(lines[cut], box)
        lines, owners = shapely.get_parts(lines, return_index=True)
        lines = shapely.transform(lines, lambda degrees: np.round(degrees * OSM_UNITS_PER_DEGREE) / OSM_UNITS_PER_DEGREE)
    good = (shapely.get_type_id(lines) == shapely.GeometryType.LINESTRING) & (shapely.length(lines) > 0.0)
    return lines[good], [(*ways.values[k], f"way/{ways.ids[k]}") for k in owners[good].tolist()]
