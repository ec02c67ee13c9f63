# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""AreaMap: what the rest of the project knows of a city."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane

# OSM stores degrees with seven decimals; hashing whole units makes the hash the same on every machine.
OSM_UNITS_PER_DEGREE = 10_000_000


class MappedArea(Protocol):
    """What an area and an atlas have in common: a piece of the world about a datum."""

    @property
    def datum(self) -> GeoPoint:
        """Origin of the `map` frame."""
        ...

    @property
    def plane(self) -> LocalTangentPlane:
        """The `map` frame's projection."""
        ...

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north [m]."""
        ...

    @property
    def content_hash(self) -> str:
        """SHA-256 (hexadecimal): the same data give the same hash on any machine."""
        ...


def _nothing() -> NDArray[np.object_]:
    return np.empty(0, dtype=object)


@dataclass(frozen=True, eq=False)
class Layer:
    """Things that the localizer does not use as buildings or roads, kept for pictures and later use.

    Attributes:
        shapes_wgs84: `(N,)` geometries, x = longitude, y = latitude [deg].
        kinds: `(N,)` what each is, such as "hedge".
        ids: `(N,)` OSM ids as text, such as "way/1234".
    """

    shapes_wgs84: NDArray[np.object_] = field(default_factory=_nothing)
    kinds: NDArray[np.object_] = field(default_factory=_nothing)
    ids: NDArray[np.object_] = field(default_factory=_nothing)

    def __len__(self) -> int:
        return len(self.shapes_wgs84)


@dataclass(frozen=True, eq=False)
class AreaMap:
    """Buildings and drivable roads about a datum.

    Longitudes are continuous: an area across the antimeridian has some beyond 180 degrees.

    Attributes:
        datum: origin of the `map` frame, ENU metres.
        buildings_wgs84: `(B,)` polygons (holes are courtyards), x = longitude, y = latitude [deg].
        building_heights: `(B,)` [m] above ground, NaN where OSM says nothing.
        building_ids: `(B,)` OSM ids as text, such as "way/1234".
        roads_wgs84: `(R,)` line strings of drivable roads under the sky [deg].
        road_classes: `(R,)` OSM's `highway` values.
        source: where the data came from, one line.
        osm_timestamp: how new the data are, as the file says it (ISO 8601); empty where it does not.
        building_min_heights: `(B,)` bottom above ground [m]; zeros unless given.
        road_oneways: `(R,)` 1 along the line, -1 against it, 0 both ways; zeros unless given.
        road_bridges: `(R,)` whether on a bridge; all false unless given.
        tunnels: drivable roads that see no sky: no part of `roads`, nobody is localized there. Kinds are `highway` values.
        barriers: city walls, walls, fences and hedges as line strings; not yet used for localization.
        without_walls: footprints that show no wall (roofs, underground, demolished, ...); kinds say why, as a tag.
    """

    datum: GeoPoint
    buildings_wgs84: NDArray[np.object_]
    building_heights: NDArray[np.float64]
    building_ids: NDArray[np.object_]
    roads_wgs84: NDArray[np.object_]
    road_classes: NDArray[np.object_]
    source: str = ""
    osm_timestamp: str = ""
    building_min_heights: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    road_oneways: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    road_bridges: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    tunnels: Layer = field(default_factory=Layer)
    barriers: Layer = field(default_factory=Layer)
    without_walls: Layer = field(default_factory=Layer)

    def __post_init__(self) -> None:
        defaults = {
            "building_min_heights": np.zeros(len(self.buildings_wgs84)),
            "road_oneways": np.zeros(len(self.roads_wgs84), dtype=np.int64),
            "road_bridges": np.zeros(len(self.roads_wgs84), dtype=bool),
        }
        for name, default in defaults.items():
            if not len(getattr(self, name)):
                object.__setattr__(self, name, default)

    @cached_property
    def plane(self) -> LocalTangentPlane:
        """The `map` frame's projection."""
        return LocalTangentPlane(self.datum)

    def _projected(self, geometries: NDArray[np.object_]) -> NDArray[np.object_]:
        def to_map(lon_lat: NDArray[np.float64]) -> NDArray[np.float64]:
            return self.plane.to_enu(lon_lat[:, 1], lon_lat[:, 0])

        projected: NDArray[np.object_] = shapely.transform(geometries, to_map)
        return projected

    @cached_property
    def buildings(self) -> NDArray[np.object_]:
        """`(B,)` polygons in the `map` frame [m]."""
        return self._projected(self.buildings_wgs84)

    @cached_property
    def roads(self) -> NDArray[np.object_]:
        """`(R,)` line strings in the `map` frame [m]."""
        return self._projected(self.roads_wgs84)

    @cached_property
    def tunnel_lines(self) -> NDArray[np.object_]:
        """Line strings of `tunnels` in the `map` frame [m]."""
        return self._projected(self.tunnels.shapes_wgs84)

    @cached_property
    def barrier_lines(self) -> NDArray[np.object_]:
        """Line strings of `barriers` in the `map` frame [m]."""
        return self._projected(self.barriers.shapes_wgs84)

    @cached_property
    def footprints_without_walls(self) -> NDArray[np.object_]:
        """Polygons of `without_walls` in the `map` frame [m]."""
        return self._projected(self.without_walls.shapes_wgs84)

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north [m] of buildings and roads together, `map` frame."""
        box = shapely.total_bounds(np.concatenate([self.buildings, self.roads]))
        return float(box[0]), float(box[1]), float(box[2]), float(box[3])

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hexadecimal) of datum, buildings, roads and barriers: the same data give the same hash on any machine.

        Whole numbers are hashed (1e-7 deg, centimetres), never floating-point digits. Source, timestamp, tunnels and what has
        no walls are left out: nothing is computed from them.
        """
        digest = hashlib.sha256()
        digest.update(_units(np.array([self.datum.lat_deg, self.datum.lon_deg])))
        for geometries, names in ((self.buildings_wgs84, self.building_ids), (self.roads_wgs84, self.road_classes)):
            for piece in _pieces(geometries, names):
                digest.update(piece)
        digest.update(_centimetres(np.nan_to_num(self.building_heights, nan=-1.0)))
        # Areas that lack these hash as they did before these existed.
        if self.building_min_heights.any():
            digest.update(b"min_heights " + _centimetres(self.building_min_heights))
        if len(self.barriers):
            digest.update(b"barriers ")
            for piece in _pieces(self.barriers.shapes_wgs84, self.barriers.kinds):
                digest.update(piece)
        return digest.hexdigest()


def _pieces(geometries: NDArray[np.object_], names: NDArray[np.object_]) -> Iterator[bytes | memoryview]:
    """What is hashed of each polygon or line string: type, name, and the length and units of each ring."""
    polygons = len(geometries) > 0 and geometries[0].geom_type == "Polygon"  # a layer holds one type
    kind = "Polygon" if polygons else "LineString"
    rings, owners = shapely.get_rings(geometries, return_index=True) if polygons else (geometries, np.arange(len(geometries)))
    units = memoryview(_units(shapely.get_coordinates(rings)))
    ends = np.cumsum(shapely.get_num_coordinates(rings)).tolist()
    last, start = -1, 0
    for owner, end in zip(owners.tolist(), ends, strict=True):
        if owner != last:
            yield f"{kind} {names[owner]} ".encode()
            last = owner
        yield f"{end - start} ".encode()
        yield units[16 * start : 16 * end]  # two numbers of eight bytes a point
        start = end


def _units(degrees: NDArray[np.float64]) -> bytes:
    return np.round(degrees * OSM_UNITS_PER_DEGREE).astype("<i8").tobytes()


def _centimetres(metres: NDArray[np.float64]) -> bytes:
    return np.round(metres * 100.0).astype("<i8").tobytes()
