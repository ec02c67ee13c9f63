# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The simulated lidar against distances that can be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from urban_map_loc.config import SimulationConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.simulation.classes import BUILDING, FENCE, POLE, ROAD, VEGETATION, VEHICLE
from urban_map_loc.simulation.lidar import SENSORS, Lidar, Sensor
from urban_map_loc.simulation.solids import Mesh, boxes, cars, prism
from urban_map_loc.simulation.world import World

EXACT = SimulationConfig(range_noise_m=0.0, dropout=0.0, grazing=0.0, leaf_gaps=0.0)
EMPTY = Mesh.joined([])
FLOOR = boxes(np.array([[0.0, 0.0, 0.0]]), np.array([[400.0, 400.0, 1.0]]), bottom_m=-1.0)
LEVEL = Sensor(np.zeros(1), 360, 0.5, 100.0)  # one horizontal beam, a ray a degree
BLOCK = shapely.box(10.0, -20.0, 30.0, 20.0).difference(shapely.box(15.0, -10.0, 25.0, 10.0))  # courtyard


def world(buildings=(BLOCK,), things=EMPTY, leaves=EMPTY, height=8.0):
    return World(FLOOR, Mesh.joined([prism(b, 0.0, height) for b in buildings]), things, leaves)


ORIGIN = Pose2(0.0, 0.0, 0.0)


def scan(a_world, pose=ORIGIN, sensor=LEVEL, config=EXACT, moving=None):
    return Lidar(a_world, sensor, config).scan(pose, np.random.default_rng(0), moving)


def by_degree(result):
    degrees = np.round(np.degrees(np.arctan2(result.points[:, 1], result.points[:, 0]))).astype(int) % 360
    return dict(zip(degrees.tolist(), np.hypot(result.points[:, 0], result.points[:, 1]).tolist(), strict=True))


def test_wall_at_known_distance():
    ranges = by_degree(scan(world()))
    assert ranges[0] == pytest.approx(10.0, abs=1e-4)
    assert ranges[45] == pytest.approx(10.0 * np.sqrt(2.0), abs=1e-4)
    assert ranges[330] == pytest.approx(10.0 / np.cos(np.radians(30.0)), abs=1e-4)
    assert set(ranges) == set(range(64)) | set(range(297, 360))  # atan(20 / 10) = 63.4 degrees
    assert set(scan(world()).label) == {BUILDING}


def test_points_are_in_the_base_frame():
    ranges = by_degree(scan(world(), Pose2(0.0, 5.0, np.pi / 2.0)))
    assert ranges[270] == pytest.approx(10.0, abs=1e-4)  # the wall in the east is on the right of a car that faces north
    assert 90 not in ranges


def test_inside_a_courtyard_all_walls_are_seen():
    ranges = by_degree(scan(world(), Pose2(20.0, 0.0, 0.0)))
    assert len(ranges) == 360
    assert [ranges[d] for d in (0, 90, 180, 270)] == pytest.approx([5.0, 10.0, 5.0, 10.0], abs=1e-4)


def test_inside_a_building_nothing_breaks():
    ranges = by_degree(scan(world(), Pose2(12.5, 0.0, 0.0)))
    assert ranges[0] == pytest.approx(2.5, abs=1e-4)


def test_ground_lies_at_zero_and_heights_are_true():
    down = Sensor(np.radians([-45.0, -10.0]), 8, 0.5, 100.0)
    result = scan(world(), sensor=down)
    ground = result.label == ROAD
    np.testing.assert_allclose(result.points[ground, 2], 0.0, atol=1e-4)
    assert np.hypot(*result.points[ground, :2].T).min() == pytest.approx(1.8, abs=1e-4)  # 45 degrees from 1.8 m
    wall = result.points[~ground]
    np.testing.assert_allclose(wall[np.abs(wall[:, 1]) < 1e-3], [[10.0, 0.0, 1.8 - 10.0 * np.tan(np.radians(10.0))]], atol=1e-4)


def test_rays_pass_over_low_buildings():
    low, high = shapely.box(10, -5, 12, 5), shapely.box(20, -20, 22, 20)
    up = Sensor(np.radians([10.0]), 360, 0.5, 100.0)
    two = World(FLOOR, Mesh.joined([prism(low, 0.0, 3.0), prism(high, 0.0, 30.0)]), EMPTY, EMPTY)
    assert by_degree(scan(two, sensor=up))[0] == pytest.approx(20.0, abs=1e-4)
    assert by_degree(scan(two))[0] == pytest.approx(10.0, abs=1e-4)


def test_vehicles_and_leaves_hide_walls():
    lorry = cars(np.array([[5.0, 0.0, np.pi / 2.0]]), np.array([[8.0, 2.0, 3.0]]))
    hidden = scan(world(), moving=lorry)
    assert by_degree(hidden)[0] == pytest.approx(4.0, abs=1e-4)
    assert VEHICLE in hidden.label
    parked = scan(world(things=lorry))
    np.testing.assert_array_equal(parked.points, hidden.points)
    hedge = boxes(np.array([[6.0, 0.0, 0.0]]), np.array([[1.0, 4.0, 2.0]]))
    behind = scan(world(leaves=hedge))
    assert by_degree(behind)[0] >= 5.5
    assert (behind.label == VEGETATION).sum() > 20
    see_through = scan(world(leaves=hedge), config=replace(EXACT, leaf_gaps=1.0))
    assert VEGETATION not in see_through.label


def test_reach_dropout_and_noise():
    assert len(scan(world(), sensor=Sensor(np.zeros(1), 360, 0.5, 9.0)).points) == 0
    assert len(scan(world(), config=replace(EXACT, dropout=1.0)).points) == 0
    turn = Sensor(np.zeros(1), 36000, 0.5, 100.0)
    noisy = scan(world(), sensor=turn, config=replace(EXACT, range_noise_m=0.05, dropout=0.25))
    exact = scan(world(), sensor=turn)
    assert len(noisy.points) / len(exact.points) == pytest.approx(0.75, abs=0.02)
    ahead = noisy.points[np.abs(noisy.points[:, 1]) < 2.0]
    error = np.hypot(ahead[:, 0], ahead[:, 1]) - 10.0 / np.cos(np.arctan2(ahead[:, 1], ahead[:, 0]))
    assert np.std(error) == pytest.approx(0.05, abs=0.005)


def test_every_solid_has_its_class():
    fence = boxes(np.array([[6.0, 0.0, 0.0]]), np.array([[0.1, 4.0, 1.9]]))
    pole = boxes(np.array([[0.0, 5.0, 0.0]]), np.array([[0.2, 0.2, 6.0]]))
    result = scan(World(FLOOR, Mesh.joined([prism(BLOCK, 0.0, 8.0)]), EMPTY, EMPTY, {FENCE: fence, POLE: pole}))
    near = np.hypot(*result.points[:, :2].T) < 7.0
    assert set(result.label[near & (result.points[:, 0] > 3.0)]) == {FENCE}
    assert set(result.label[near & (result.points[:, 1] > 3.0)]) == {POLE}
    assert set(result.label[~near]) == {BUILDING}


def test_stereo_sees_ahead_and_errs_with_the_square_of_the_distance():
    sensor = SENSORS["stereo"]
    spread = []
    for distance in (8.0, 16.0):
        wall = shapely.box(distance, -60.0, distance + 1.0, 60.0)
        result = scan(world(buildings=(wall,), height=30.0), sensor=sensor)
        azimuth = np.degrees(np.arctan2(result.points[:, 1], result.points[:, 0]))
        assert np.abs(azimuth).max() == pytest.approx(33.0, abs=0.3)
        ranges = np.linalg.norm(result.points - [0.0, 0.0, EXACT.sensor_height_m], axis=1)
        true = ranges * distance / result.points[:, 0]
        spread.append(np.std((ranges - true)[(result.label == BUILDING) & (np.abs(azimuth) < 5.0)]))
    assert spread[1] / spread[0] == pytest.approx(4.0, rel=0.2)
    assert sensor.maximum_m == pytest.approx(31.8, abs=0.1)
    assert sensor.depth_noise_per_m * sensor.maximum_m**2 == pytest.approx(1.5)  # as much as the configuration allows


def test_same_seed_same_scan():
    lidar = Lidar(world(), SENSORS["vlp16"], SimulationConfig())
    first, second, other = (lidar.scan(Pose2.identity(), np.random.default_rng(seed)).points for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("name", "beams", "lowest", "highest"), [("hdl64", 64, -24.33, 2.0), ("hdl32", 32, -30.67, 10.67), ("vlp16", 16, -15, 15)]
)
def test_sensor_tables(name, beams, lowest, highest):
    elevations = np.degrees(SENSORS[name].elevations_rad)
    assert len(elevations) == beams
    assert (elevations.min(), elevations.max()) == pytest.approx((lowest, highest))
    assert (np.diff(elevations) != 0).all()


def test_hdl64_has_two_blocks_of_beams():
    steps = -np.diff(np.degrees(SENSORS["hdl64"].elevations_rad))
    np.testing.assert_allclose(steps[:31], 1.0 / 3.0, atol=0.001)  # the upper block, 2 to -8.33 degrees
    np.testing.assert_allclose(steps[31:], 0.5, atol=0.001)
    np.testing.assert_allclose(-np.diff(np.degrees(SENSORS["hdl32"].elevations_rad)), 4.0 / 3.0, atol=0.003)


def test_rays_of_a_column_are_cast_from_its_pose():
    poses = np.column_stack([np.linspace(0.0, 3.6, 360, endpoint=False), np.zeros((360, 2))])
    result = scan(world(), poses)
    degrees = np.round(np.degrees(np.arctan2(result.points[:, 1], result.points[:, 0]))).astype(int) % 360
    np.testing.assert_array_equal(result.ray, degrees)  # one beam: the ray's number is its column
    ahead = (degrees < 60) | (degrees > 300)
    np.testing.assert_allclose(result.points[ahead, 0], 10.0 - poses[degrees[ahead], 0], atol=1e-4)
