# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Scan effects on one block: what each does, that 0 switches it off, and that the seed alone decides."""

from __future__ import annotations

from dataclasses import fields, replace
from math import pi

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from towns import area_of, crossing, one_block

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import BUILDINGS_AND_ROADS, RasterConfig, RoadConfig, ScanEffectsConfig, TileConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.tile.from_map import NO_EFFECTS, MapRenderer
from urban_map_loc.tile.scene import SCAN, STRIP, SUBMAP, draw_scene

TILE = TileConfig()
FEW_RAYS = replace(TILE, sectors=180)
FINE = RasterConfig(resolution_m=0.25)
# Strengths at which every effect shows; lengths and odometry's drift say nothing by themselves.
STRONG = {
    "range_noise_m": 1.0,
    "dropout": 0.5,
    "far_dropout": 0.9,
    "skipped_beams": 4,
    "range_cut": 0.9,
    "narrow_views": 1.0,
    "tilt_rad": 0.2,
    "submaps": 1.0,
    "strips": 1.0,
    "vehicles": 10.0,
    "vegetation": 30.0,
    "extra_walls": 20.0,
    "missing_buildings": 0.5,
    "bare_walls": 0.5,
    "moved_building_m": 2.0,
    "simplified_m": 2.0,
    "map_shift_m": 5.0,
}
ACCOMPANY = {"submap_m", "strip_m", "odometry_drift"}


def with_one(**strength: float) -> ScanEffectsConfig:
    """One effect, and what those with a drive need."""
    return replace(NO_EFFECTS, submap_m=20.0, strip_m=45.0, **strength)


def renderer(area: object = None, tile: TileConfig = TILE) -> MapRenderer:
    return MapRenderer(BuildingRaster.from_area(area or crossing(), FINE), tile)  # type: ignore[arg-type]


CROSSING, COARSE = renderer(), renderer(tile=FEW_RAYS)
BLOCK, COARSE_BLOCK = renderer(one_block()), renderer(one_block(), FEW_RAYS)


def poses(count: int = 10) -> FloatArray:
    """Along the crossing's roads."""
    random = np.random.default_rng(5)
    return np.column_stack([random.uniform(-100, 100, count), random.normal(0, 1.5, count), random.choice([0.0, pi], count)])


def ranges(points: FloatArray) -> FloatArray:
    return np.hypot(points[..., 0], points[..., 1])


def in_front(count: int = 1) -> FloatArray:
    """So many cars 10 m before the block's long side, facing it."""
    return np.zeros((count, 3))


def test_strengths_are_all_here_and_zero_is_none() -> None:
    assert {f.name for f in fields(ScanEffectsConfig)} == set(STRONG) | ACCOMPANY
    np.testing.assert_array_equal(COARSE.points(poses(), NO_EFFECTS, 1), COARSE.points(poses(), NO_EFFECTS, 2))
    np.testing.assert_array_equal(COARSE.points(poses(), with_one(odometry_drift=0.1), 1), COARSE.points(poses()))


@pytest.mark.parametrize("name", STRONG)
def test_each_effect_shows_and_hangs_on_its_seed(name: str) -> None:
    effects = with_one(**{name: STRONG[name]})
    clean, first = COARSE.tiles(poses()), COARSE.tiles(poses(), effects, 3)
    assert (clean != first).mean(axis=(1, 2)).max() > 1e-3
    np.testing.assert_array_equal(COARSE.tiles(poses(), effects, 3), first)
    assert (COARSE.tiles(poses(), effects, 4) != first).any()


@pytest.mark.parametrize("name", STRONG)
def test_switching_one_off_leaves_the_scene_of_the_others(name: str) -> None:
    everything = replace(NO_EFFECTS, submap_m=20.0, strip_m=45.0, **STRONG)
    with_it = draw_scene(TILE, everything, 6, seed=2)
    without = draw_scene(TILE, replace(everything, **{name: 0}), 6, seed=2)
    same = [np.array_equal(a, b) for a, b in zip(with_it, without, strict=True) if a.shape == b.shape]
    assert len(same) - sum(same) <= 2  # tilt acts on height too, strips on their drives


def test_far_walls_are_lost_more_often() -> None:
    far = renderer(area_of([shapely.box(40, -40, 44, 40)], [shapely.LineString([(0, -60), (0, 60)])]), FEW_RAYS)
    lost = []
    for render, at_m in ((COARSE_BLOCK, 10.0), (far, 40.0)):
        clean = np.abs(ranges(render.points(in_front(60))) - at_m) < 1.0
        points = render.points(in_front(60), with_one(far_dropout=0.5), 3)
        lost.append(np.isnan(points[clean]).any(axis=1).mean())
    assert lost == pytest.approx([0.5 * 0.2**2, 0.5 * 0.8**2], abs=0.03)


def test_beams_are_left_out_evenly() -> None:
    hit = np.isfinite(BLOCK.points(in_front(25), with_one(skipped_beams=3), 1)[..., 0])
    spacing = [np.diff(np.flatnonzero(row)) for row in hit]
    assert {int(s[0]) for s in spacing} == {1, 2, 3, 4}
    assert all((s == s[0]).all() for s in spacing)


def test_the_range_is_cut_within_the_stated_share() -> None:
    reach = draw_scene(TILE, with_one(range_cut=0.4), 500, 0).reach_m
    assert 30.0 <= reach.min() < 31.0
    assert 49.0 < reach.max() <= 50.0


def test_a_narrow_view_sees_forward_only() -> None:
    points = CROSSING.points(poses(), with_one(narrow_views=1.0), 3)
    bearing = np.degrees(np.arctan2(points[..., 1], points[..., 0]))
    widest = np.nanmax(np.abs(bearing), axis=1)
    assert widest.min() > 25.0
    assert widest.max() <= 55.0
    narrow = np.isclose(draw_scene(TILE, with_one(narrow_views=0.3), 2000, 0).view_rad, 2 * pi)
    assert narrow.mean() == pytest.approx(0.7, abs=0.04)


def test_a_sensor_of_narrower_view_is_not_widened() -> None:
    stereo = replace(TILE, field_of_view_rad=0.5, sectors=200)
    assert draw_scene(stereo, with_one(narrow_views=1.0), 50, 0).view_rad == pytest.approx(0.5)


def test_tilted_beams_meet_the_road_or_pass_over_low_buildings() -> None:
    rows = [shapely.box(10 * k, -20, 10 * k + 6, 20) for k in range(1, 5)]
    area = area_of(rows, [shapely.LineString([(0, -60), (0, 60)])])
    render = renderer(replace(area, building_heights=np.array([2.5, 3.0, 9.0, 9.0])), FEW_RAYS)
    ahead = render.points(in_front(100), with_one(tilt_rad=0.1), 8)[:, 90, 0]
    rise = draw_scene(TILE, with_one(tilt_rad=0.1), 100, 8).tilt[:, 0]
    wall_m = np.select([rise < -0.175, rise < 0.065, rise < 0.055, rise < 0.2], [np.nan, 10.0, 20.0, 30.0], np.nan)
    clear = (np.abs(rise) < 0.2) & (np.abs(rise - 0.065) > 0.02) & (np.abs(rise + 0.175) > 0.01)
    np.testing.assert_allclose(ahead[clear], wall_m[clear] * np.hypot(1.0, rise[clear]), atol=0.6)
    assert np.isnan(ahead[rise < -0.19]).all()


def test_a_submap_shows_what_the_drive_behind_saw() -> None:
    pair = area_of([shapely.box(10, 6, 18, 12), shapely.box(10, 14, 18, 20)], [shapely.LineString([(-60, 0), (60, 0)])])
    render = renderer(pair)
    past = np.array([[25.0, 0.0, 0.0]])  # the second house hides behind the first from here, less so from further back
    scan = render.points(past)[0]
    submap = render.points(past, with_one(submaps=1.0), 4)[0]
    on_near = [np.nanmin(np.abs(p[:, 1] - 6.0)) for p in (scan, submap)]
    assert max(on_near) < 0.3
    inside = (submap[:, 0] > -15.5) & (submap[:, 0] < -6.5) & (submap[:, 1] > 5.5)
    assert np.isfinite(submap[:, 0]).sum() == inside.sum()  # carried to where the houses are, seen from the last pose
    assert (submap[inside, 0] < -14.5).sum() > (scan[:, 0] < -14.5).sum()  # their far side


def test_odometry_smears_a_submap() -> None:
    sharp = BLOCK.points(in_front(12), with_one(submaps=1.0), 4)[..., 0]
    smeared = BLOCK.points(in_front(12), with_one(submaps=1.0, odometry_drift=0.05), 4)[..., 0]
    near = np.abs(sharp - 10.0) < 0.3
    assert 0.1 < np.nanstd(smeared[near]) < 1.5
    own = np.arange(720) % 5 == 0  # the car's own rays need no odometry
    np.testing.assert_array_equal(smeared[:, own], sharp[:, own])


def test_a_push_broom_tile_holds_only_what_was_beside() -> None:
    street = area_of(
        [shapely.box(-100, 6, 100, 12), shapely.box(-100, -13, 100, -8), shapely.box(30, -5, 35, 5)],
        [shapely.LineString([(-60, 0), (60, 0)])],
    )
    points = renderer(street).points(in_front(20), with_one(strips=1.0), 4)
    assert np.nanmax(points[..., 0]) < 0.3  # nothing ahead
    assert -52.0 < np.nanmin(points[..., 0]) < -25.0
    left = points[..., 1] > 0
    straight = np.abs(points[..., 0]) < 8.0
    assert np.nanmax(np.abs(points[..., 1][straight & left] - 6.0)) < 0.7
    assert np.nanmax(np.abs(points[..., 1][straight & ~left & np.isfinite(points[..., 1])] + 8.0)) < 0.7


def test_shares_of_scans_submaps_and_strips() -> None:
    kind = draw_scene(TILE, with_one(submaps=0.3, strips=0.1), 4000, 0).kind
    assert [np.mean(kind == k) for k in (SCAN, SUBMAP, STRIP)] == pytest.approx([0.6, 0.3, 0.1], abs=0.03)


@pytest.mark.parametrize("name", ["vehicles", "vegetation"])
def test_what_only_hides_gives_no_hits(name: str) -> None:
    clean, hidden = (CROSSING.points(poses(), effects, 6) for effects in (NO_EFFECTS, with_one(**{name: 10.0})))
    kept = np.isfinite(hidden[..., 0])
    assert 0.2 < kept.sum() / np.isfinite(clean[..., 0]).sum() < 0.95
    np.testing.assert_array_equal(hidden[kept], clean[kept])


def test_extra_walls_are_straight_and_off_the_lane() -> None:
    nowhere = MapRenderer(BLOCK.raster, TILE).points(np.array([[1e4, 1e4, 0.0]]), with_one(extra_walls=3.0), 5)[0]
    wall = nowhere[np.isfinite(nowhere[:, 0])]
    assert len(wall) > 5
    assert np.abs(wall[:, 1]).min() >= 2.0
    scene = draw_scene(TILE, with_one(extra_walls=3.0), 1, 5)
    middle, half = scene.obstacles[0, :, :2], scene.obstacles[0, :, 2:4]
    length = np.hypot(*half.T)
    offset = wall[:, None] - middle
    across = np.abs(offset[..., 0] * half[:, 1] - offset[..., 1] * half[:, 0]) / np.maximum(length, 1e-9)
    along = np.abs((offset * half).sum(-1)) / np.maximum(length, 1e-9)
    assert ((across < 1e-6) & (along <= length + 1e-6)).any(axis=1).all()


def test_buildings_are_moved_as_a_whole() -> None:
    points = COARSE_BLOCK.points(in_front(150), with_one(moved_building_m=0.5), 3)
    ahead = points[:, 88:92, 0]
    assert np.nanstd(ahead.mean(axis=1)) == pytest.approx(0.45, abs=0.12)  # between two knots, a little less than at one
    assert np.nanstd(ahead - ahead.mean(axis=1, keepdims=True)) < 0.1


def test_pieces_of_wall_stand_before_or_behind_the_outline() -> None:
    points = BLOCK.points(in_front(25), with_one(simplified_m=0.8), 3)
    near = points[np.abs(points[..., 0] - 10.0) < 1.2]
    error = near[:, 0] - 10.0
    assert np.abs(error).max() <= 0.8 + 0.2
    assert error.std() == pytest.approx(0.8 / np.sqrt(6.0), abs=0.1)
    one = points[0][np.isfinite(points[0, :, 0])]
    assert len(np.unique(one[:, 0].round(1))) < 14  # a few pieces, each straight


def test_the_whole_map_is_shifted() -> None:
    shift = draw_scene(TILE, with_one(map_shift_m=2.0), 60, 9).map_shift
    assert np.hypot(*shift.T).max() <= 2.0
    points = COARSE_BLOCK.points(in_front(60), with_one(map_shift_m=2.0), 9)
    np.testing.assert_allclose(points[:, 90, 0], 10.0 - shift[:, 0], atol=0.3)


def test_roads_and_walls_are_shifted_together() -> None:
    both = replace(TILE, channels=BUILDINGS_AND_ROADS)
    raster, roads = BuildingRaster.from_area(crossing(), FINE), RoadRaster.from_area(crossing(), FINE, RoadConfig())
    render = MapRenderer(raster, both, roads)
    scene = draw_scene(both, with_one(map_shift_m=5.0), 5, 1)
    there = poses(5)
    moved = there + np.column_stack([scene.map_shift, np.zeros(5)])
    np.testing.assert_array_equal(render.tiles(there, with_one(map_shift_m=5.0), 1), render.tiles(moved))


@pytest.mark.parametrize("kind", ["submaps", "strips"])
def test_roads_are_those_that_the_car_itself_sees(kind: str) -> None:
    both = replace(TILE, channels=BUILDINGS_AND_ROADS)
    raster, roads = BuildingRaster.from_area(crossing(), FINE), RoadRaster.from_area(crossing(), FINE, RoadConfig())
    render = MapRenderer(raster, both, roads)
    clear, tile = render.tiles(poses())[:, 1], render.tiles(poses(), with_one(**{kind: 1.0}), 1)[:, 1]
    if kind == "strips":
        assert not tile.any()
    else:
        assert (clear != tile).mean() < 0.02
        assert tile.any()


def test_a_stretch_has_one_sensor_and_one_map() -> None:
    scene = draw_scene(TILE, replace(NO_EFFECTS, submap_m=20.0, strip_m=45.0, **STRONG | {"strips": 0.3, "submaps": 0.3}), 20, 1, stretch=5)
    for values in (scene.salt, scene.reach_m, scene.skipped, scene.view_rad, scene.kind, scene.map_shift):
        first = values.reshape(4, 5, -1)
        assert (first == first[:, :1]).all()
        assert len(np.unique(first[:, 0], axis=0)) > 1
    assert len(np.unique(scene.tilt[:, 0])) == 20


def test_a_last_stretch_may_be_short() -> None:
    assert all(len(values) == 7 for values in draw_scene(TILE, ScanEffectsConfig(), 7, 1, stretch=3))


@settings(max_examples=20, deadline=None)
@given(
    st.fixed_dictionaries({name: st.floats(0.0, strong) for name, strong in STRONG.items() if name != "skipped_beams"}),
    st.integers(0, 20),
    st.floats(0.2, 2 * pi),
    st.integers(0, 2**31),
)
def test_any_strengths_give_tiles(strengths: dict[str, float], skipped: int, view: float, seed: int) -> None:
    effects = ScanEffectsConfig(skipped_beams=skipped, **strengths)
    render = MapRenderer(CROSSING.raster, replace(TILE, field_of_view_rad=view, sectors=200))
    tiles = render.tiles(poses(3), effects, seed)
    assert tiles.max(initial=0) <= 1
    np.testing.assert_array_equal(render.tiles(poses(3), effects, seed), tiles)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.3, 2 * pi))
def test_scans_stay_inside_their_field_of_view(seed: int, view: float) -> None:
    render = MapRenderer(CROSSING.raster, replace(FEW_RAYS, field_of_view_rad=view))
    effects = replace(ScanEffectsConfig(extra_walls=30.0, submaps=0.0, strips=0.0), simplified_m=0.0)
    points = render.points(poses(3), effects, seed)
    bearing = np.arctan2(points[..., 1], points[..., 0])
    assert (np.abs(bearing[np.isfinite(bearing)]) <= view / 2 + 1e-9).all()
