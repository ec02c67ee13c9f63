"""Area files: a GeoPackage with the layers buildings and roads and the table metadata; opens in QGIS."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.errors import AreaError, OutputError
from urban_map_loc.geometry.geodesy import GeoPoint
from urban_map_loc.output import final_file

FORMAT_VERSION = 1
ATTRIBUTION = "© OpenStreetMap contributors, ODbL"
_REBUILD = "build it again with `urban_map_loc area build`"


def write_area(area: AreaMap, path: Path) -> None:
    """Write an area file; an older one of that name is replaced only once the new one is whole.

    Raises:
        OutputError: `path` cannot be written.
    """
    metadata = {
        "format_version": str(FORMAT_VERSION),
        "datum_lat_deg": f"{area.datum.lat_deg:.7f}",
        "datum_lon_deg": f"{area.datum.lon_deg:.7f}",
        "content_hash": area.content_hash,
        "source": area.source,
        "attribution": ATTRIBUTION,
    }
    with final_file(path) as temporary, _failures(path):
        columns = {"osm_id": area.building_ids, "height_m": area.building_heights}
        _write_layer(temporary, "buildings", "Polygon", area.buildings_wgs84, columns)
        _write_layer(temporary, "roads", "LineString", area.roads_wgs84, {"highway": area.road_classes})
        with closing(sqlite3.connect(temporary)) as database, database:
            database.execute("CREATE TABLE metadata (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)")
            database.executemany("INSERT INTO metadata VALUES (?, ?)", metadata.items())
            database.execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier, description) "
                "VALUES ('metadata', 'attributes', 'metadata', ?)",
                (ATTRIBUTION,),
            )


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


def read_area(path: Path) -> AreaMap:
    """Read an area file.

    Raises:
        AreaError: the file is missing, damaged, no area file, of a newer format, or its content does not match its hash.
    """
    if not path.is_file():
        raise AreaError(f"{path} does not exist; {_REBUILD}")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            metadata = dict(database.execute("SELECT key, value FROM metadata"))
        version = int(metadata["format_version"])
        datum = GeoPoint(float(metadata["datum_lat_deg"]), float(metadata["datum_lon_deg"]))
        content_hash, source = metadata["content_hash"], metadata["source"]
    except (sqlite3.Error, KeyError, ValueError) as error:
        raise AreaError(f"{path} is no area file or is damaged ({error}); {_REBUILD}") from error
    if version > FORMAT_VERSION:
        raise AreaError(f"{path} has format {version}, this version reads up to {FORMAT_VERSION}; upgrade urban_map_loc")
    buildings, (ids, heights) = _read_layer(path, "buildings", ("osm_id", "height_m"))
    roads, (classes,) = _read_layer(path, "roads", ("highway",))
    area = AreaMap(datum, buildings, heights.astype(np.float64), ids, roads, classes, source)
    if area.content_hash != content_hash:
        raise AreaError(f"{path} holds {area.content_hash[:12]} but says {content_hash[:12]}: it was edited or is damaged; {_REBUILD}")
    return area


def _read_layer(path: Path, layer: str, names: tuple[str, ...]) -> tuple[NDArray[np.object_], list[NDArray[np.object_]]]:
    import pyogrio.errors
    import pyogrio.raw

    try:
        meta, _, wkb, columns = pyogrio.raw.read(path, layer=layer, columns=list(names))
        by_name = dict(zip(meta["fields"], columns, strict=True))
        return shapely.from_wkb(wkb), [by_name[name] for name in names]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, shapely.errors.ShapelyError, KeyError) as error:
        raise AreaError(f"{path} has no readable layer {layer} ({error}); {_REBUILD}") from error
