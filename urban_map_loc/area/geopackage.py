# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Area files: a GeoPackage with the layers buildings, roads, barriers and without_walls and the table metadata; opens in QGIS.

The layer roads holds tunnels too, marked; they are read back apart. Files without the newer layers and columns are read as well.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap, Layer
from urban_map_loc.errors import AreaError, OutputError
from urban_map_loc.geometry.geodesy import GeoPoint
from urban_map_loc.output import final_file
from urban_map_loc.reading import require_plain_tables, require_size

FORMAT_VERSION = 1
ATTRIBUTION = "© OpenStreetMap contributors, ODbL"
PROJECTION = "WGS84 to local east, north [m]: topocentric on the ellipsoid about the datum (EPSG method 9836, height 0)"
# Layer of the file, its geometry, the column of the kinds, and the field of AreaMap.
_EXTRA_LAYERS = (("barriers", "LineString", "barrier", "barriers"), ("without_walls", "Polygon", "reason", "without_walls"))
_REBUILD = "build it again with `urban_map_loc area build`"


def write_area(area: AreaMap, path: Path) -> None:
    """Write an area file; an older one of that name is replaced only once the new one is whole.

    Raises:
        OutputError: `path` cannot be written.
    """
    with final_file(path) as temporary, _failures(path):
        buildings = {"osm_id": area.building_ids, "height_m": area.building_heights, "min_height_m": area.building_min_heights}
        _write_layer(temporary, "buildings", "Polygon", area.buildings_wgs84, buildings)
        under, roads = area.tunnels, len(area.roads_wgs84)
        columns = {
            "highway": np.concatenate([area.road_classes, under.kinds]),
            "oneway": np.concatenate([area.road_oneways, np.zeros(len(under))]).astype(np.int16),
            "bridge": np.concatenate([area.road_bridges, np.zeros(len(under), dtype=bool)]),
            "tunnel": np.arange(roads + len(under)) >= roads,
            "osm_id": np.concatenate([np.full(roads, "", dtype=object), under.ids]),
        }
        _write_layer(temporary, "roads", "LineString", np.concatenate([area.roads_wgs84, under.shapes_wgs84]), columns)
        for name, kind, column, layer in _EXTRA_LAYERS:
            things: Layer = getattr(area, layer)
            _write_layer(temporary, name, kind, things.shapes_wgs84, {"osm_id": things.ids, column: things.kinds})
        with closing(sqlite3.connect(temporary)) as database, database:
            database.execute("CREATE TABLE metadata (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)")
            database.executemany("INSERT INTO metadata VALUES (?, ?)", _metadata(area).items())
            database.execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier, description) "
                "VALUES ('metadata', 'attributes', 'metadata', ?)",
                (ATTRIBUTION,),
            )


def _metadata(area: AreaMap) -> dict[str, str]:
    """What the table says; `docs/area.md` explains each key."""
    box = shapely.total_bounds(np.concatenate([area.buildings_wgs84, area.roads_wgs84]))
    return {
        "format_version": str(FORMAT_VERSION),
        "datum_lat_deg": f"{area.datum.lat_deg:.7f}",
        "datum_lon_deg": f"{area.datum.lon_deg:.7f}",
        "projection": PROJECTION,
        "content_hash": area.content_hash,
        "source": area.source,
        "osm_timestamp": area.osm_timestamp,
        "bounds_deg": ",".join(f"{value:.7f}" for value in box),
        "buildings": str(len(area.buildings_wgs84)),
        "roads": str(len(area.roads_wgs84)),
        "tunnels": str(len(area.tunnels)),
        "barriers": str(len(area.barriers)),
        "without_walls": str(len(area.without_walls)),
        "attribution": ATTRIBUTION,
    }


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    """What the database libraries raise on full disks and forbidden places becomes an OutputError."""
    import pyogrio.errors

    try:
        yield
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError, sqlite3.Error) as error:
        raise OutputError(f"{path} cannot be written ({error}); choose another place or free some space") from error


def _write_layer(path: Path, layer: str, kind: str, shapes: NDArray[np.object_], columns: dict[str, NDArray[np.generic]]) -> None:
    import pyogrio.raw

    pyogrio.raw.write(
        path,
        shapely.to_wkb(shapes),
        list(columns.values()),
        np.array(list(columns), dtype=object),
        layer=layer,
        driver="GPKG",
        geometry_type=kind,
        crs="EPSG:4326",
        append=path.exists(),
    )


@dataclass(frozen=True)
class AreaHead:
    """What an area file says of itself before its layers are read."""

    datum: GeoPoint
    content_hash: str
    metadata: dict[str, str]
    layers: frozenset[str]


def read_head(path: Path) -> AreaHead:
    """Datum, content hash and metadata of an area file, at once however large it is; the hash is not compared with the content.

    Raises:
        AreaError: the file is missing, damaged, no area file or of a newer format.
    """
    if not path.is_file():
        raise AreaError(f"{path} does not exist; {_REBUILD}")
    require_size(path, "largest_area_mb", AreaError)
    require_plain_tables(path, AreaError)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            metadata = dict(database.execute("SELECT key, value FROM metadata"))
            layers = frozenset(name for (name,) in database.execute("SELECT table_name FROM gpkg_contents"))
        version = int(metadata["format_version"])
        datum = GeoPoint(float(metadata["datum_lat_deg"]), float(metadata["datum_lon_deg"]))
        head = AreaHead(datum, metadata["content_hash"], metadata, layers)
    except (sqlite3.Error, KeyError, ValueError) as error:
        raise AreaError(f"{path} is no area file or is damaged ({error}); {_REBUILD}") from error
    if version > FORMAT_VERSION:
        raise AreaError(f"{path} has format {version}, this version reads up to {FORMAT_VERSION}; upgrade urban_map_loc")
    return head


def read_area(path: Path) -> AreaMap:
    """Read an area file.

    Raises:
        AreaError: as `read_head`, or its content does not match its hash.
    """
    head = read_head(path)
    metadata, layers = head.metadata, head.layers
    buildings, of_building = _read_layer(path, "buildings", ("osm_id", "height_m"))
    roads, of_road = _read_layer(path, "roads", ("highway",))
    barriers, without_walls = (_read_extra(path, layer, column) if layer in layers else Layer() for layer, _, column, _ in _EXTRA_LAYERS)
    classes, count = of_road["highway"], len(roads)
    below = of_road.get("tunnel", np.zeros(count)).astype(bool)
    area = AreaMap(
        head.datum,
        *(buildings, of_building["height_m"].astype(np.float64), of_building["osm_id"]),
        *(roads[~below], classes[~below]),
        metadata.get("source", ""),
        metadata.get("osm_timestamp", ""),
        of_building.get("min_height_m", np.zeros(len(buildings))).astype(np.float64),
        of_road.get("oneway", np.zeros(count))[~below].astype(np.int64),
        of_road.get("bridge", np.zeros(count))[~below].astype(bool),
        tunnels=Layer(roads[below], classes[below], of_road["osm_id"][below]) if below.any() else Layer(),
        barriers=barriers,
        without_walls=without_walls,
    )
    if area.content_hash != head.content_hash:
        raise AreaError(f"{path} holds {area.content_hash[:12]} but says {head.content_hash[:12]}: it was edited or is damaged; {_REBUILD}")
    return area


def _read_extra(path: Path, layer: str, column: str) -> Layer:
    shapes, columns = _read_layer(path, layer, ("osm_id", column))
    return Layer(shapes, columns[column], columns["osm_id"])


def _read_layer(path: Path, layer: str, needed: tuple[str, ...]) -> tuple[NDArray[np.object_], dict[str, NDArray[Any]]]:
    """Geometries and all columns of a layer."""
    import pyogrio.errors
    import pyogrio.raw

    try:
        meta, _, wkb, columns = pyogrio.raw.read(path, layer=layer)
        by_name = dict(zip(meta["fields"], columns, strict=True))
        for name in needed:
            by_name[name]
        return shapely.from_wkb(wkb), by_name
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, shapely.errors.ShapelyError, KeyError) as error:
        raise AreaError(f"{path} has no readable layer {layer} ({error}); {_REBUILD}") from error
