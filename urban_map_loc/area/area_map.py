"""AreaMap: what the rest of the project knows of a city."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane

# OSM stores degrees with seven decimals; hashing whole units makes the hash the same on every machine.
OSM_UNITS_PER_DEGREE = 10_000_000


@dataclass(frozen=True, eq=False)
class AreaMap:
    """Buildings and drivable roads about a datum.

    Attributes:
        datum: origin of the `map` frame, ENU metres.
        buildings_wgs84: `(B,)` polygons (holes are courtyards), x = longitude, y = latitude [deg].
        building_heights: `(B,)` [m] above ground, NaN where OSM says nothing.
        building_ids: `(B,)` OSM ids as text, such as "way/1234".
        roads_wgs84: `(R,)` line strings of drivable roads [deg].
        road_classes: `(R,)` OSM's `highway` values.
        source: where the data came from, one line.
    """

    datum: GeoPoint
    buildings_wgs84: NDArray[np.object_]
    building_heights: NDArray[np.float64]
    building_ids: NDArray[np.object_]
    roads_wgs84: NDArray[np.object_]
    road_classes: NDArray[np.object_]
    source: str = ""

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
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north [m] of buildings and roads together, `map` frame."""
        box = shapely.total_bounds(np.concatenate([self.buildings, self.roads]))
        return float(box[0]), float(box[1]), float(box[2]), float(box[3])

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hexadecimal) of datum and geometry: the same data give the same hash on any machine."""
        digest = hashlib.sha256()
        digest.update(_units(np.array([self.datum.lat_deg, self.datum.lon_deg])))
        for geometries, names in ((self.buildings_wgs84, self.building_ids), (self.roads_wgs84, self.road_classes)):
            for geometry, name in zip(geometries, names, strict=True):
                digest.update(f"{geometry.geom_type} {name} ".encode())
                for ring in shapely.get_rings(geometry) if geometry.geom_type == "Polygon" else (geometry,):
                    digest.update(f"{shapely.get_num_coordinates(ring)} ".encode())
                    digest.update(_units(shapely.get_coordinates(ring)))
        digest.update(np.round(np.nan_to_num(self.building_heights, nan=-1.0) * 100.0).astype("<i8").tobytes())
        return digest.hexdigest()


def _units(degrees: NDArray[np.float64]) -> bytes:
    return np.round(degrees * OSM_UNITS_PER_DEGREE).astype("<i8").tobytes()
