# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`area tiles`: the grid, the pictures, the table, whole or not at all."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from towns import area_of, crossing, one_block

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import write_area
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.cli.main import run
from urban_map_loc.config import BUILDINGS, RasterConfig, RoadConfig, TileSetConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.evaluation.area_tiles import BUILDING, GROUND, ROAD, TileSet
from urban_map_loc.evaluation.contact_sheet import ContactSheet

RASTER = RasterConfig(resolution_m=0.5)


def tiles_of(area: AreaMap, size_m: float = 40.0, overlap: float = 0.5) -> TileSet:
    roads = RoadRaster.from_area(area, RASTER, RoadConfig())
    return TileSet(area, TileSetConfig(size_m=size_m, overlap=overlap), BuildingRaster.from_area(area, RASTER), roads)


def test_a_picture_is_north_up_with_east_on_the_right() -> None:
    # From 0, 0 to 40, 40: a house in the north-east, a road along the west side.
    area = area_of([shapely.box(30, 30, 40, 40)], [shapely.LineString([(0, 0), (0, 40)])])
    picture = tiles_of(area).picture(0, 0)
    assert picture.shape == (80, 80)
    assert (picture[2:18, 62:78] == BUILDING).all()
    assert (picture[:, :4] == ROAD).all()
    assert (picture[24:, 10:] == GROUND).all()


@settings(max_examples=25)
@given(st.integers(10, 120), st.floats(0.0, 0.95))
def test_the_grid_covers_the_area_with_the_overlap(half_metres: int, overlap: float) -> None:
    tiles = TileSet(TOWN, TileSetConfig(size_m=half_metres / 2, overlap=overlap), BUILDINGS_OF_TOWN)
    assert tiles.spacing_m == pytest.approx(max(0.5, half_metres / 2 * (1 - overlap)), abs=0.26)
    west, south, east, north = TOWN.bounds
    for count, across in zip(tiles.shape, (north - south, east - west), strict=True):
        assert (count - 1) * tiles.spacing_m + half_metres / 2 >= across
        assert (count - 2) * tiles.spacing_m + half_metres / 2 < across + 1.0


TOWN = crossing()
BUILDINGS_OF_TOWN = BuildingRaster.from_area(TOWN, RASTER)


def test_tiles_without_overlap_show_every_building_pixel_once() -> None:
    whole = (BUILDINGS_OF_TOWN.building > 0).sum()
    drawn = sum((picture == BUILDING).sum() for _, picture in tiles_of(TOWN, overlap=0.0).rows())
    assert drawn == whole


def test_offsets_and_degrees_agree() -> None:
    rows = [row for row, _ in tiles_of(TOWN).rows()]
    places = TOWN.plane.to_enu([r.lat_deg for r in rows], [r.lon_deg for r in rows])
    offsets = np.array([[r.east_m, r.north_m] for r in rows])
    np.testing.assert_allclose(places - places[0], offsets, atol=2e-3)
    west, _, _, north = TOWN.bounds
    np.testing.assert_allclose(places[0], [west + 20.0, north - 20.0], atol=0.5)
    assert [offsets[0].tolist(), offsets[1].tolist()] == [[0.0, 0.0], [20.0, 0.0]]


def test_neighbours_show_the_same_where_they_overlap() -> None:
    pictures = {(row.row, row.column): picture for row, picture in tiles_of(TOWN).rows()}
    np.testing.assert_array_equal(pictures[3, 3][:, 40:], pictures[3, 4][:, :40])
    np.testing.assert_array_equal(pictures[3, 3][40:], pictures[4, 3][:40])


def test_a_tile_larger_than_the_area_is_one_tile() -> None:
    tiles = tiles_of(one_block(), size_m=500.0)
    assert tiles.shape == (1, 1)
    assert (tiles.picture(0, 0) == BUILDING).sum() == pytest.approx(8 * 20 * 4, abs=60)


def test_the_command_writes_pictures_table_and_contact_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_area(TOWN, tmp_path / "a.gpkg")
    out = tmp_path / "set"
    command = ["area", "tiles", str(tmp_path / "a.gpkg"), "--size", "60", "--overlap", "0.25", "--out", str(out)]
    assert run(command) == 0
    assert "tiles of 60 m" in capsys.readouterr().out
    with (out / "tiles.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["name", "row", "column", "east_m", "north_m", "lat_deg", "lon_deg", "building_share"]
    assert sorted(f"tiles/{path.name}" for path in (out / "tiles").iterdir()) == sorted(row["name"] for row in table)
    for row in table:
        with Image.open(out / row["name"]) as image:
            assert (image.mode, image.size) == ("L", (120, 120))
            assert "OpenStreetMap" in image.text["Copyright"]
            values = np.asarray(image)
        assert set(np.unique(values)) <= {GROUND, ROAD, BUILDING}
        assert float(row["building_share"]) == pytest.approx((values == BUILDING).mean(), abs=1e-5)
    with Image.open(out / "contact_sheet.png") as sheet:
        assert min(sheet.size) > 400
    assert run([*command, "--channels", BUILDINGS]) == 0  # replaces its own
    with Image.open(out / table[0]["name"]) as image:
        assert ROAD not in np.asarray(image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "60.3"], "60.3 m is no whole number of pixels; choose a multiple of 0.5 m"),
        (["--size", "0"], "size_m is 0.0, outside"),
        (["--overlap", "1"], "overlap is 1.0, outside"),
    ],
)
def test_wrong_numbers_are_one_line_and_leave_nothing(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_area(one_block(), tmp_path / "a.gpkg")
    assert run(["area", "tiles", str(tmp_path / "a.gpkg"), "--out", str(tmp_path / "set"), *options]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_area(one_block(), tmp_path / "a.gpkg")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "precious.txt").write_text("x")
    assert run(["area", "tiles", str(tmp_path / "a.gpkg"), "--out", str(tmp_path / "set")]) == 1
    assert "has no tiles.csv, so it is not replaced" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["precious.txt"]


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiles_of(TOWN).write(tmp_path / "set", "a town", fail)
    assert not list(tmp_path.iterdir())


def test_a_contact_sheet_of_a_city_stays_small(tmp_path: Path) -> None:
    sheet = ContactSheet((200, 300), "a city", "nobody")
    picture = np.full((80, 80), BUILDING, dtype=np.uint8)
    for row, column in np.ndindex(200, 300):
        sheet.add(row, column, picture)
    sheet.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert max(image.size) < 2000
        colours = {colour for _, colour in image.getcolors(1 << 20)}
    assert (0x7A, 0x6F, 0x62) in colours


def test_a_tile_is_a_whole_number_of_pixels() -> None:
    with pytest.raises(ConfigurationError, match=r"multiple of 0\.5 m"):
        tiles_of(one_block(), size_m=10.25)
