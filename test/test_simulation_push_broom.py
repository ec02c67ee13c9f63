# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The push-broom scanner: its plane, and the clouds that its scans make on the way."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from urban_map_loc.config import SimulationConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.simulation.classes import BUILDING, ROAD
from urban_map_loc.simulation.lidar import Lidar, Scan
from urban_map_loc.simulation.push_broom import PUSH_BROOMS, Strip, batches, spaced
from urban_map_loc.simulation.solids import Mesh, prism
from urban_map_loc.simulation.terrain import Terrain
from urban_map_loc.simulation.world import World

LMS = PUSH_BROOMS["lms151"]
EXACT = SimulationConfig(range_noise_m=0.0, dropout=0.0)
EMPTY = Mesh.joined([])
# A street along x between walls 8 m to the left and 6 m to the right.
WALLS = Mesh.joined([prism(shapely.box(-90.0, y, 90.0, y + 1.0), 0.0, 9.0) for y in (8.0, -7.0)])
STREET = World(Terrain.level().ground(-150.0, -150.0, 150.0, 150.0), WALLS, EMPTY, EMPTY)


def test_it_is_robotcars():
    directions = LMS.directions()
    assert directions.shape == (541, 1, 3)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1.0)
    down, right = directions[270, 0], directions[450, 0]
    assert np.degrees(np.arccos(-down[2])) == pytest.approx(90.0 - np.degrees(1.4572), abs=0.5)  # the middle ray: down, a little ahead
    assert down[0] > 0.0
    assert right[1] < -0.99
    normal = np.cross(down, right)
    assert abs(normal[0]) > 0.99  # the plane stands across the direction of travel
    assert directions[[0, -1], 0, 2] == pytest.approx([0.7, 0.7], abs=0.05)  # up to 45 degrees upwards on both sides
    assert LMS.position(1.8) == pytest.approx([3.4721, -0.1087, 0.5])


def test_a_scan_meets_ground_and_walls_on_both_sides():
    scan = Lidar(STREET, LMS, EXACT).scan(np.array([[-5.0, 0.0, 0.0]]), np.random.default_rng(0))
    walls, road = (scan.points[scan.label == kind] for kind in (BUILDING, ROAD))
    left = walls[:, 1] > 0.0
    assert min(left.sum(), (~left).sum()) > 60
    np.testing.assert_allclose(walls[left, 1], 8.0, atol=1e-4)
    np.testing.assert_allclose(walls[~left, 1], -6.0, atol=1e-4)
    np.testing.assert_allclose(road[:, 2], 0.0, atol=1e-4)


def test_a_cloud_is_the_street_behind():
    x = np.arange(-60.0, 0.0, 0.5)
    poses = np.column_stack([x, 0.3 * np.sin(x / 5.0), 0.1 * np.cos(x / 7.0)])
    odometry = np.array([(Pose2(3.0, 4.0, 1.0) @ Pose2.from_array(pose)).as_array() for pose in poses])  # another frame, no error
    lidar, strip = Lidar(STREET, LMS, EXACT), Strip(20.0)
    for first in range(0, len(x), 5):
        part = slice(first, first + 5)
        strip.add(float(x[part][-1]), odometry[part], lidar.scan(poses[part], np.random.default_rng(first)))
    cloud = strip.cloud(float(x[-1]), Pose2.from_array(odometry[-1]))
    on_map = Pose2.from_array(poses[-1]).transform(cloud.points[:, :2].astype(float))
    walls = on_map[cloud.label == BUILDING]
    left = walls[:, 1] > 0.0
    np.testing.assert_allclose(walls[left, 1], 8.0, atol=1e-3)
    np.testing.assert_allclose(walls[~left, 1], -6.0, atol=1e-3)
    ahead = 3.5
    assert x[-1] - 20.0 - 2.5 < walls[:, 0].min() + 2.0 < x[-1] - 12.0
    assert walls[:, 0].max() < x[-1] + ahead + 2.0
    assert cloud.intensity is None


def test_nothing_yet():
    assert len(Strip(20.0).cloud(0.0, Pose2.identity()).points) == 0


def test_a_strip_forgets():
    strip = Strip(10.0)
    for k in range(100):
        strip.add(float(k), np.zeros((1, 3)), Scan(np.full((1, 3), k, np.float32), np.zeros(1, np.uint8), np.zeros(1, np.int64)))
    np.testing.assert_allclose(strip.cloud(99.0, Pose2.identity()).points[:, 0], np.arange(89.0, 100.0))


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=60), st.floats(0.05, 2.0))
def test_scans_are_spaced(steps, spacing):
    driven = np.cumsum([0.0, *steps])
    kept = spaced(driven, spacing)
    assert kept[0] == 0
    assert len(kept) <= driven[-1] / spacing + 2.0
    later = np.searchsorted(kept, np.arange(len(driven)), side="right") - 1
    assert (driven - driven[kept[later]] < spacing + 1e-6).all()


def test_a_standing_car_scans_once():
    np.testing.assert_array_equal(spaced(np.zeros(50), 0.1), [0])


def test_every_scan_is_in_one_batch():
    scan_stamps = np.arange(0.0, 2.0, 0.02)
    numbers = np.arange(0, 100, 3)
    stamps = np.arange(0.0, 1.95, 0.1)
    parts = list(batches(numbers, stamps, scan_stamps))
    assert len(parts) == len(stamps)
    together = np.concatenate(parts)
    np.testing.assert_array_equal(together, numbers[: len(together)])
    for stamp, part in zip(stamps, parts, strict=True):
        assert (scan_stamps[part] <= stamp).all()
        assert (scan_stamps[part] > stamp - 0.1 - 1e-9).all() or stamp == 0.0
