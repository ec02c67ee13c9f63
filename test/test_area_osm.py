# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""read_osm on hand-made files with known geometry, on broken files, and on real extracts."""

import logging

import numpy as np
import pytest
import shapely
from osm_documents import STREET, box, document, read, relation, same, square, way

from urban_map_loc.area.osm import read_osm
from urban_map_loc.errors import AreaError


def test_closed_way_becomes_one_polygon_with_its_height(tmp_path):
    area = read(tmp_path, document(way(1, square(1, 1), building="yes", building__levels="3") + STREET))
    assert same(area.buildings_wgs84[0], box(1, 1))
    assert list(area.building_ids) == ["way/1"]
    assert area.building_heights[0] == 9.0
    assert list(area.road_classes) == ["residential"]


@pytest.mark.parametrize(
    ("tags", "height"),
    [
        ({"height": "12.5"}, 12.5),
        ({"height": "12,5 m"}, 12.5),
        ({"height": "10 ft"}, 3.048),
        ({"height": "tall", "building__levels": "2"}, 6.0),
        ({"building__levels": "-1"}, np.nan),
        ({}, np.nan),
    ],
)
def test_heights(tmp_path, tags, height):
    area = read(tmp_path, document(way(1, square(1, 1), building="yes", **tags) + STREET))
    np.testing.assert_allclose(area.building_heights, [height])


def test_relation_with_hole_counts_once(tmp_path):
    ways = way(1, square(1, 1, 4), building="yes") + way(2, square(2, 2)) + STREET
    area = read(tmp_path, document(ways, relation(7, [(1, "outer"), (2, "inner")], building="school")))
    assert len(area.buildings) == 1
    assert same(area.buildings_wgs84[0], box(1, 1, 4).difference(box(2, 2)))
    assert list(area.building_ids) == ["relation/7"]


def test_older_style_relation_takes_the_tags_of_its_outer_way(tmp_path):
    ways = way(1, square(1, 1, 4), building="yes", height="5") + way(2, square(2, 2)) + STREET
    area = read(tmp_path, document(ways, relation(7, [(1, "outer"), (2, "inner")])))
    assert same(area.buildings_wgs84[0], box(1, 1, 4).difference(box(2, 2)))
    assert area.building_heights[0] == 5.0


def test_two_outer_rings_are_two_buildings(tmp_path):
    ways = way(1, square(1, 1)) + way(2, square(4, 4)) + STREET
    area = read(tmp_path, document(ways, relation(7, [(1, "outer"), (2, "outer")], building="yes")))
    assert list(area.building_ids) == ["relation/7#1", "relation/7#2"]
    assert same(area.buildings_wgs84[0], box(1, 1))
    assert same(area.buildings_wgs84[1], box(4, 4))


def test_outer_ring_in_pieces_of_any_direction(tmp_path):
    ways = way(1, [(1, 1), (3, 1), (3, 3)]) + way(2, [(1, 1), (1, 3), (3, 3)]) + STREET
    area = read(tmp_path, document(ways, relation(7, [(1, "outer"), (2, "outer")], building="yes")))
    assert same(area.buildings_wgs84[0], box(1, 1, 2))


def test_unclosed_and_tiny_ways_are_left_out_with_a_warning_that_names_them(tmp_path, caplog):
    outlines = [square(1, 1), square(4, 4)[:-1], [(1, 1), (2, 2), (1, 1)]]
    ways = "".join(way(number, outline, building="yes") for number, outline in enumerate(outlines, start=1))
    with caplog.at_level(logging.WARNING):
        area = read(tmp_path, document(ways + STREET))
    assert list(area.building_ids) == ["way/1"]
    assert "way/2" in caplog.text
    assert "way/3" in caplog.text


def test_self_crossing_ring_is_repaired(tmp_path):
    bow = [(1, 1), (3, 3), (3, 1), (1, 3), (1, 1)]
    area = read(tmp_path, document(way(1, bow, building="yes") + STREET))
    assert list(area.building_ids) == ["way/1#1", "way/1#2"]
    assert all(polygon.is_valid for polygon in area.buildings_wgs84)
    assert sum(polygon.area for polygon in area.buildings_wgs84) == pytest.approx(2e-6)


@pytest.mark.parametrize("value", ["no", "roof", "carport"])
def test_buildings_without_walls_are_left_out(tmp_path, value):
    area = read(tmp_path, document(way(1, square(1, 1), building="yes") + way(2, square(4, 4), building=value) + STREET))
    assert list(area.building_ids) == ["way/1"]


def test_only_drivable_roads_above_ground(tmp_path):
    kinds = ["motorway", "primary_link", "living_street", "service", "footway", "cycleway", "steps", "pedestrian", "track"]
    ways = "".join(way(10 + k, [(0, k), (9, k)], highway=kind) for k, kind in enumerate(kinds))
    ways += way(30, [(0, 9), (9, 9)], highway="primary", tunnel="yes")
    area = read(tmp_path, document(way(1, square(1, 1), building="yes") + ways))
    assert list(area.road_classes) == ["motorway", "primary_link", "living_street", "service"]


def test_declared_bounds_cut_roads_not_buildings_and_give_the_datum(tmp_path):
    bounds = '<bounds minlat="50.0010000" minlon="8.0010000" maxlat="50.0040000" maxlon="8.0050000"/>'
    ways = way(1, square(4, 1, 3), building="yes") + way(2, [(0, 2), (9, 2)], highway="residential")
    area = read(tmp_path, document(ways, bounds=bounds))
    assert (area.datum.lat_deg, area.datum.lon_deg) == (50.0025, 8.003)
    np.testing.assert_allclose(shapely.get_coordinates(area.roads_wgs84), [[8.001, 50.002], [8.005, 50.002]], atol=1e-9)
    assert same(area.buildings_wgs84[0], box(4, 1, 3))


def test_same_data_same_hash_in_any_order(tmp_path):
    one, two = way(1, square(1, 1), building="yes"), way(2, square(4, 4), building="yes")
    first = read(tmp_path, document(one + two + STREET))
    assert read(tmp_path, document(STREET + two + one)).content_hash == first.content_hash
    assert read(tmp_path, document(one + STREET)).content_hash != first.content_hash


def test_hash_tells_a_hole_from_a_longer_ring(tmp_path):
    ways = way(1, square(1, 1, 4)) + way(2, square(2, 2)) + STREET
    hole = read(tmp_path, document(ways, relation(7, [(1, "outer"), (2, "inner")], building="yes")))
    plain = read(tmp_path, document(ways, relation(7, [(1, "outer")], building="yes")))
    assert hole.content_hash != plain.content_hash


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("hello", "no whole OpenStreetMap file"),
        ('<?xml version="1.0"?><html></html>', "no whole OpenStreetMap file"),
        (document(way(1, square(1, 1), building="yes") + STREET)[:-200], "no whole OpenStreetMap file"),
        (document(), "no building"),
        (document(STREET), "no building"),
        (document(way(1, square(1, 1), building="yes")), "no drivable road"),
    ],
)
def test_unusable_files_say_what_and_the_remedy(tmp_path, text, says):
    with pytest.raises(AreaError, match=says) as caught:
        read(tmp_path, text)
    assert "map.osm" in str(caught.value)
    assert ";" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(AreaError, match="does not exist"):
        read_osm(tmp_path / "nowhere.osm")


def test_oxford(data_dir):
    area = read_osm(data_dir / "oxford" / "oxford.osm")
    assert len(area.buildings) == 995
    assert all(polygon.is_valid and polygon.geom_type == "Polygon" for polygon in area.buildings)
    assert sum(len(polygon.interiors) for polygon in area.buildings) >= 8
    assert 15_000.0 < sum(road.length for road in area.roads) < 20_000.0


def test_kitti(data_dir):
    area = read_osm(data_dir / "kitti" / "07" / "map.osm")
    assert len(area.buildings) == 1133  # one of the 1134 is a roof
    assert set(area.road_classes) == {"residential", "tertiary"}
