# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Each rule of docs/area.md on hand-made files: what is a wall, what is kept apart, which roads count."""

import numpy as np
import pytest
import shapely
from osm_documents import STREET, box, document, read, relation, same, square, way

from urban_map_loc.area import tags as rules

HOUSE = way(1, square(1, 1), building="yes")


def with_house(tmp_path, *more, relations=""):
    return read(tmp_path, document(HOUSE + "".join(more) + STREET, relations))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"building": "roof"}, "building=roof"),
        ({"building": "carport"}, "building=carport"),
        ({"building": "yes", "location": "underground"}, "location=underground"),
        ({"building": "yes", "layer": "-1"}, "layer=-1"),
        ({"building": "yes", "demolished": "yes"}, "demolished=yes"),
        ({"building": "yes", "wall": "no"}, "wall=no"),
        ({"building": "yes", "min_height": "3.5"}, "min_height=3.5"),
        ({"building": "yes", "building__min_level": "2"}, "min_height=6"),
        ({"building": "proposed"}, "building=proposed"),
    ],
)
def test_what_shows_no_wall_is_kept_apart_with_its_reason(tmp_path, tags, reason):
    area = with_house(tmp_path, way(2, square(4, 4), **tags))
    assert list(area.building_ids) == ["way/1"]
    assert list(area.without_walls.ids) == ["way/2"]
    assert list(area.without_walls.kinds) == [reason]
    assert same(area.without_walls.shapes_wgs84[0], box(4, 4))


@pytest.mark.parametrize("prefix", ["demolished", "proposed", "razed", "removed", "planned", "construction", "was"])
def test_lifecycle_prefixes_are_no_buildings(tmp_path, prefix):
    area = with_house(tmp_path, way(2, square(4, 4), **{f"{prefix}__building": "yes"}))
    assert list(area.building_ids) == ["way/1"]
    assert len(area.without_walls) == 0


@pytest.mark.parametrize(
    "tags",
    [
        {"abandoned__building": "yes"},
        {"disused__building": "house"},
        {"ruins__building": "yes"},
        {"building": "construction"},
        {"building": "yes", "layer": "1"},
        {"building": "yes", "layer": "ground"},
        {"building": "yes", "min_height": "0.5"},
    ],
)
def test_what_still_stands_has_walls(tmp_path, tags):
    assert list(with_house(tmp_path, way(2, square(4, 4), **tags)).building_ids) == ["way/1", "way/2"]


def test_parts_count_only_outside_of_every_outline(tmp_path):
    inside = way(2, [(1, 1), (2, 1), (2, 2), (1, 1)], building__part="yes")
    alone = way(3, square(4, 4), building__part="yes", building__levels="2", min_height="1.5")
    roof = way(4, square(7, 7), building__part="roof")
    area = with_house(tmp_path, inside, alone, roof)
    assert list(area.building_ids) == ["way/1", "way/3"]
    np.testing.assert_array_equal(area.building_heights, [np.nan, 6.0])
    np.testing.assert_array_equal(area.building_min_heights, [0.0, 1.5])
    assert list(area.without_walls.ids) == ["way/4"]


def test_a_part_may_be_a_relation_with_a_hole(tmp_path):
    ways = way(2, square(4, 4, 3)) + way(3, square(5, 5))
    part = relation(7, [(2, "outer"), (3, "inner")], building__part="yes")
    area = with_house(tmp_path, ways, relations=part)
    assert list(area.building_ids) == ["relation/7", "way/1"]
    assert same(area.buildings_wgs84[0], box(4, 4, 3).difference(box(5, 5)))


def test_land_does_not_swallow_the_buildings_on_its_edge(tmp_path):
    ways = way(2, square(4, 4, 3), building="yes") + way(3, square(5, 5))
    for tags, names in (({"landuse": "grass"}, ["way/1", "way/2"]), ({"name": "Old College"}, ["relation/7", "way/1"])):
        area = with_house(tmp_path, ways, relations=relation(7, [(2, "outer"), (3, "inner")], **tags))
        assert list(area.building_ids) == names


def test_a_part_that_borrows_the_outline_of_a_building_leaves_it_alone(tmp_path):
    ways = way(2, square(4, 4, 3), building="yes") + way(3, square(5, 5))
    part = relation(7, [(2, "outer"), (3, "inner")], building__part="yes")
    area = with_house(tmp_path, ways, relations=part)
    assert list(area.building_ids) == ["way/1", "way/2"]
    assert same(area.buildings_wgs84[-1], box(4, 4, 3))


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"barrier": "wall"}, "wall"),
        ({"barrier": "city_wall"}, "city_wall"),
        ({"historic": "citywalls"}, "city_wall"),
        ({"barrier": "hedge"}, "hedge"),
        ({"barrier": "fence"}, "fence"),
        ({"barrier": "kerb"}, None),
        ({"barrier": "wall", "building": "yes"}, None),
    ],
)
def test_barriers_are_a_layer_of_their_own(tmp_path, tags, kind):
    area = with_house(tmp_path, way(5, [(4, 4), (5, 4), (5, 5), (4, 4)], **tags))
    assert list(area.barriers.kinds) == ([kind] if kind else [])
    if kind:
        assert list(area.barriers.ids) == ["way/5"]
        assert area.barrier_lines[0].geom_type == "LineString"
        assert area.content_hash != with_house(tmp_path).content_hash


def test_roads_know_direction_and_bridge(tmp_path):
    ways = [
        way(10, [(0, 0), (9, 0)], highway="primary", oneway="yes"),
        way(11, [(0, 5), (9, 5)], highway="service", oneway="-1", bridge="viaduct"),
        way(12, [(0, 6), (9, 6)], highway="motorway"),
        way(13, [(0, 7), (9, 7)], highway="residential", junction="roundabout"),
        way(14, [(0, 8), (9, 8)], highway="motorway", oneway="no", bridge="no"),
    ]
    area = with_house(tmp_path, *ways)
    assert list(area.road_oneways) == [1, -1, 1, 1, 0, 0]
    assert list(area.road_bridges) == [False, True, False, False, False, False]


@pytest.mark.parametrize("tags", [{"tunnel": "yes"}, {"tunnel": "building_passage"}, {"covered": "yes"}, {"location": "underground"}])
def test_roads_without_sky_are_kept_apart(tmp_path, tags):
    area = with_house(tmp_path, way(10, [(0, 0), (9, 0)], highway="primary", **tags))
    assert list(area.road_classes) == ["residential"]
    assert (list(area.tunnels.kinds), list(area.tunnels.ids)) == (["primary"], ["way/10"])
    assert area.content_hash == with_house(tmp_path).content_hash


def test_old_defaults_hold_for_areas_made_by_hand(tmp_path):
    area = with_house(tmp_path)
    assert area.building_min_heights.shape == (1,)
    assert not area.road_bridges.any()
    assert shapely.is_empty(area.barrier_lines).shape == (0,)


@pytest.mark.parametrize(
    ("text", "metres"), [("12", 12.0), ("12,5 m", 12.5), ("10 ft", 3.048), ("10'", 3.048), ("high", np.nan), ("0", np.nan), ("", np.nan)]
)
def test_lengths(text, metres):
    np.testing.assert_allclose(rules.height_m({"height": text}), metres)
