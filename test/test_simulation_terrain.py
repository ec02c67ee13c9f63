# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Hills: heights against gradients, cars on slopes, and what a lidar sees there."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from urban_map_loc.config import SimulationConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.simulation.classes import BUILDING, ROAD
from urban_map_loc.simulation.lidar import SENSORS, Lidar
from urban_map_loc.simulation.solids import Mesh, boxes, prism
from urban_map_loc.simulation.terrain import Terrain
from urban_map_loc.simulation.world import World

EMPTY = Mesh.joined([])
HILLS = Terrain.hills(0.06, np.random.default_rng(3))
PLACES = np.random.default_rng(0).uniform(-2000.0, 2000.0, (4000, 2))
# A slope that is as good as a plane of 6 % to the north for 100 m: one wave, 4 km long, through 0.
NORTHWARD = Terrain(np.array([[0.0, 2.0 * np.pi / 4000.0]]), np.array([0.06 * 4000.0 / (2.0 * np.pi)]), np.zeros(1))


def test_gradient_is_that_of_the_height():
    step = 1e-3
    for axis in (0, 1):
        ahead = PLACES + step * np.eye(2)[axis]
        np.testing.assert_allclose((HILLS.height(ahead) - HILLS.height(PLACES)) / step, HILLS.gradient(PLACES)[:, axis], atol=1e-5)


def test_slope_is_the_mean_gradient():
    assert np.sqrt((HILLS.gradient(PLACES) ** 2).sum(axis=1).mean()) == pytest.approx(0.06, rel=0.1)
    assert Terrain.hills(0.0, np.random.default_rng(0)).is_level


@given(st.floats(-1000.0, 1000.0), st.floats(-1000.0, 1000.0), st.floats(-3.1, 3.1))
def test_cars_stand_on_the_ground(x, y, yaw):
    (rotation,), (translation,) = HILLS.poses(np.array([[x, y, yaw]]))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert np.arctan2(rotation[1, 0], rotation[0, 0]) == pytest.approx(yaw, abs=1e-9)  # straight ahead seen from above
    slope_x, slope_y = HILLS.gradient([[x, y]])[0]
    for axis in (0, 1):  # forward and left lie in the ground
        assert rotation[2, axis] == pytest.approx(slope_x * rotation[0, axis] + slope_y * rotation[1, axis], abs=1e-9)
    assert translation[2] == HILLS.height([[x, y]])[0]


def test_level_ground_changes_nothing():
    level = Terrain.level()
    mesh = boxes(np.zeros((1, 3)), np.ones((1, 3)))
    assert level.lifted(mesh) is mesh
    (rotation,), (translation,) = level.poses(np.array([[3.0, 4.0, 0.5]]))
    c, s = np.cos(0.5), np.sin(0.5)
    np.testing.assert_array_equal(rotation, [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(translation, [3.0, 4.0, 0.0])
    assert len(level.ground(-5.0, -5.0, 5.0, 5.0).triangles) == 2


def test_ground_mesh_follows_the_height():
    mesh = HILLS.ground(-60.0, -40.0, 60.0, 40.0)
    middles = mesh.vertices[mesh.triangles].mean(axis=1)
    np.testing.assert_allclose(middles[:, 2], HILLS.height(middles[:, :2]), atol=0.05)
    assert (mesh.vertices[:, :2].min(axis=0) <= [-60.0, -40.0]).all()
    assert (mesh.vertices[:, :2].max(axis=0) >= [60.0, 40.0]).all()
    edges = np.cross(*(np.diff(mesh.vertices[mesh.triangles], axis=1).transpose(1, 0, 2)))
    assert (edges[:, 2] > 0.0).all()  # every triangle faces up


def test_what_is_plumb_stays_plumb():
    mesh = boxes(np.array([[40.0, 10.0, 0.3]]), np.array([[4.0, 2.0, 1.5]]))
    lifted = HILLS.lifted(mesh)
    np.testing.assert_array_equal(lifted.vertices[:, :2], mesh.vertices[:, :2])
    np.testing.assert_allclose(lifted.vertices[4:, 2] - lifted.vertices[:4, 2], 1.5)


@pytest.mark.parametrize("yaw", [0.0, np.pi / 2.0, 2.0])
def test_a_lidar_on_a_slope_has_the_ground_in_its_plane_and_walls_askew(yaw):
    config = SimulationConfig(range_noise_m=0.0, dropout=0.0)
    wall = prism(shapely.box(-30.0, 9.9, 30.0, 12.0), -5.0, 8.0)
    world = World(NORTHWARD.ground(-80.0, -80.0, 80.0, 80.0), wall, EMPTY, EMPTY, {}, NORTHWARD)
    scan = Lidar(world, SENSORS["vlp16"], config).scan(Pose2(0.0, 0.0, yaw), np.random.default_rng(0))
    road = scan.points[scan.label == ROAD]
    assert len(road) > 1000
    np.testing.assert_allclose(road[:, 2], 0.0, atol=0.02)
    hits = scan.points[scan.label == BUILDING]
    assert len(hits) > 300
    (rotation,), _ = NORTHWARD.poses(np.array([[0.0, 0.0, yaw]]))
    np.testing.assert_allclose(hits @ rotation[1], 9.9, atol=0.01)  # plumb in the world
    normal = np.linalg.svd(hits - hits.mean(axis=0), full_matrices=False)[2][2]
    assert abs(normal[2]) == pytest.approx(np.sin(np.arctan(0.06)), abs=0.005)  # and not so in the base frame
