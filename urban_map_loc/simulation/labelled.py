# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Labelled clouds of streets that are all different: what a segmentation of clouds learns from.

Every few clouds the surroundings, the sensor and its height change, far beyond what one place or one car shows, so that what is
learnt holds for sensors and streets that were not simulated (domain randomisation, Tobin et al. 2017).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import SimulationConfig, StereoConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.simulation.classes import BUILDING, FENCE
from urban_map_loc.simulation.lidar import SENSORS, Lidar, Scan, Sensor, stereo_sensor
from urban_map_loc.simulation.solids import Mesh, boxes, cars
from urban_map_loc.simulation.world import World, build_world

CLOUDS_A_WORLD = 8
SHORTEST_ROAD_M = 25.0
STEREO_SHARE = 0.12
MOST_RAYS = 130_000
# Of hedges and garden walls along the road: the most of them, how long they are, of pieces how long, and how far from the car at least.
MOST_ROWS, ROW_M, ROW_STEP_M, ROW_CLEAR_M = 5, (8.0, 60.0), 3.0, 3.0
# Real walls against extruded ones: panes of so many metres let rays in or swallow them, and stand in or out a little.
PANE_M = (1.4, 1.4, 1.3)
PANES, SWALLOWED, ROOM_M, RELIEF_M = 0.25, 0.4, 1.2, 0.08


def labelled_clouds(areas: Sequence[AreaMap], seed: int) -> Iterator[Scan]:
    """Clouds without end, base frame, with SemanticKITTI's classes; the seed alone decides them."""
    number = 0
    while True:
        rng = np.random.default_rng((seed, number))
        number += 1
        area = areas[int(rng.integers(len(areas)))]
        length = shapely.length(area.roads)
        weight = np.where(length >= min(SHORTEST_ROAD_M, float(length.max())), length, 0.0)
        road = area.roads[int(rng.choice(len(weight), p=weight / weight.sum()))]
        config = random_surroundings(rng)
        lidar = Lidar(with_rows(build_world(area, road, config, rng), road, rng), random_sensor(rng), config)
        for _ in range(CLOUDS_A_WORLD):
            along = float(rng.uniform(0.05, 0.95))
            here, ahead = shapely.get_coordinates(shapely.line_interpolate_point(road, [along, along + 0.01], normalized=True))
            yaw = float(np.arctan2(*(ahead - here)[::-1])) + float(rng.normal(0.0, 0.3)) + np.pi * int(rng.integers(2))
            x, y = here + rng.normal(0.0, 0.5, 2)
            scan = lidar.scan(Pose2(float(x), float(y), yaw), rng, _traffic(road, along, rng))
            yield _disturbed(scan, config.sensor_height_m, rng)


def random_surroundings(rng: np.random.Generator) -> SimulationConfig:
    """What stands beside the roads, from bare to overgrown, and how well the sensor sees it."""

    def share(most: float) -> float:
        return most * float(rng.random()) ** 1.5 * int(rng.random() < 0.8)

    return SimulationConfig(
        sensor_height_m=float(rng.uniform(1.4, 2.4)),
        range_noise_m=float(rng.uniform(0.01, 0.06)),
        dropout=share(0.3),
        grazing=float(rng.uniform(0.01, 0.06)),
        parked_cars=share(0.9),
        trees=share(0.6),
        hedges=share(0.7),
        hedge_height_m=float(rng.uniform(1.0, 4.5)),
        fences=share(0.7),
        poles=share(0.3),
        people=share(0.2),
        bushes=share(0.7),
        overgrown=1.0 if rng.random() < 0.12 else share(0.7),
        leaf_gaps=float(rng.uniform(0.05, 0.6)),
        leaf_depth_m=float(rng.uniform(0.08, 0.7)),
    )


def random_sensor(rng: np.random.Generator) -> Sensor:
    """A known sensor, a lidar of 16 to 128 beams that does not exist, or a stereo pair."""
    if rng.random() < STEREO_SHARE:
        config = StereoConfig(disparity_error_px=float(rng.uniform(0.1, 0.4)))
        return stereo_sensor(float(rng.uniform(500.0, 1100.0)), float(rng.uniform(0.2, 0.6)), np.radians(rng.uniform(60.0, 90.0)), config)
    known = [sensor for sensor in SENSORS.values() if sensor.depth_noise_per_m == 0.0]
    columns = int(rng.integers(700, 2001))
    if rng.random() < 0.5:
        chosen = known[int(rng.integers(len(known)))]
        return Sensor(chosen.elevations_rad, columns, chosen.minimum_m, chosen.maximum_m)
    beams = int(rng.choice([16, 24, 32, 48, 64, 128]))
    # Sensors for cars look down: many end hardly above the horizon, and see no more than the foot of a wall nearby.
    high, low = rng.uniform(1.0, 6.0) if rng.random() < 0.5 else rng.uniform(6.0, 22.0), rng.uniform(-31.0, -12.0)
    even = np.linspace(0.0, 1.0, beams) ** rng.uniform(0.7, 1.4)
    return Sensor(np.radians(high + (low - high) * even), min(columns, MOST_RAYS // beams), 0.9, float(rng.uniform(60.0, 120.0)))


def with_rows(world: World, road: shapely.LineString, rng: np.random.Generator) -> World:
    """The world with hedges and garden walls that run on along the road like rows of houses do: to be long and straight is not enough."""
    leaves, fences = [world.leaves], [world.others.get(FENCE, Mesh.joined([]))]
    for _ in range(int(rng.integers(0, MOST_ROWS + 1))):
        hedge, length, start = rng.random() < 0.7, float(rng.uniform(*ROW_M)), float(rng.uniform(0.0, road.length))
        along = np.arange(start, min(start + length, road.length - 0.1), ROW_STEP_M)
        here, ahead = (shapely.get_coordinates(shapely.line_interpolate_point(road, along + step)) for step in (0.0, 0.1))
        yaw = np.arctan2(*(ahead - here).T[::-1])
        offset = float(rng.choice([-1.0, 1.0]) * rng.uniform(3.5, 14.0))
        poses = np.column_stack([here + offset * np.column_stack([-np.sin(yaw), np.cos(yaw)]), yaw])
        thick, high = (rng.uniform(0.4, 2.0), rng.uniform(0.9, 5.0)) if hedge else (rng.uniform(0.1, 0.4), rng.uniform(0.8, 2.2))
        poses = poses[shapely.distance(shapely.points(poses[:, :2]), road) > ROW_CLEAR_M]
        row = boxes(poses, np.tile([1.1 * ROW_STEP_M, thick, high], (len(poses), 1)))
        (leaves if hedge else fences).append(row)
    return replace(world, leaves=Mesh.joined(leaves), others={**world.others, FENCE: Mesh.joined(fences)})


def _traffic(road: shapely.LineString, along: float, rng: np.random.Generator) -> Mesh:
    """A few moving vehicles ahead, behind and beside, none on the car."""
    count = int(rng.integers(0, 6))
    arc = along * road.length + rng.choice([-1.0, 1.0], count) * rng.uniform(9.0, 40.0, count)
    spots = shapely.get_coordinates(shapely.line_interpolate_point(road, np.clip(arc, 0.0, road.length)))
    sizes = np.where(rng.random((count, 1)) < 0.35, rng.uniform([6.0, 2.2, 2.4], [14.0, 2.6, 3.8], (count, 3)), [4.5, 1.8, 1.5])
    here = shapely.get_coordinates(shapely.line_interpolate_point(road, along, normalized=True))[0]
    poses = np.column_stack([spots + rng.normal(0.0, 1.0, (count, 2)), rng.uniform(-np.pi, np.pi, count)])
    clear = np.hypot(*(poses[:, :2] - here).T) > 8.5
    return cars(poses[clear], sizes[clear])


def _disturbed(scan: Scan, sensor_height_m: float, rng: np.random.Generator) -> Scan:
    """The scan with windows and relief in its walls, on ground that is not level, from a sensor that is not quite upright."""
    sensor = np.array([0.0, 0.0, sensor_height_m])
    rays = scan.points - sensor
    distance = np.linalg.norm(rays, axis=1)
    pane = np.floor(scan.points @ _turn(rng.uniform(0.0, np.pi)) / PANE_M).astype(np.int64) - [-100, -100, -100]
    number = np.clip((pane[:, 0] * 200 + pane[:, 1]) * 200 + pane[:, 2], 0, 200**3 - 1)
    panes = rng.random(2**16)[(number * 40503) % 2**16]  # one number for each pane
    wall, panes_there = scan.label == BUILDING, PANES * float(rng.random() < 0.7) * 2.0 * rng.random()
    glass = wall & (panes < panes_there)
    further = np.where(glass, rng.exponential(ROOM_M, len(wall)) * (rng.random(len(wall)) < 0.5), 0.0)
    further += np.where(wall, RELIEF_M * (rng.standard_normal(2**12)[number % 2**12]), 0.0)
    points = sensor + rays * ((distance + further) / np.maximum(distance, 1e-3))[:, None]
    kept = ~(glass & (rng.random(len(wall)) < SWALLOWED))
    points = points[kept]
    waves = rng.normal(0.0, 1.0, (3, 2)) / rng.uniform(8.0, 40.0, (3, 1))
    height = points[:, :2] @ rng.normal(0.0, 0.025, 2) + 0.12 * np.sin(points[:, :2] @ waves.T + rng.uniform(0.0, 6.3, 3)).sum(axis=1)
    points[:, 2] += height
    points = (points - sensor) @ _tilt(*rng.normal(0.0, 0.008, 2)) + sensor
    return Scan(points.astype(np.float32), scan.label[kept])


def _turn(angle: float) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _tilt(roll: float, pitch: float) -> NDArray[np.float64]:
    """Rotation by small angles [rad] about x and y."""
    return np.array([[1.0, 0.0, pitch], [0.0, 1.0, -roll], [-pitch, roll, 1.0]])
