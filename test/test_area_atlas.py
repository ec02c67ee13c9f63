# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""An area split into overlapping regions, and the folder that holds them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from osm_documents import STREET, document, square, way
from towns import area_of, uneven_crossing

from urban_map_loc.area.atlas import ATLAS_FILE, read_atlas
from urban_map_loc.area.geopackage import read_area
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.regions import build_atlas, cores, cut
from urban_map_loc.cli.main import run
from urban_map_loc.config import RasterConfig, RegionsConfig
from urban_map_loc.errors import AreaError, ConfigurationError, OutputError
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane

CROSSING = uneven_crossing()
SPLIT = RegionsConfig(size_m=140.0, overlap_m=20.0)


def test_four_regions_share_the_datum_and_hold_the_whole_area(tmp_path: Path) -> None:
    atlas = build_atlas(CROSSING, tmp_path / "town", SPLIT)
    assert [region.name for region in atlas.regions] == ["r00_c00", "r00_c01", "r01_c00", "r01_c01"]
    read = read_atlas(tmp_path / "town")
    assert read.content_hash == atlas.content_hash
    assert read.regions == atlas.regions
    parts = [read_area(region.area) for region in read.regions]
    assert {part.datum for part in parts} == {CROSSING.datum} == {read.datum}
    assert [part.content_hash for part in parts] == [region.area_hash for region in read.regions]
    assert set().union(*(set(part.building_ids) for part in parts)) == set(CROSSING.building_ids)
    roads = shapely.union_all(shapely.buffer([road for part in parts for road in part.roads], 0.01))
    assert shapely.covered_by(CROSSING.roads, roads).all()
    for region, part in zip(read.regions, parts, strict=True):
        west, south, east, north = region.core
        assert east - west == north - south == pytest.approx(140.0)
        reach = shapely.total_bounds(part.roads)
        assert (reach[:2] >= np.array([west, south]) - 20.001).all()
        assert (reach[2:] <= np.array([east, north]) + 20.001).all()
        # What stands near a region's own square is in its map, also where it belongs to the next one.
        for house in CROSSING.buildings[shapely.dwithin(CROSSING.buildings, shapely.box(*region.core), 20.0)]:
            assert shapely.distance(part.buildings, house).min() < 1e-6


def test_one_region_where_the_area_is_no_larger(tmp_path: Path) -> None:
    atlas = build_atlas(CROSSING, tmp_path / "town", RegionsConfig(size_m=500.0))
    (region,) = atlas.regions
    assert read_area(region.area).content_hash == CROSSING.content_hash


def test_squares_without_roads_or_buildings_are_left_out() -> None:
    roads = [shapely.LineString([(0, 0), (90, 0)]), shapely.LineString([(110, 0), (190, 0)])]
    area = area_of([shapely.box(10, 10, 20, 20), shapely.box(310, 10, 320, 20)], roads)
    assert cut(area, (0.0, -50.0, 100.0, 50.0), 5.0) is not None
    assert cut(area, (100.0, -50.0, 200.0, 50.0), 5.0) is None  # a road, no building
    assert cut(area, (300.0, -50.0, 400.0, 50.0), 5.0) is None  # a building, no road
    beside = cut(area, (100.0, -50.0, 200.0, 50.0), 85.0)
    assert beside is not None
    assert list(beside.building_ids) == ["way/0"]
    # A road of the overlap alone makes no region.
    assert cut(area, (190.5, -50.0, 290.5, 50.0), 200.0) is None


def test_a_cut_road_keeps_its_kind_and_ends_at_the_edge() -> None:
    part = cut(CROSSING, (-130.0, -65.0, 0.0, 65.0), 20.0)
    assert part is not None
    assert set(part.road_classes) == {"residential"}
    west, south, east, north = shapely.total_bounds(part.roads)
    assert (west, south, east, north) == pytest.approx((-125.0, -85.0, 20.0, 85.0), abs=1e-3)


@settings(max_examples=40)
@given(st.floats(-2000, 2000), st.floats(-2000, 2000), st.floats(1, 3000), st.floats(1, 3000), st.floats(100, 1500))
def test_squares_cover_the_bounds_once(west: float, south: float, width: float, height: float, size_m: float) -> None:
    bounds = (west, south, west + width, south + height)
    squares = [shapely.box(*core) for _, core in cores(bounds, size_m)]
    assert sum(square.area for square in squares) == pytest.approx(shapely.union_all(squares).area, rel=1e-9)
    assert shapely.union_all(squares).buffer(1e-6).covers(shapely.box(*bounds))
    assert len({name for name, _ in cores(bounds, size_m)}) == len(squares)


def test_every_place_has_one_owner(tmp_path: Path) -> None:
    atlas = build_atlas(CROSSING, tmp_path / "town", SPLIT)
    middle = np.array([[-60.0, -60.0], [60.0, -60.0], [-60.0, 60.0], [60.0, 60.0], [900.0, 900.0]])
    assert list(atlas.owner(middle)) == [0, 1, 2, 3, 3]
    distance = atlas.distances_m(middle)
    assert (distance[np.arange(4), np.arange(4)] < 0).all()
    assert distance[4, 3] == pytest.approx(900.0 - 140.0, abs=9.0)
    assert atlas.bounds == pytest.approx((-147.5, -152.0, 172.5, 168.0), abs=0.1)


def test_rasters_of_two_regions_are_the_same_where_both_see_all() -> None:
    west, east = (cut(CROSSING, core, 60.0) for core in ((-130.0, -70.0, 3.3, 70.0), (3.3, -70.0, 136.6, 70.0)))
    assert west is not None
    assert east is not None
    a, b = (BuildingRaster.from_area(part, RasterConfig(), on_grid=True) for part in (west, east))
    x, y = np.meshgrid(np.arange(-35.0, 40.0, 0.5), np.arange(-50.0, 50.0, 0.5))
    points = np.column_stack([x.ravel(), y.ravel()])
    assert (a.distance_m(points) == b.distance_m(points)).all()
    assert len(np.unique(a.distance_m(points))) > 50


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda index: index.update(format="another"), "is damaged"),
        (lambda index: index.update(format_version=99), "this version reads up to 1; upgrade"),
        (lambda index: index.pop("datum_deg"), "is damaged"),
        (lambda index: index.update(datum_deg=[900.0, 0.0]), "is damaged"),
        (lambda index: index.update(regions=[]), "no regions"),
        (lambda index: index.update(regions=3), "is damaged"),
        (lambda index: index.update(overlap_m="wide"), "is damaged"),
        (lambda index: index["regions"][0].update(area="../../etc/passwd"), "names a file elsewhere"),
        (lambda index: index["regions"][0].update(core_m=[1, 2, 3]), "is damaged"),
        (lambda index: index["regions"][0].update(core_m=[1, 2, 0, 3]), "has no square"),
    ],
)
def test_a_damaged_index_is_one_line(tmp_path: Path, change, says: str) -> None:
    atlas = build_atlas(CROSSING, tmp_path / "town", RegionsConfig(size_m=500.0))
    path = atlas.folder / ATLAS_FILE
    index = json.loads(path.read_text(encoding="utf-8"))
    change(index)
    path.write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(AreaError, match=says) as caught:
        read_atlas(atlas.folder)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_atlas_and_half_a_file(tmp_path: Path) -> None:
    with pytest.raises(AreaError, match=r"has no atlas.json, so it is no atlas"):
        read_atlas(tmp_path)
    (tmp_path / ATLAS_FILE).write_text('{"format"', encoding="utf-8")
    with pytest.raises(AreaError, match="is damaged"):
        read_atlas(tmp_path)


def test_an_area_too_far_from_its_datum_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="build several atlases with --bbox"):
        build_atlas(area_of([shapely.box(0, 0, 9, 9)], [shapely.LineString([(0, 0), (90_000, 90_000)])]), tmp_path / "a", RegionsConfig())
    assert not (tmp_path / "a").exists()


@given(st.floats(-85, 85), st.floats(-np.pi, np.pi), st.floats(0, 100_000))
def test_positions_come_back_within_an_atlas_of_the_largest_size(lat: float, direction: float, metres: float) -> None:
    plane = LocalTangentPlane(GeoPoint(lat, 10.0))
    position = metres * np.array([np.cos(direction), np.sin(direction)])
    assert plane.to_enu(*plane.to_geodetic(position)) == pytest.approx(position, abs=1e-3)


def test_an_older_atlas_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    for size_m, count in ((500.0, 1), (140.0, 4)):
        build_atlas(CROSSING, tmp_path / "town", RegionsConfig(size_m=size_m, overlap_m=20.0))
        assert len(list((tmp_path / "town").glob("*.gpkg"))) == count
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="so it is not replaced"):
        build_atlas(CROSSING, tmp_path / "else", SPLIT)


def test_the_command_builds_an_atlas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.osm").write_text(document(way(1, square(2, 8), building="yes") + STREET), encoding="utf-8")  # 645 m of street
    command = ["area", "build", "--osm", str(tmp_path / "t.osm"), "--out", str(tmp_path / "atlas"), "--region-size"]
    assert run([*command, "350"]) == 0
    assert "2 regions of 350 m, overlapping by 150 m" in capsys.readouterr().out
    assert run([*command, "5"]) == 1
    assert "size_m is 5.0, outside" in capsys.readouterr().err
    assert len(read_atlas(tmp_path / "atlas").regions) == 2
