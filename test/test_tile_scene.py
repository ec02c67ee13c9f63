# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a scene is drawn from: each strength's spread and limits, on many tiles."""

from __future__ import annotations

from dataclasses import replace
from math import pi, radians

import numpy as np
import pytest

from urban_map_loc.config import ScanEffectsConfig, TileConfig
from urban_map_loc.tile.from_map import NO_EFFECTS
from urban_map_loc.tile.scene import ALONGSIDE_M, BEND, KNOTS, SCAN, STRIP, SUBMAP, Scene, draw_scene

TILE = TileConfig()
MANY = 4000


def scene(count: int = MANY, seed: int = 3, tile: TileConfig = TILE, **strengths: float) -> Scene:
    return draw_scene(tile, replace(NO_EFFECTS, **strengths), count, seed)


@pytest.mark.parametrize(
    ("name", "nearest_m", "farthest_m", "shortest_m", "longest_m", "across", "wall"),
    [
        ("vehicles", 2.5, 6.0, 3.0, 12.0, 0.0, 0.0),
        ("vegetation", 7.0, 20.0, 1.0, 10.0, 0.5, 0.0),
        ("extra_walls", 4.0, 40.0, 1.5, 12.0, 0.5, 1.0),
    ],
)
def test_obstacles_stand_along_and_across_the_road_on_both_sides(
    name: str, nearest_m: float, farthest_m: float, shortest_m: float, longest_m: float, across: float, wall: float
) -> None:
    obstacles = scene(**{name: 5.0}).obstacles
    there = np.hypot(obstacles[..., 2], obstacles[..., 3]) > 0.0
    number = there.sum(axis=1)
    assert number.mean() == pytest.approx(5.0, abs=0.2)
    assert number.var() == pytest.approx(5.0 + 10.0**2 / 12.0, rel=0.1)  # Poisson's, and that of a mean between none and twice
    x, y, half_x, half_y, kind = obstacles[there].T
    assert (kind == wall).all()
    assert [x.min(), x.max()] == pytest.approx([-ALONGSIDE_M, ALONGSIDE_M], abs=0.1)
    assert x.mean() == pytest.approx(0.0, abs=1.0)
    assert [np.abs(y).min(), np.abs(y).max()] == pytest.approx([nearest_m, farthest_m], abs=0.1)
    assert np.mean(y > 0.0) == pytest.approx(0.5, abs=0.02)
    assert (np.abs(y) - np.abs(half_y)).min() >= 2.0 - 1e-9
    length, direction = 2.0 * np.hypot(half_x, half_y), np.arctan2(half_y, half_x)
    crosswise = np.abs(direction) > pi / 4
    assert crosswise.mean() == pytest.approx(across, abs=0.02)
    assert length.max() == pytest.approx(longest_m, abs=0.05)
    free = (np.abs(y) > 2.0 + longest_m / 2) if across else np.abs(y) > 5.0  # not shortened by the lane
    assert length[free].min() == pytest.approx(shortest_m, abs=0.05)
    along = direction[~crosswise]
    assert [along.mean(), along.std()] == pytest.approx([0.0, 0.15], abs=0.02)
    if across:
        turned = direction[crosswise] % pi
        assert [turned.mean(), turned.std()] == pytest.approx([pi / 2, 0.15], abs=0.02)


def test_drives_are_arcs_that_odometry_has_a_little_wrong() -> None:
    drawn = scene(submaps=0.4, strips=0.3, submap_m=20.0, strip_m=45.0, odometry_drift=0.05)
    length, curvature, counted, turned = drawn.drive.T
    for kind, longest in ((SCAN, 0.0), (SUBMAP, 20.0), (STRIP, 45.0)):
        of_kind = length[drawn.kind == kind]
        assert [of_kind.min(), of_kind.max()] == pytest.approx([0.5 * longest, longest], abs=0.1)
    assert [curvature.mean(), curvature.std()] == pytest.approx([0.0, BEND], abs=0.05 * BEND)
    driven = length > 0.0
    scale = counted[driven] / length[driven] - 1.0
    assert [scale.mean(), scale.std()] == pytest.approx([0.0, 0.05], abs=0.004)
    assert [(turned - curvature).mean(), (turned - curvature).std()] == pytest.approx([0.0, 0.1 * 0.05], abs=0.0004)


@pytest.mark.parametrize(("mounted_m", "tilt", "expected_m"), [(0.0, 0.0, 0.0), (0.0, 0.1, 1.8), (2.5, 0.0, 2.5), (2.5, 0.1, 2.5)])
def test_beams_leave_at_the_sensor_and_where_they_tilt_above_the_road(mounted_m: float, tilt: float, expected_m: float) -> None:
    drawn = scene(tile=replace(TILE, sensor_height_m=mounted_m), tilt_rad=tilt)
    assert (drawn.beam_height_m == expected_m).all()
    assert drawn.tilt.mean(axis=0) == pytest.approx(0.0, abs=0.01)
    assert drawn.tilt.std(axis=0) == pytest.approx(tilt, rel=0.05)


def test_narrow_views_are_those_of_stereo_cameras() -> None:
    view = scene(narrow_views=1.0).view_rad
    assert [view.min(), view.max()] == pytest.approx([radians(60.0), radians(110.0)], abs=0.01)
    assert scene(narrow_views=0.0).view_rad == pytest.approx(TILE.field_of_view_rad)


def test_sensors_reach_and_skip_evenly_between_their_limits() -> None:
    drawn = scene(range_cut=0.4, skipped_beams=3)
    assert [drawn.reach_m.min(), drawn.reach_m.mean(), drawn.reach_m.max()] == pytest.approx(
        [0.6 * TILE.range_m, 0.8 * TILE.range_m, TILE.range_m], abs=0.01 * TILE.range_m
    )
    assert [np.mean(drawn.skipped == k) for k in range(5)] == pytest.approx([0.25] * 4 + [0.0], abs=0.03)


def test_walls_move_by_a_normal_amount_and_maps_by_a_limited_one() -> None:
    drawn = scene(moved_building_m=0.7, map_shift_m=3.0)
    assert drawn.offsets.shape == (MANY, KNOTS, 2)
    assert drawn.offsets.std() == pytest.approx(0.7, rel=0.02)
    metres, bearing = np.hypot(*drawn.map_shift.T), np.arctan2(*drawn.map_shift.T)
    assert [metres.min(), metres.mean(), metres.max()] == pytest.approx([0.0, 1.5, 3.0], abs=0.07)
    assert np.histogram(bearing, 4, (-pi, pi))[0] / MANY == pytest.approx(0.25, abs=0.03)


def test_each_tile_has_its_own_salt() -> None:
    assert len(np.unique(scene().salt)) == MANY


def test_stretches_share_their_sensor() -> None:
    drawn = draw_scene(TILE, replace(NO_EFFECTS, range_cut=0.4), 10, 3, stretch=4)
    assert [len(np.unique(drawn.reach_m[part])) for part in (slice(0, 4), slice(4, 8), slice(8, 10), slice(0, 10))] == [1, 1, 1, 3]
    alone = draw_scene(TILE, replace(NO_EFFECTS, range_cut=0.4), 3, 3)
    np.testing.assert_array_equal(drawn.reach_m[[0, 4, 8]], alone.reach_m)


def test_a_part_is_what_it_is_among_all() -> None:
    whole = draw_scene(TILE, ScanEffectsConfig(), 9, 4, stretch=2)
    for values, expected in zip(whole.part(slice(3, 6)), whole, strict=True):
        np.testing.assert_array_equal(values, expected[3:6])
