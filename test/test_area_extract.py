# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Files of every kind, several files, crops, odd geometry, both ends of the globe."""

import bz2
import gzip
import logging
import tempfile
from pathlib import Path

import numpy as np
import osmium
import pytest
import shapely
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from osm_documents import STREET, box, document, node_id, read, relation, same, square, way

from urban_map_loc.area import extract
from urban_map_loc.area.box import GeoBox
from urban_map_loc.area.geopackage import read_area, write_area
from urban_map_loc.area.osm import read_osm
from urban_map_loc.cli.main import run
from urban_map_loc.errors import AreaError

TOWN = document(way(1, square(1, 1), building="yes") + way(2, square(4, 4), barrier="hedge") + STREET)


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".osm.gz", ".osm.bz2", ".osm.pbf"])
def test_every_kind_of_file_gives_the_same_area(tmp_path, suffix):
    plain, path = write(tmp_path, "map.osm", TOWN), tmp_path / f"map{suffix}"
    if suffix == ".osm.pbf":
        with osmium.SimpleWriter(str(path)) as out:
            for item in osmium.FileProcessor(str(plain)):
                out.add(item)
    else:
        path.write_bytes((gzip if suffix == ".osm.gz" else bz2).compress(TOWN.encode()))
    assert read_osm(path).content_hash == read_osm(plain).content_hash


def test_files_that_overlap_are_one_area(tmp_path):
    houses = way(1, square(1, 1), building="yes"), way(2, square(4, 4), building="yes")
    whole = read_osm(write(tmp_path, "whole.osm", document("".join(houses) + STREET)))
    parts = [write(tmp_path, "a.osm", document(houses[0] + STREET)), write(tmp_path, "b.osm", document(houses[1] + STREET))]
    both = read_osm(parts)
    assert both.content_hash == whole.content_hash
    assert "a.osm, b.osm" in both.source


def test_a_way_may_find_its_nodes_in_another_file_and_in_any_order(tmp_path):
    text = document(way(1, square(1, 1), building="yes") + STREET)
    start, end = text.index("<node"), text.rindex("</osm>")
    ways_at = text.index("<way")
    nodes, ways = text[start:ways_at], text[ways_at:end]
    expected = read(tmp_path, text).content_hash
    assert read(tmp_path, text[:start] + ways + nodes + "</osm>").content_hash == expected
    two = [write(tmp_path, "ways.osm", text[:start] + ways + "</osm>"), write(tmp_path, "nodes.osm", text[:start] + nodes + "</osm>")]
    assert read_osm(two).content_hash == expected


def test_many_small_batches_are_one_area(tmp_path, monkeypatch):
    expected = read(tmp_path, TOWN).content_hash
    monkeypatch.setattr(extract, "BATCH", 1)
    assert read(tmp_path, TOWN).content_hash == expected


def test_crop_keeps_buildings_whole_and_cuts_roads(tmp_path):
    ways = way(1, square(1, 1), building="yes") + way(2, square(3, 3, 2), building="yes") + way(3, square(7, 7), building="yes")
    ways += way(4, [(0, 4), (9, 4)], highway="service") + way(5, [(8, 0), (9, 0)], highway="service")
    ways += way(6, square(0, 0, 9)) + way(7, square(2, 0, 7))
    around = relation(8, [(6, "outer"), (7, "inner")], building="yes")
    path = write(tmp_path, "map.osm", document(ways, around))
    area = read_osm(path, GeoBox(8.004, 50.0035, 8.006, 50.0045))
    assert list(area.building_ids) == ["way/2"]
    assert same(area.buildings_wgs84[0], box(3, 3, 2))
    np.testing.assert_allclose(shapely.get_coordinates(area.roads_wgs84), [[8.004, 50.004], [8.006, 50.004]], atol=1e-9)
    assert (area.datum.lat_deg, area.datum.lon_deg) == (50.004, 8.005)


def test_a_crop_without_anything_says_so(tmp_path):
    with pytest.raises(AreaError, match=r"map\.osm within 10,10,11,11 holds no building; "):
        read_osm(write(tmp_path, "map.osm", TOWN), GeoBox(10, 10, 11, 11))


def test_a_hole_that_touches_the_edge_in_a_point(tmp_path):
    ways = way(1, square(1, 1, 3)) + way(2, [(1, 2), (2, 3), (2, 2), (1, 2)]) + STREET
    area = read(tmp_path, document(ways, relation(7, [(1, "outer"), (2, "inner")], building="yes")))
    hole = shapely.Polygon([(8.001, 50.002), (8.002, 50.003), (8.002, 50.002)])
    assert area.buildings_wgs84[0].is_valid
    assert area.buildings_wgs84[0].symmetric_difference(box(1, 1, 3).difference(hole)).area < 1e-15


def test_a_hole_along_the_edge_is_a_notch(tmp_path):
    ways = way(1, square(1, 1, 3)) + way(2, square(1, 2)) + STREET
    area = read(tmp_path, document(ways, relation(7, [(1, "outer"), (2, "inner")], building="yes")))
    assert len(area.buildings_wgs84[0].interiors) == 0
    assert area.buildings_wgs84[0].symmetric_difference(box(1, 1, 3).difference(box(1, 2))).area < 1e-15


def test_repeated_nodes_do_no_harm(tmp_path):
    ring = [(1, 1), (1, 1), (2, 1), (2, 2), (2, 2), (1, 2), (1, 1)]
    area = read(tmp_path, document(way(1, ring, building="yes") + STREET))
    assert same(area.buildings_wgs84[0], box(1, 1))
    assert shapely.get_num_coordinates(area.buildings_wgs84[0]) == 5


def test_a_ring_closed_by_two_nodes_in_one_place(tmp_path):
    twin = f'<node id="5000" version="1" lat="{50.001:.7f}" lon="{8.001:.7f}"/>'
    house = way(1, square(1, 1)[:-1], building="yes").replace("<tag", '<nd ref="5000"/><tag', 1)
    area = read(tmp_path, document(house + STREET).replace("<way", twin + "<way", 1))
    assert same(area.buildings_wgs84[0], box(1, 1))


def test_a_ring_that_collapses_is_refused_with_its_id(tmp_path, caplog):
    flat = way(2, [(4, 4), (6, 4), (5, 4), (4, 4)], building="yes")
    with caplog.at_level(logging.WARNING):
        area = read(tmp_path, document(way(1, square(1, 1), building="yes") + flat + STREET))
    assert list(area.building_ids) == ["way/1"]
    assert "way/2 is no closed building outline" in caplog.text


def test_a_relation_with_a_missing_member_keeps_its_whole_rings(tmp_path, caplog):
    ways = way(1, square(1, 1)) + way(2, [(4, 4), (6, 4), (6, 6)]) + STREET
    members = [(1, "outer"), (2, "outer"), (3, "outer"), (4, "inner")]
    with caplog.at_level(logging.WARNING):
        area = read(tmp_path, document(ways, relation(7, members, building="yes")))
    assert list(area.building_ids) == ["relation/7"]
    assert same(area.buildings_wgs84[0], box(1, 1))
    assert "relation/7 has 1 unclosed rings" in caplog.text


def test_a_way_that_lacks_nodes_keeps_what_is_there(tmp_path):
    text = document(way(1, square(1, 1), building="yes") + STREET)
    lost = f'<node id="{node_id(5, 9)}" '
    at = text.index(lost)
    area = read(tmp_path, text[:at] + text[text.index("/>", at) + 2 :])
    np.testing.assert_allclose(shapely.get_coordinates(area.roads_wgs84), [[8.0, 50.009], [8.009, 50.009]], atol=1e-9)


def test_negative_ids_are_refused(tmp_path):
    with pytest.raises(AreaError, match="negative id.*renumber"):
        read(tmp_path, document(way(-1, square(1, 1), building="yes") + STREET))


def moved(text, lat, lon):
    """The lattice elsewhere: its corner (8, 50) at `lat`, `lon`, longitudes within 180 degrees."""
    for x in range(10):
        for y in range(10):
            to = lon + x / 1000
            to = to - 360 if to > 180 else to
            text = text.replace(f'lat="{50 + y / 1000:.7f}" lon="{8 + x / 1000:.7f}"', f'lat="{lat + y / 1000:.7f}" LON="{to:.7f}"')
    return text.replace("LON=", "lon=")


@pytest.mark.parametrize(("lat", "lon"), [(-33.87, 151.2), (0.0, 0.0), (-16.8, 179.9985), (-16.8, -0.0015), (-54.8, -68.3)])
@pytest.mark.parametrize("crop", [False, True])
def test_anywhere_on_earth_is_as_large_as_here(tmp_path, lat, lon, crop):
    bbox = GeoBox(lon - 0.001, lat - 0.001, lon + 0.011, lat + 0.011) if crop else None
    ways, yard = way(1, square(1, 1, 3)) + way(2, square(2, 2)) + STREET, relation(7, [(1, "outer"), (2, "inner")], building="yes")
    area = read_osm(write(tmp_path, "map.osm", moved(document(ways, yard), lat, lon)), bbox)
    expected = shapely.Polygon(*[shapely.get_coordinates(box(1, 1, 3)), [shapely.get_coordinates(box(2, 2))]])
    expected = shapely.transform(expected, lambda degrees: degrees + [lon - 8, lat - 50])
    assert area.buildings_wgs84[0].symmetric_difference(expected).area < 1e-12
    assert -180.0 <= area.datum.lon_deg <= 180.0
    assert shapely.length(area.roads).sum() == pytest.approx(9.0 * 111.32 * np.cos(np.radians(lat)), rel=0.01)
    assert np.abs(area.bounds).max() < 2000.0
    back = area.plane.to_geodetic(shapely.get_coordinates(area.roads))
    assert np.abs(back[:, 1]).max() <= 180.0
    write_area(area, tmp_path / "a.gpkg")
    again = read_area(tmp_path / "a.gpkg")
    assert again.content_hash == area.content_hash
    assert shapely.equals_identical(again.buildings_wgs84, area.buildings_wgs84).all()


@pytest.mark.parametrize(
    ("text", "values"),
    [("8,50,9,51", (8, 50, 9, 51)), ("179,-17,-179,-16", (179, -17, 181, -16)), (" -1.5, 51 ,-1,52", (-1.5, 51, -1, 52))],
)
def test_boxes(text, values):
    assert GeoBox.parse(text) == values
    assert GeoBox.parse(str(GeoBox.parse(text))) == values


@pytest.mark.parametrize("text", ["", "8,50,9", "8,50,9,x", "8,51,9,50", "8,50,8,51", "190,50,191,51", "8,-91,9,0", "nan,1,2,3"])
def test_wrong_boxes(text):
    with pytest.raises(AreaError, match="west,south,east,north"):
        GeoBox.parse(text)


def test_age_of_the_data(tmp_path):
    base = TOWN.replace('<osm version="0.6">', '<osm version="0.6"><meta osm_base="2015-02-25T10:15:02Z"/>')
    assert read(tmp_path, base).osm_timestamp == "2015-02-25T10:15:02Z"
    assert read(tmp_path, TOWN).osm_timestamp == ""


def test_a_box_west_of_greenwich_on_the_command_line(tmp_path, capsys):
    path = write(tmp_path, "map.osm", moved(TOWN, 51.75, -1.27))
    arguments = ["area", "build", "--osm", str(path), "--bbox", "-1.2705,51.7495,-1.2605,51.7595", "--out", str(tmp_path / "a.gpkg")]
    assert run(arguments) == 0
    assert "1 buildings (0 courtyards; 0 more without walls)" in capsys.readouterr().out
    assert read_area(tmp_path / "a.gpkg").datum.lon_deg == -1.2655


def test_bounds_across_the_antimeridian(tmp_path):
    bounds = '<bounds minlat="-16.8" minlon="179.9985" maxlat="-16.79" maxlon="-179.9925"/>'
    text = document(way(1, square(1, 1), building="yes") + STREET, bounds=bounds)
    area = read_osm(write(tmp_path, "map.osm", moved(text, -16.8, 179.9985)))
    assert np.abs(area.bounds).max() < 2000.0
    assert area.datum.lon_deg == pytest.approx(-179.997, abs=1e-3)


corners = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=7)


@settings(max_examples=15)
@given(st.lists(corners, min_size=1, max_size=4), st.lists(st.sampled_from(["yes", "roof"]), min_size=4, max_size=4))
def test_whatever_is_drawn_is_valid_and_reads_back_identical(outlines, kinds):
    ways = "".join(way(k, [*ring, ring[0]], building=kinds[k]) for k, ring in enumerate(outlines))
    with tempfile.TemporaryDirectory() as folder:
        area = read(Path(folder), document(way(50, square(1, 1), building="yes") + ways + STREET))
        write_area(area, Path(folder) / "a.gpkg")
        back = read_area(Path(folder) / "a.gpkg")
    assert shapely.is_valid(area.buildings_wgs84).all()
    assert (shapely.get_type_id(area.buildings_wgs84) == shapely.GeometryType.POLYGON).all()
    assert len(set(area.building_ids)) == len(area.building_ids)
    assert back.content_hash == area.content_hash
    assert shapely.equals_identical(back.buildings_wgs84, area.buildings_wgs84).all()
    assert shapely.equals_identical(back.without_walls.shapes_wgs84, area.without_walls.shapes_wgs84).all()


@given(st.floats(-180, 180), st.floats(-90, 89), st.floats(-180, 180), st.floats(0.001, 1))
@example(180.0, 0.0, -179.0, 1.0)
def test_boxes_survive_being_written(west, south, east, height):
    assume(1e-6 < (west - east) % 360.0 < 360.0 - 1e-6)
    box = GeoBox.parse(f"{west:.7f},{south:.7f},{east:.7f},{south + height:.7f}")
    assert GeoBox.parse(str(box)) == box
    assert box.west < box.east
    assert all(-180.0 <= half.west < half.east <= 180.0 for half in box.halves)
