# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The generated town and the drive through it."""

import numpy as np
import pytest
import shapely

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.osm import read_osm
from urban_map_loc.errors import AreaError
from urban_map_loc.geometry.geodesy import GeoPoint
from urban_map_loc.simulation.houses import fill_block
from urban_map_loc.simulation.town import town_route, write_town


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    path = tmp_path_factory.mktemp("town") / "town.osm"
    write_town(path, seed=0)
    return read_osm(path)


def test_same_seed_same_file(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_town(tmp_path / f"{name}.osm", seed)
    assert (tmp_path / "a.osm").read_bytes() == (tmp_path / "b.osm").read_bytes()
    assert (tmp_path / "a.osm").read_bytes() != (tmp_path / "c.osm").read_bytes()


def test_town_is_rich(town):
    west, south, east, north = town.bounds
    assert 0.35 < (east - west) * (north - south) / 1e6 < 0.6
    assert len(town.buildings) > 400
    assert any(polygon.interiors for polygon in town.buildings)
    assert {"secondary", "tertiary", "residential"} <= set(town.road_classes)
    assert np.isfinite(town.building_heights).all()
    areas = shapely.area(town.buildings)
    assert areas.min() > 10.0
    assert areas.max() > 1000.0


def test_buildings_leave_the_streets_and_each_other_free(town):
    tree = shapely.STRtree(town.buildings)
    assert len(tree.query(town.roads, predicate="dwithin", distance=2.0)[0]) == 0
    first, second = tree.query(town.buildings, predicate="intersects")
    pairs = first < second
    overlap = shapely.area(shapely.intersection(town.buildings[first[pairs]], town.buildings[second[pairs]]))
    assert overlap.max(initial=0.0) < 1.0


@pytest.mark.parametrize("seed", range(3))
def test_blocks_are_filled_inside(seed):
    block = shapely.box(0.0, 0.0, 90.0, 70.0)
    buildings = fill_block(block, np.random.default_rng(seed))
    assert buildings
    assert all(block.buffer(1.7).contains(b.footprint) and b.footprint.is_valid for b in buildings)


def test_route_is_a_drive_on_the_roads(town):
    route = town_route(town, seed=0, length_m=800.0)
    poses = route.poses(town.plane)
    step = np.hypot(*np.diff(poses[:, :2], axis=0).T)
    speed = step / np.diff(route.time_s)
    assert 700.0 < step.sum() < 900.0
    assert 6.0 < speed.mean() < 10.0
    assert speed.max() < 10.0
    assert np.abs(np.diff(speed[::10])).max() * 2.0 < 1.8  # per second, over half seconds
    assert np.diff(route.time_s) == pytest.approx(0.05)
    course = np.arctan2(*np.diff(poses[:, :2], axis=0).T[::-1])
    assert np.abs(np.angle(np.exp(1j * (course - poses[:-1, 2])))).max() < 0.1
    points = shapely.points(poses[:, :2])
    assert shapely.distance(shapely.union_all(town.roads), points).max() < 6.0
    assert shapely.distance(shapely.union_all(town.buildings), points).min() > 1.0


def test_roads_without_a_circuit_are_refused():
    def objects(*values):
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return out

    datum = GeoPoint(50.0, 8.0)
    line = shapely.LineString([(8.0, 50.0), (8.001, 50.0), (8.002, 50.0)])
    house = shapely.box(8, 50, 8.0001, 50.0001)
    area = AreaMap(datum, objects(house), np.array([5.0]), objects("way/1"), objects(line), objects("service"))
    with pytest.raises(AreaError, match="no circuit"):
        town_route(area, 0, 100.0)
