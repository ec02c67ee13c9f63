"""The visibility renderer on one block: exact ranges, occlusion, scan effects."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np
import pytest
import shapely
from towns import area_of, crossing, one_block

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import RasterConfig, ScanEffectsConfig, TileConfig
from urban_map_loc.tile.from_map import NO_EFFECTS, MapRenderer

TILE = TileConfig(sectors=360)
ORIGIN = np.array([[0.0, 0.0, 0.0]])


def renderer(area: object, tile: TileConfig = TILE) -> MapRenderer:
    return MapRenderer(BuildingRaster.from_area(area, RasterConfig(resolution_m=0.25)), tile)  # type: ignore[arg-type]


def test_rays_stop_at_the_near_wall() -> None:
    points = renderer(one_block()).points(ORIGIN)[0]
    hit = np.isfinite(points[:, 0])
    assert 88 <= hit.sum() <= 92  # the block spans 45 degrees either side
    np.testing.assert_allclose(points[hit, 0], 10.0, atol=0.3)


def test_a_building_behind_another_is_not_seen() -> None:
    both = area_of([shapely.box(10, -10, 18, 10), shapely.box(20, -10, 24, 10)], [shapely.LineString([(0, -60), (0, 60)])])
    points = renderer(both).points(ORIGIN)[0]
    assert np.nanmax(points[:, 0]) < 10.5


def test_walls_beyond_the_range_are_not_seen() -> None:
    near = renderer(one_block(), replace(TILE, range_m=9.0)).points(ORIGIN)[0]
    assert np.isnan(near).all()


def test_a_pose_inside_a_building_sees_out_of_it() -> None:
    pair = area_of([shapely.box(-4, -4, 4, 4), shapely.box(10, -10, 18, 10)], [shapely.LineString([(0, -60), (0, 60)])])
    points = renderer(pair).points(ORIGIN)[0]
    forward = points[np.abs(np.arctan2(points[:, 1], points[:, 0])) < 0.3]
    np.testing.assert_allclose(forward[:, 0], 10.0, atol=0.3)


def test_a_pose_outside_the_raster_sees_nothing() -> None:
    assert np.isnan(renderer(one_block()).points(np.array([[1e4, 1e4, 0.0]]))).all()


def test_all_dropped_out_is_an_empty_tile() -> None:
    assert renderer(one_block()).tiles(ORIGIN, replace(NO_EFFECTS, dropout=1.0)).sum() == 0


def test_all_buildings_missing_is_an_empty_tile() -> None:
    assert renderer(one_block()).tiles(ORIGIN, replace(NO_EFFECTS, missing_buildings=1.0)).sum() == 0


def test_range_noise_has_the_stated_spread() -> None:
    points = renderer(one_block(), replace(TILE, sectors=3600)).points(ORIGIN, replace(NO_EFFECTS, range_noise_m=0.5), seed=4)[0]
    bearing = np.arctan2(points[:, 1], points[:, 0])
    error = np.hypot(points[:, 0], points[:, 1]) - 10.0 / np.cos(bearing)
    assert np.nanstd(error) == pytest.approx(0.5, abs=0.06)


def test_the_seed_alone_decides_the_effects() -> None:
    render = renderer(crossing())
    poses = np.repeat(ORIGIN, 8, axis=0)
    effects = ScanEffectsConfig()
    np.testing.assert_array_equal(render.tiles(poses, effects, 5), render.tiles(poses, effects, 5))
    assert (render.tiles(poses, effects, 5) != render.tiles(poses, effects, 6)).any()


def test_turning_the_car_turns_the_tile() -> None:
    render = renderer(crossing())
    east, north = render.tiles(np.array([[20.0, 0.0, 0.0], [20.0, 0.0, pi / 2]]))
    turned = np.rot90(east, -1)  # the car turns left, the world right
    assert (turned != north).sum() < 0.25 * north.sum()
