# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the map says should be seen: exact counts before one wall, and what a fence before a street does to a lock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from towns import crossing, one_block

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.config import LocalizerConfig, RasterConfig, TileConfig, VerificationConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.expectation import NOTHING_HIT, rays_of, rays_to
from urban_map_loc.localization.recent_drive import RecentDrive
from urban_map_loc.localization.tracking import Tracker
from urban_map_loc.localization.verification import Verifier
from urban_map_loc.tile.from_map import MapRenderer

CONFIG = VerificationConfig(expected_belief=1, expected_hidden=0.5)
HERE = np.zeros((1, 3))
TURN = 2.0 * np.pi


def verifier(height_m: float = float("nan"), config: VerificationConfig = CONFIG) -> Verifier:
    """The block's near wall is 10 m ahead of the origin."""
    area = replace(one_block(), building_heights=np.array([height_m]))
    return Verifier(area, BuildingRaster.from_area(area, RasterConfig(resolution_m=0.25)), config)


def ahead(metres: float, count: int = 9) -> np.ndarray:
    """Hits so far ahead, in directions in which the wall is met."""
    return np.column_stack([np.full(count, metres), np.linspace(-2.0, 2.0, count)])


@pytest.mark.parametrize(
    ("metres", "found", "weight"),
    [(10.0, 9 / 10, 9 / 10), (9.2, 9 / 10, 9 / 10), (40.0, 0.0, 9 / 10), (5.0, 0.0, 4.5 / 5.5)],
)
def test_hits_on_the_wall_beyond_it_and_before_it(metres: float, found: float, weight: float) -> None:
    shares, weights = verifier().found(rays_to(ahead(metres), np.zeros((9, 2))), HERE)
    assert shares[0] == pytest.approx(found)
    assert weights[0] == pytest.approx(weight)


def test_where_the_map_has_nothing_nothing_is_expected() -> None:
    away = np.array([[0.0, 0.0, np.pi]])
    assert [float(value[0]) for value in verifier().found(rays_to(ahead(10.0), np.zeros((9, 2))), away)] == [0.0, 0.0]


def test_low_buildings_are_no_obstacle() -> None:
    assert verifier(2.0).found(rays_to(ahead(40.0), np.zeros((9, 2))), HERE)[1][0] == 0.0


def test_rays_begin_at_their_origins() -> None:
    """From behind the block its near wall cannot be seen: the hits there lie beyond its far one."""
    beyond = np.full((9, 2), [60.0, 0.0])
    assert verifier().found(rays_to(ahead(10.0), beyond), HERE)[0][0] == 0.0


def test_rays_without_a_hit_say_how_far_they_are_free() -> None:
    free = np.zeros(8)
    free[4] = 20.0  # the sector that begins straight ahead, of which the middle is at 22.5 degrees
    free[0] = 30.0  # of the sector with the hit nothing is added
    scan = BuildingScan(0.0, np.array([[-10.0, -1.0]]), free)
    rays = rays_of(scan, TURN)
    assert rays.shape == (2, 5)
    assert rays[0, 3] == rays[0, 4] == pytest.approx(np.hypot(10.0, 1.0))
    np.testing.assert_allclose(rays[1], [0.0, 0.0, TURN / 16, NOTHING_HIT, 20.0])
    assert len(rays_of(BuildingScan(0.0, scan.points), TURN)) == 1


def test_a_free_ray_through_the_wall_speaks_against_the_pose() -> None:
    free = np.zeros(720)
    free[360] = 30.0
    scan = BuildingScan(0.0, np.zeros((0, 2)), free)
    share, weight = verifier().found(rays_of(scan, TURN), HERE)
    assert (share[0], weight[0]) == (0.0, 0.5)


STREETS = crossing()
RASTER = BuildingRaster.from_area(STREETS, RasterConfig())
SEEN = MapRenderer(RASTER, TileConfig(sectors=360))


def walls(pose: np.ndarray) -> np.ndarray:
    points = SEEN.points(pose[None])[0]
    return np.ascontiguousarray(points[np.isfinite(points[:, 0])])


@settings(max_examples=20, deadline=None)
@given(x=st.floats(-2.0, 2.0), y=st.floats(-60.0, 60.0), yaw=st.floats(-3.14, 3.14))
def test_what_is_drawn_from_the_map_is_found(x: float, y: float, yaw: float) -> None:
    pose = np.array([x, y, yaw])
    points = walls(pose)
    share, _ = Verifier(STREETS, RASTER, CONFIG).found(rays_to(points, np.zeros_like(points)), pose[None])
    assert share[0] > 0.9


def driven(fence_m: float, shift_m: float) -> Tracker:
    """A lock `shift_m` beside the truth after 40 m along a street, of which a fence `fence_m` from the car hides one side."""
    config = LocalizerConfig()
    drive = RecentDrive(config.fusion)
    tracker = None
    for k in range(80):
        at = np.array([0.0, -60.0 + 0.5 * k, np.pi / 2])
        points = walls(at)
        fence = np.column_stack([np.linspace(-30.0, 30.0, len(points)), np.full(len(points), fence_m)])
        points = np.concatenate([points[points[:, 1] < 0.0], fence])
        T_odom_base = Pose2.from_array(at)
        drive.move(T_odom_base)
        keyframe = drive.add(0.1 * k, T_odom_base, points)
        if tracker is None:
            tracker = Tracker(Verifier(STREETS, RASTER, config.verification), config, drive, Pose2(0.0, 0.0, 0.0))
            tracker.covariance = np.eye(3) * 1e-4
        elif keyframe is not None:
            tracker.move(T_odom_base)
        claimed = Pose2(at[0] + shift_m, at[1], at[2])
        tracker.compare(BuildingScan(0.1 * k, np.ascontiguousarray(points)), claimed, drive.travelled_m, TURN)
    assert tracker is not None
    return tracker


def test_a_fence_along_one_side_is_no_reason_to_lose_a_lock_but_a_wrong_place_is() -> None:
    assert driven(fence_m=3.0, shift_m=0.0).disagreement == ""
    assert driven(fence_m=3.0, shift_m=40.0).disagreement != ""
