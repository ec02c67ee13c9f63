# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Area files: what is written is what is read, and damage is noticed."""

import dataclasses
import sqlite3

import numpy as np
import pytest
import shapely

from urban_map_loc.area.area_map import AreaMap, Layer
from urban_map_loc.area.geopackage import read_area, write_area
from urban_map_loc.errors import AreaError, OutputError
from urban_map_loc.geometry.geodesy import GeoPoint


def objects(*values):
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


@pytest.fixture
def area():
    hole = [(8.0002, 50.0002), (8.0004, 50.0002), (8.0004, 50.0004)]
    yard = shapely.Polygon([(8, 50), (8.001, 50), (8.001, 50.001), (8, 50.001)], [hole])
    return AreaMap(
        GeoPoint(50.0005, 8.0005),
        objects(yard, shapely.box(8.002, 50, 8.0021234, 50.0017654)),
        np.array([12.5, np.nan]),
        objects("relation/1", "way/2"),
        objects(shapely.LineString([(8, 50.002), (8.003, 50.0021)])),
        objects("residential"),
        "test é",
    )


def test_round_trip_is_exact(area, tmp_path):
    write_area(area, tmp_path / "a.gpkg")
    back = read_area(tmp_path / "a.gpkg")
    assert back.content_hash == area.content_hash
    assert back.datum == area.datum
    assert back.source == area.source
    assert shapely.equals_identical(back.buildings_wgs84, area.buildings_wgs84).all()
    assert shapely.equals_identical(back.roads_wgs84, area.roads_wgs84).all()
    np.testing.assert_array_equal(back.building_heights, area.building_heights)
    assert list(back.building_ids) == ["relation/1", "way/2"]
    assert list(back.road_classes) == ["residential"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.gpkg"]


def test_metadata_table_is_registered_with_attribution(area, tmp_path):
    write_area(area, tmp_path / "a.gpkg")
    with sqlite3.connect(tmp_path / "a.gpkg") as database:
        contents = dict(database.execute("SELECT table_name, data_type FROM gpkg_contents"))
        metadata = dict(database.execute("SELECT key, value FROM metadata"))
    layers = ("buildings", "roads", "barriers", "without_walls")
    assert contents == {**dict.fromkeys(layers, "features"), "metadata": "attributes"}
    assert metadata["attribution"] == "© OpenStreetMap contributors, ODbL"
    assert metadata["datum_lat_deg"] == "50.0005000"


@pytest.fixture
def rich(area):
    line, house = shapely.LineString([(8, 50.0003), (8.003, 50.0004)]), shapely.box(8.002, 50.002, 8.0021, 50.0021)
    return dataclasses.replace(
        area,
        osm_timestamp="2024-05-01T10:00:00Z",
        building_min_heights=np.array([0.0, 1.5]),
        road_oneways=np.array([-1]),
        road_bridges=np.array([True]),
        tunnels=Layer(objects(line), objects("primary"), objects("way/5")),
        barriers=Layer(objects(line, line), objects("hedge", "wall"), objects("way/6", "way/7")),
        without_walls=Layer(objects(house), objects("building=roof"), objects("way/8")),
    )


def test_round_trip_of_all_that_an_area_may_hold(rich, tmp_path):
    write_area(rich, tmp_path / "a.gpkg")
    back = read_area(tmp_path / "a.gpkg")
    assert back.content_hash == rich.content_hash
    assert back.osm_timestamp == rich.osm_timestamp
    np.testing.assert_array_equal(back.building_min_heights, rich.building_min_heights)
    np.testing.assert_array_equal(back.road_oneways, [-1])
    np.testing.assert_array_equal(back.road_bridges, [True])
    assert list(back.road_classes) == ["residential"]
    for name in ("tunnels", "barriers", "without_walls"):
        ours, theirs = getattr(back, name), getattr(rich, name)
        assert shapely.equals_identical(ours.shapes_wgs84, theirs.shapes_wgs84).all()
        assert (list(ours.kinds), list(ours.ids)) == (list(theirs.kinds), list(theirs.ids))


def test_metadata_says_what_is_in_the_file(rich, tmp_path):
    write_area(rich, tmp_path / "a.gpkg")
    with sqlite3.connect(tmp_path / "a.gpkg") as database:
        metadata = dict(database.execute("SELECT key, value FROM metadata"))
        tunnels = database.execute("SELECT highway, osm_id FROM roads WHERE tunnel").fetchall()
    counts = {name: metadata[name] for name in ("buildings", "roads", "tunnels", "barriers", "without_walls")}
    assert counts == {"buildings": "2", "roads": "1", "tunnels": "1", "barriers": "2", "without_walls": "1"}
    assert metadata["bounds_deg"] == "8.0000000,50.0000000,8.0030000,50.0021000"
    assert metadata["osm_timestamp"] == "2024-05-01T10:00:00Z"
    assert "topocentric" in metadata["projection"]
    assert tunnels == [("primary", "way/5")]


def test_the_hash_covers_what_is_computed_with(area, rich):
    assert rich.content_hash != area.content_hash
    changes = [
        {"barriers": Layer()},
        {"building_min_heights": np.zeros(2)},
        {"building_heights": np.array([12.5, 3.0])},
        {"roads_wgs84": objects(shapely.LineString([(8, 50.002), (8.003, 50.0022)]))},
    ]
    assert len({dataclasses.replace(rich, **change).content_hash for change in changes} | {rich.content_hash}) == 5
    unused = {"source": "elsewhere", "osm_timestamp": "", "tunnels": Layer(), "without_walls": Layer()}
    assert dataclasses.replace(rich, **unused).content_hash == rich.content_hash


def test_the_hash_is_the_same_on_every_machine(area, rich):
    assert area.content_hash == "263b19a2e85fc3c8deb566a8147ee6d0876867305459f6d46050efeba1e8e06c"
    assert rich.content_hash == "4ffca7db89b38e6c3bfb989a9b00870d9cbbd347e720f962e575443447c38ee1"


def test_files_of_the_first_version_are_read(area, tmp_path):
    path = tmp_path / "a.gpkg"
    write_area(area, path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA writable_schema=ON")
        for layer in ("barriers", "without_walls"):
            database.execute("DELETE FROM gpkg_contents WHERE table_name = ?", (layer,))
            database.execute("DELETE FROM gpkg_geometry_columns WHERE table_name = ?", (layer,))
        for table, column in (
            ("buildings", "min_height_m"),
            ("roads", "oneway"),
            ("roads", "bridge"),
            ("roads", "tunnel"),
            ("roads", "osm_id"),
        ):
            database.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        database.execute("DELETE FROM metadata WHERE key IN ('projection', 'osm_timestamp', 'bounds_deg', 'buildings', 'roads')")
    back = read_area(path)
    assert back.content_hash == area.content_hash
    assert (len(back.barriers), len(back.tunnels), list(back.road_oneways)) == (0, 0, [0])


def test_an_older_file_is_replaced(area, tmp_path):
    path = tmp_path / "a.gpkg"
    path.write_text("old")
    write_area(area, path)
    assert read_area(path).content_hash == area.content_hash


def test_edited_file_is_refused(area, tmp_path):
    path = tmp_path / "a.gpkg"
    write_area(area, path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE metadata SET value = '50.0006000' WHERE key = 'datum_lat_deg'")
    with pytest.raises(AreaError, match="edited or is damaged"):
        read_area(path)


def test_newer_format_is_refused(area, tmp_path):
    path = tmp_path / "a.gpkg"
    write_area(area, path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE metadata SET value = '99' WHERE key = 'format_version'")
    with pytest.raises(AreaError, match="format 99"):
        read_area(path)


def test_missing_layer(area, tmp_path):
    path = tmp_path / "a.gpkg"
    write_area(area, path)
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE roads")
    with pytest.raises(AreaError, match="roads"):
        read_area(path)


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + bytes(100)])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "a.gpkg"
    path.write_bytes(content)
    with pytest.raises(AreaError, match="no area file or is damaged"):
        read_area(path)


def test_truncated_file_is_refused(area, tmp_path):
    path = tmp_path / "a.gpkg"
    write_area(area, path)
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(AreaError, match=r"a\.gpkg"):
        read_area(path)


def test_missing_file(tmp_path):
    with pytest.raises(AreaError, match="does not exist"):
        read_area(tmp_path / "a.gpkg")


def test_a_failing_database_leaves_nothing(area, tmp_path, monkeypatch):
    import pyogrio.errors
    import pyogrio.raw

    def full(path, *_, **__):
        path.with_name(path.name + "-journal").write_text("half")
        raise pyogrio.errors.DataSourceError("disk full")

    monkeypatch.setattr(pyogrio.raw, "write", full)
    with pytest.raises(OutputError, match="disk full"):
        write_area(area, tmp_path / "a.gpkg")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_output_leaves_nothing(area, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another place"):
        write_area(area, tmp_path / "file" / "a.gpkg")
    (tmp_path / "folder.gpkg").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_area(area, tmp_path / "folder.gpkg")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.gpkg"]
