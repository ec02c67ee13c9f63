# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The road channel: width by class, cut by what the rays see."""

from __future__ import annotations

from dataclasses import replace
from math import pi
from pathlib import Path

import numpy as np
import pytest
import shapely
from towns import area_of, crossing

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.area.tags import DRIVABLE
from urban_map_loc.config import BUILDINGS_AND_ROADS, RasterConfig, RoadConfig, ScanEffectsConfig, TileConfig
from urban_map_loc.tile.from_map import NO_EFFECTS, MapRenderer
from urban_map_loc.tile.grid import TileGrid
from urban_map_loc.tile.road_channel import NO_RAY, draw_roads, pixel_rays

TILE = TileConfig(sectors=720, channels=BUILDINGS_AND_ROADS)
RASTER = RasterConfig(resolution_m=0.25)


def street(highway: str = "residential") -> AreaMap:
    """A road along east through the datum and a house across it, 20 m ahead of a car that heads east."""
    area = area_of([shapely.box(20, -12, 30, 12)], [shapely.LineString([(-60, 0), (0, 0), (60, 0)])])
    return replace(area, road_classes=np.array([highway], dtype=object))


def roads_of(area: AreaMap, **settings: float) -> RoadRaster:
    return RoadRaster.from_area(area, RASTER, RoadConfig(**settings))


def tiles(area: AreaMap, pose: tuple[float, float, float], effects: ScanEffectsConfig = NO_EFFECTS, tile: TileConfig = TILE) -> np.ndarray:
    render = MapRenderer(BuildingRaster.from_area(area, RASTER), tile, roads_of(area))
    return render.tiles(np.array([pose]), effects)[0]


def test_a_road_is_as_wide_as_its_class() -> None:
    for highway, width_m in (("residential", 5.5), ("motorway", 11.0), ("motorway_link", 5.0), ("corridor", 5.5)):
        roads = roads_of(street(highway))
        across = roads.surface[:, roads.surface.shape[1] // 2]
        assert across.sum() * 0.25 == pytest.approx(width_m, abs=0.26)
        assert roads.surface.sum() / 16.0 == pytest.approx(width_m * 120.0 + pi / 4 * width_m**2, rel=0.05)


def test_every_drivable_class_has_a_width() -> None:
    assert {RoadConfig().width_m(name) for name in DRIVABLE} == {11.0, 9.0, 8.5, 7.5, 6.5, 5.5, 4.5, 3.5, 5.0}


def test_roads_and_buildings_share_their_pixels() -> None:
    area = crossing()
    buildings, roads = BuildingRaster.from_area(area, RASTER), roads_of(area)
    assert roads.surface.shape == buildings.shape
    np.testing.assert_array_equal(roads.origin, buildings.origin)


def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = roads_of(crossing())
    monkeypatch.setattr("urban_map_loc.area.blocks.BLOCK_PX", 100)
    np.testing.assert_array_equal(roads_of(crossing()).surface, whole.surface)


def test_the_cache_lies_beside_that_of_buildings_and_knows_the_widths(tmp_path: Path) -> None:
    cache = tmp_path / "a.gpkg.raster"
    first = RoadRaster.from_area(crossing(), RASTER, RoadConfig(), cache)
    kept = tmp_path / "a.gpkg.raster.roads" / "surface.npy"
    made = kept.stat().st_mtime_ns
    np.testing.assert_array_equal(RoadRaster.from_area(crossing(), RASTER, RoadConfig(), cache).surface, first.surface)
    assert kept.stat().st_mtime_ns == made
    wide = RoadRaster.from_area(crossing(), RASTER, RoadConfig(residential_m=9.0), cache)
    assert wide.surface.sum() > 1.3 * first.surface.sum()


def test_the_road_is_drawn_where_rays_pass_over_it() -> None:
    walls, road = tiles(street(), (0.0, 0.0, 0.0))
    assert walls[28, 48] == 1  # 20 m ahead
    assert road[29:, 46:50].all()  # up to the wall and behind the car, to 48 m
    assert not road[:27].any()  # hidden by the house
    assert not road[:, :44].any()
    assert not road[:, 52:].any()


def test_turning_the_car_turns_the_road() -> None:
    ahead, left = tiles(street(), (0.0, 0.0, 0.0))[1], tiles(street(), (0.0, 0.0, -pi / 2))[1]
    np.testing.assert_array_equal(np.rot90(ahead), left)


def test_range_and_field_of_view_cut_the_road() -> None:
    near = tiles(street(), (0.0, 0.0, pi), tile=replace(TILE, range_m=15.0))[1]
    assert near[34:62, 47].all()
    assert not near[:33].any()
    front = tiles(street(), (0.0, 0.0, pi), tile=replace(TILE, field_of_view_rad=1.0))[1]
    assert front[:40, 47].all()
    assert not front[48:].any()


def test_what_hides_walls_hides_the_road_behind() -> None:
    slanting = (0.0, 0.0, 0.8)  # obstacles stand beside the car's axis, here on the road
    clear = tiles(street(), slanting)[1]
    for effects in (replace(NO_EFFECTS, extra_walls=40.0), replace(NO_EFFECTS, vegetation=20.0)):
        partly = tiles(street(), slanting, effects)[1]
        assert partly.sum() < clear.sum()
        assert not (partly & ~clear).any()
    assert not tiles(street(), slanting, replace(NO_EFFECTS, dropout=1.0)).any()


def test_walls_are_the_same_with_and_without_the_road() -> None:
    area, there = crossing(), np.array([[20.0, 0.0, 0.3]])
    plain = MapRenderer(BuildingRaster.from_area(area, RASTER), TileConfig()).tiles(there, ScanEffectsConfig(), 4)
    both = MapRenderer(BuildingRaster.from_area(area, RASTER), TILE, roads_of(area)).tiles(there, ScanEffectsConfig(), 4)
    np.testing.assert_array_equal(both[:, 0], plain)


@pytest.mark.parametrize("view_rad", [2.0 * pi, 1.2])
def test_each_pixel_hangs_on_the_ray_that_passes_it(view_rad: float) -> None:
    tile = replace(TILE, sectors=96, field_of_view_rad=view_rad)
    grid = TileGrid(tile)
    centres, metres, rays = pixel_rays(grid, tile)
    bearing = np.arctan2(centres[..., 1], centres[..., 0])
    assert metres == pytest.approx(np.hypot(centres[..., 0], centres[..., 1]))
    middle = (rays + 0.5) * view_rad / 96 - 0.5 * view_rad
    inside = np.abs(bearing) <= 0.5 * view_rad
    assert (rays[~inside] == NO_RAY).all()
    assert np.abs(bearing - middle)[inside].max() <= 0.5 * view_rad / 96 + 1e-9
    assert set(np.unique(rays[inside])) == set(range(96))


@pytest.mark.parametrize("ray", [0, 17, 95])
def test_one_ray_shows_the_road_that_it_passes(ray: int) -> None:
    tile = replace(TILE, sectors=96)
    everywhere = roads_of(street(), residential_m=200.0)
    seen = np.zeros((1, 96))
    seen[0, ray] = 20.0
    grid = TileGrid(tile)
    _, metres, rays = pixel_rays(grid, tile)
    np.testing.assert_array_equal(draw_roads(everywhere, grid, tile, np.zeros((1, 3)), seen)[0], (rays == ray) & (metres < 20.0))


def test_the_road_ends_where_its_raster_does() -> None:
    roads = replace(roads_of(street(), residential_m=200.0), origin=np.array([-10.0, -10.0]))
    roads = replace(roads, surface=np.ones((80, 80), dtype=np.uint8))  # 20 m in 0.25 m pixels
    grid = TileGrid(TILE)
    drawn = draw_roads(roads, grid, TILE, np.zeros((1, 3)), np.full((1, TILE.sectors), 40.0))[0]
    pixels = np.arange(TILE.size_px)
    centres = grid.centres(*np.meshgrid(pixels, pixels, indexing="ij"))
    np.testing.assert_array_equal(drawn == 1, ((centres > -10.125) & (centres < 9.875)).all(axis=-1))


def test_a_car_outside_the_raster_sees_nothing() -> None:
    assert not tiles(street(), (1e4, 1e4, 0.0)).any()
