# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Walls by their shape: what is like a wall and is none, cars that stand askew, sparse sensors, and real scans with human labels."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_cloud_extraction import FLOOR, GEOMETRIC, block

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.columns import coarser, gather, wall_lean
from urban_map_loc.cloud.extraction import building_mask
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.cloud.ground import level_plane

Points = NDArray[np.float64]

RANGE_M = 50.0
WALL = block((-10, 15), (8, 8), (0, 5))


def face(length_m: float, height_m: float, roughness_m: float, y: float = -8.0, spacing: float = 0.08) -> Points:
    """An upright surface along x with smooth bumps of a leaf's size."""
    rng = np.random.default_rng(2)
    points = block((0, 1), (0, 0), (0, 1))[:1]
    x, z = np.meshgrid(np.arange(0.0, length_m, spacing), np.arange(0.1, height_m, spacing), indexing="ij")
    points = np.column_stack([x.ravel() - 0.5 * length_m, np.full(x.size, y), z.ravel()])
    points[:, 1] += rng.normal(0.0, roughness_m, len(points))
    return points


def box(length_m: float, width_m: float, height_m: float, from_m: float = 0.3) -> Points:
    """The two sides of a vehicle that the sensor sees, its nearest corner at (4, -4)."""
    side = block((4, 4 + length_m), (-4, -4), (from_m, height_m))
    front = block((4, 4), (-4 - width_m, -4), (from_m, height_m))
    return np.concatenate([side, front])


def share_found(*things: Points) -> float:
    """Of the points of the first thing, on ground and among the others, the share taken for building."""
    points = np.concatenate([*things, FLOOR]).astype(np.float32)
    high = things[0][:, 2] > 0.5
    return float(building_mask(Cloud(0.0, points), GEOMETRIC)[: len(high)][high].mean())


@pytest.mark.parametrize(
    ("thing", "building"),
    [
        (face(20.0, 4.0, 0.01), True),
        (face(20.0, 4.0, 0.05), True),
        (face(8.0, 5.0, 0.01), True),
        (face(20.0, 4.0, 0.2), False),  # shrubs
        (face(20.0, 2.3, 0.15), False),  # a clipped hedge
        (face(20.0, 1.2, 0.01), False),  # a garden wall
        (face(2.5, 4.0, 0.01), False),  # an advertising column
        (box(4.3, 1.8, 1.5), False),  # a car
        (box(5.2, 2.0, 2.5) + [4.0, -2.0, 0.0], False),  # a van
        (box(0.6, 0.4, 1.8, 0.0), False),  # a person
        (block((4, 4.2), (-4, -3.8), (0, 6)), False),  # a pole
        (block((-20, 12), (-6, -6), (4.5, 4.6)), False),  # a tram's wire
        (block((-8, 8), (-9, -5), (3.0, 3.0)), False),  # a roof seen from below
    ],
)
def test_what_is_a_wall(thing: Points, building: bool) -> None:
    house = block((14, 14), (-12, 12), (0, 6))  # the sensor sees high
    found = share_found(thing, house)
    assert found > 0.9 if building else found < 0.02


def test_a_wall_that_only_shows_low_is_believed_where_nothing_shows_higher() -> None:
    def seen(wall: Points) -> Points:
        return wall[wall[:, 2] < 1.9]  # a sensor that looks down: all it sees ends there

    assert share_found(seen(face(20.0, 4.0, 0.01)), seen(block((30, 30), (-10, 10), (0, 6)))) > 0.9


def test_stereo_says_how_far_away_walls_blur() -> None:
    """A wall 30 m ahead blurred by 0.25 m, and a hedge 8 m ahead that is as thick."""
    rng = np.random.default_rng(5)
    wall, hedge = block((30, 30), (-9, 9), (0, 5)), block((8, 8), (-9, 9), (0, 2.5))
    for thing in (wall, hedge):
        thing[:, 0] += rng.normal(0.0, 0.25, len(thing))
    cloud = Cloud(0.0, np.concatenate([wall, hedge, FLOOR]).astype(np.float32))
    high = wall[:, 2] > 0.5
    assert not building_mask(cloud, GEOMETRIC).any()
    mask = building_mask(cloud, replace(GEOMETRIC, depth_noise_per_m=0.0003))
    assert mask[: len(wall)][high].mean() > 0.9
    assert not mask[len(wall) :].any()


def tilted(points: Points, roll: float, pitch: float, height: float) -> Points:
    return Extrinsic.from_xyz_rpy([0.0, 0.0, height, roll, pitch, 0.0]).apply(points).astype(np.float64)


@given(roll=st.floats(-0.15, 0.15), pitch=st.floats(-0.15, 0.15), height=st.floats(-5.0, 3.0))
def test_a_sensor_askew_sees_the_same(roll: float, pitch: float, height: float) -> None:
    points = np.concatenate([WALL, face(20.0, 2.3, 0.15), box(4.3, 1.8, 1.5), FLOOR])
    on_wall = (np.arange(len(points)) < len(WALL)) & (points[:, 2] > 0.6)
    mask = building_mask(Cloud(0.0, tilted(points, roll, pitch, height).astype(np.float32)), GEOMETRIC)
    assert mask[on_wall].mean() > 0.9
    assert mask[len(WALL) : -len(FLOOR)].mean() < 0.02


@given(grade=st.floats(-0.18, 0.18), cross=st.floats(-0.06, 0.06))
def test_on_a_slope_walls_are_plumb_and_the_car_is_not(grade: float, cross: float) -> None:
    points = np.concatenate([WALL, block((20.2, 20.2), (-15, 8), (0, 6)), FLOOR])
    points[:, 2] += grade * points[:, 0] + cross * points[:, 1]
    seen = Extrinsic.from_xyz_rpy([0.0, 0.0, 0.0, -np.arctan(cross), np.arctan(grade), 0.0]).apply(points)
    plane = level_plane(seen, RANGE_M, 2.5)
    np.testing.assert_allclose(plane, 0.0, atol=0.03)
    high = points[: len(WALL), 2] > 0.8 + grade * points[: len(WALL), 0] + cross * 8.0
    assert building_mask(Cloud(0.0, seen), GEOMETRIC)[: len(WALL)][high].mean() > 0.9


@pytest.mark.parametrize(("lean_x", "lean_y"), [(0.0, 0.0), (0.1, 0.0), (-0.05, 0.08)])
def test_the_lean_of_walls(lean_x: float, lean_y: float) -> None:
    rng = np.random.default_rng(1)
    walls = []
    for angle in np.arange(0.0, 2.0 * np.pi, np.pi / 4.0):
        along, height = rng.uniform(-8.0, 8.0, 4000), rng.uniform(0.0, 5.0, 4000)
        x, y = 20.0 * np.cos(angle) - along * np.sin(angle), 20.0 * np.sin(angle) + along * np.cos(angle)
        walls.append(np.column_stack([x + lean_x * height, y + lean_y * height, height]))
    points = np.concatenate(walls).astype(np.float32)
    fine = gather(points, np.zeros(3), np.zeros((50, 50), np.float32), RANGE_M, 0.25, 2.5, 0.3)
    np.testing.assert_allclose(wall_lean(coarser(fine, 0.25), 0.5), (lean_x, lean_y), atol=0.015)


@pytest.mark.parametrize("kerb_m", [0.1, 0.3])
def test_kerbs_terraces_and_hills_are_ground(kerb_m: float) -> None:
    ground = block((-45, 45), (-45, 45), (0, 0))
    ground[:, 2] = 1.5 * np.sin(ground[:, 0] / 12.0) + np.cos(ground[:, 1] / 15.0) + kerb_m * (np.abs(ground[:, 1]) > 4.0)
    assert not building_mask(Cloud(0.0, ground.astype(np.float32)), GEOMETRIC).any()
    wall = block((-10, 15), (8, 8), (0, 5))
    wall[:, 2] += 1.5 * np.sin(wall[:, 0] / 12.0) + np.cos(8.0 / 15.0) + kerb_m
    mask = building_mask(Cloud(0.0, np.concatenate([wall, ground]).astype(np.float32)), GEOMETRIC)
    assert mask[: len(wall)].mean() > 0.85
    assert not mask[len(wall) :].any()


@pytest.mark.parametrize(("beams", "low_deg", "high_deg"), [(16, -15.0, 15.0), (32, -30.7, 10.7), (64, -24.3, 2.0), (128, -25.0, 15.0)])
def test_sensors_of_few_and_many_beams(beams: int, low_deg: float, high_deg: float) -> None:
    """A street of walls 6 m high, 8 m to either side, seen by a lidar 1.8 m above the ground."""
    azimuth = np.radians(np.arange(0.0, 360.0, 0.2))
    out = []
    for elevation in np.radians(np.linspace(low_deg, high_deg, beams)):
        to_wall = 8.0 / np.maximum(np.abs(np.sin(azimuth)), 1e-3)
        reach = np.minimum(to_wall, 1.8 / np.tan(-elevation)) if elevation < -1e-3 else to_wall
        z = 1.8 + reach * np.tan(elevation)
        out.append(np.column_stack([reach * np.cos(azimuth), reach * np.sin(azimuth), z])[(z < 6.0) & (reach < 60.0)])
    points = np.concatenate(out) + np.random.default_rng(0).normal(0.0, 0.02, (sum(map(len, out)), 3))
    on_wall = (np.abs(np.abs(points[:, 1]) - 8.0) < 0.1) & (points[:, 2] > 0.5) & (np.abs(points[:, 0]) < 30.0)
    mask = building_mask(Cloud(0.0, points.astype(np.float32)), GEOMETRIC)
    assert mask[on_wall].mean() > 0.9
    assert not mask[np.abs(points[:, 1]) < 7.0].any()


@cache
def real_scans(folder: Path) -> list[tuple[NDArray[np.float32], NDArray[np.uint32]]]:
    scans = []
    for file in sorted((folder / "velodyne").glob("*.bin")):
        points = np.ascontiguousarray(np.fromfile(file, np.float32).reshape(-1, 4)[:, :3])
        scans.append((points, np.fromfile(folder / "labels" / f"{file.stem}.label", np.uint32) & 0xFFFF))
    return scans


def nearest_by_degree(points: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Range `(360,)` [m] of the nearest chosen point in each degree, inf where there is none."""
    x, y = points[chosen, 0], points[chosen, 1]
    distance, nearest = np.hypot(x, y), np.full(360, np.inf)
    inside = (distance > GEOMETRIC.minimum_range_m) & (distance < RANGE_M)
    np.minimum.at(nearest, (np.degrees(np.arctan2(y, x)) + 180.0).astype(int)[inside] % 360, distance[inside])
    return nearest


def every_fourth_beam(points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """KITTI stores beam after beam: a new one begins where the azimuth starts again."""
    azimuth = np.arctan2(points[:, 1], points[:, 0])
    beam = np.cumsum(np.append(False, (azimuth[:-1] < 0.0) & (azimuth[1:] >= 0.0)))
    return np.asarray(beam % 4 == 0)


@pytest.mark.parametrize("changed", ["as it is", "askew", "16 beams"])
@pytest.mark.parametrize("sequence", ["00", "07", "02"])
def test_real_scans(data_dir: Path, sequence: str, changed: str) -> None:
    """HDL-64E scans against human labels; 02 has no building in sight."""
    kept = right = there = 0
    agree, claimed = [], []
    for points, label in real_scans(data_dir / "kitti_raw" / sequence):
        if changed == "askew":
            points = Extrinsic.from_xyz_rpy([0.0, 0.0, 1.7, 0.05, -0.07, 0.3]).apply(points)
        elif changed == "16 beams":
            beams = every_fourth_beam(points)
            points, label = points[beams], label[beams]
        distance = np.hypot(points[:, 0], points[:, 1])
        mask = building_mask(Cloud(0.0, points), GEOMETRIC)
        building = (label == 50) & (distance < RANGE_M) & (distance > GEOMETRIC.minimum_range_m)
        kept, right, there = kept + mask.sum(), right + (mask & building).sum(), there + building.sum()
        found, known = nearest_by_degree(points, mask), nearest_by_degree(points, building)
        claimed.append(np.isfinite(found).mean())
        if np.isfinite(known).any():
            agree.append((np.abs(found - np.where(np.isfinite(known), known, -99.0)) < 1.0)[np.isfinite(known)].mean())
    if sequence == "02":
        assert np.mean(claimed) < 0.05
    else:
        assert right / kept > 0.88
        assert right / there > 0.76
        assert np.mean(agree) > 0.75
