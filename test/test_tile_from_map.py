# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The visibility renderer on one block: exact ranges, occlusion, scan effects."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from math import pi

import numpy as np
import pytest
import shapely
from towns import area_of, crossing, one_block

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import BUILDINGS_AND_ROADS, RasterConfig, ScanEffectsConfig, TileConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.tile.from_map import NO_EFFECTS, MapRenderer

TILE = TileConfig(sectors=360)
ORIGIN = np.array([[0.0, 0.0, 0.0]])
BLOCK = BuildingRaster.from_area(one_block(), RasterConfig(resolution_m=0.25))


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


def test_clean_tiles_stay_as_they_were_when_models_were_trained() -> None:
    random = np.random.default_rng(11)
    poses = np.column_stack([random.uniform(-100, 100, 16), random.normal(0, 1.5, 16), random.uniform(-np.pi, np.pi, 16)])
    render = MapRenderer(BuildingRaster.from_area(crossing(), RasterConfig()), TileConfig())
    tiles = render.tiles(poses)
    assert tiles.sum() == 2946
    assert hashlib.sha256(np.packbits(tiles).tobytes()).hexdigest().startswith("a9079006148eebef")


def test_beams_fill_the_field_of_view_and_no_more() -> None:
    stereo = replace(TILE, field_of_view_rad=pi / 3, sectors=100)
    for yaw, seen in ((0.0, 100), (pi / 4, 50), (pi, 0)):  # the block spans 45 degrees either side
        points = renderer(one_block(), stereo).points(np.array([[0.0, 0.0, yaw]]))[0]
        bearing = np.arctan2(points[:, 1], points[:, 0])
        assert np.isfinite(bearing).sum() == pytest.approx(seen, abs=2)
        assert (np.abs(bearing[np.isfinite(bearing)]) <= pi / 6).all()


def rows_of(heights: list[float]) -> AreaMap:
    """Walls 10, 20 and 30 m ahead, so high [m]."""
    blocks = [shapely.box(10 * k, -20, 10 * k + 6, 20) for k in range(1, 4)]
    return replace(area_of(blocks, [shapely.LineString([(0, -60), (0, 60)])]), building_heights=np.array(heights))


@pytest.mark.parametrize(
    ("heights", "sensor_m", "ahead_m"),
    [
        ([1.5, 8.0, 8.0], 0.0, 10.0),
        ([1.5, 8.0, 8.0], 2.0, 20.0),
        ([1.5, 1.9, 2.0], 2.0, 30.0),
        ([np.nan, 8.0, 8.0], 2.0, 10.0),  # of unknown height: a wall
        ([1.0, 1.0, 1.0], 2.0, np.nan),
    ],
)
def test_buildings_lower_than_the_sensor_are_looked_over(heights: list[float], sensor_m: float, ahead_m: float) -> None:
    points = renderer(rows_of(heights), replace(TILE, sensor_height_m=sensor_m)).points(ORIGIN)[0]
    np.testing.assert_allclose(points[180, 0], ahead_m, atol=0.3)


def test_the_wall_above_a_low_annex_is_where_it_stands() -> None:
    annex = area_of([shapely.box(10, -20, 16, 20), shapely.box(16, -20, 30, 20)], [shapely.LineString([(0, -60), (0, 60)])])
    annex = replace(annex, building_heights=np.array([1.5, 9.0]))
    points = renderer(annex, replace(TILE, sensor_height_m=2.0)).points(ORIGIN)[0]
    assert points[180, 0] == pytest.approx(16.0, abs=0.3)


def test_a_number_shared_with_a_tall_building_is_a_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urban_map_loc.area.raster.NUMBERS", 3)  # the first and third building share number 1
    raster = BuildingRaster.from_area(rows_of([1.5, 1.5, 8.0]), RasterConfig())
    assert raster.heights.tolist() == [0.0, 8.0, 1.5]


def test_no_poses_are_no_tiles() -> None:
    assert renderer(one_block()).tiles(np.zeros((0, 3))).shape == (0, 96, 96)


def test_roads_must_be_given_where_they_are_drawn() -> None:
    with pytest.raises(ConfigurationError, match=r"channels buildings\+roads need .* RoadRaster"):
        MapRenderer(BLOCK, replace(TILE, channels=BUILDINGS_AND_ROADS))
