# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A drive along a route with a simulated sensor, odometry and GNSS receiver, as a bag with its truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from shapely import LineString

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.config import SimulationConfig
from urban_map_loc.errors import BagError, ConfigurationError
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.simulation.gnss import Fixes, recorded_fixes, simulated_fixes
from urban_map_loc.simulation.lidar import SENSORS
from urban_map_loc.simulation.odometry import drifting, driven
from urban_map_loc.simulation.push_broom import PUSH_BROOMS
from urban_map_loc.simulation.recording import Drive, Recording, accumulated, one_by_one
from urban_map_loc.simulation.traffic import Traffic
from urban_map_loc.simulation.world import World, build_world

EDGE_M = 10.0  # half of a wide road: the outermost ones may be driven
NEAR_ROAD_M = 25.0
NEAR_BUILDING_M = 60.0
BRIDGED_S = 10.0  # shorter absences from the area do not end a stretch
LONGEST_GAP_S = 2.0  # between two poses of one stretch
SHORTEST_STRETCH_S = 2.0
FIRST_STAMP_S = 1.0  # ROS takes 0 for an unset stamp
SENSOR_NAMES = (*SENSORS, *PUSH_BROOMS)


@dataclass(frozen=True)
class DriveSummary:
    """What a simulated drive holds: clouds, distance [m], time [s], the mean number of points a cloud, and fixes."""

    clouds: int
    length_m: float
    duration_s: float
    mean_points: float
    fixes: int


def simulate(
    area: AreaMap,
    route: Trajectory,
    out: Path,
    sensor: str,
    seed: int,
    *,
    rate_hz: float | None = None,
    labels: bool = False,
    start_s: float | None = None,
    duration_s: float | None = None,
    gnss: Path | str = "none",
    progress: Callable[[int, int], None] | None = None,
    config: SimulationConfig | None = None,
) -> DriveSummary:
    """Drive the route's longest stretch inside the area, or the stretch at `start_s`, and write a bag.

    Args:
        area: map of the world.
        route: the car's poses.
        out: bag to write, with truth.csv.
        sensor: one of `SENSOR_NAMES`.
        seed: of the world beside the map, the noise and the odometry: the same seed gives the same bag.
        rate_hz: scans per second; the configuration's unless given.
        labels: write each point's class into the field `label` (SemanticKITTI).
        start_s: time after the route's first pose at which to start [s].
        duration_s: how long to drive at most [s].
        gnss: fixes on /gnss/fix: `none`, `simulated`, or the gps.csv of the RobotCar run whose route this is.
        progress: called with scans done and scans in all.
        config: the configuration; defaults unless given.

    Raises:
        BagError: the route does not pass through the area (at that time); `gnss` is missing, damaged or of another time.
        ConfigurationError: an unknown sensor.
        OutputError: `out` cannot be written.
    """
    if sensor not in SENSOR_NAMES:
        raise ConfigurationError(f"sensor {sensor!r} is unknown; choose one of {', '.join(SENSOR_NAMES)}")
    config = config or SimulationConfig()
    rate_hz = config.rate_hz if rate_hz is None else rate_hz
    route = _stretch(area, route, start_s, duration_s)
    poses = route.poses(area.plane)
    line = _line(poses)
    world_seed, traffic_seed, odometry_seed, scan_seed, gnss_seed = np.random.SeedSequence(seed).spawn(5)
    world = build_world(area, line, config, np.random.default_rng(world_seed))
    traffic = Traffic(route.time_s, poses, _drives_left(area, poses), config, np.random.default_rng(traffic_seed))
    times = np.arange(route.time_s[0], route.time_s[-1], 1.0 / config.odometry_rate_hz)
    truth = route.at(times, area.plane)
    fixes = _fixes(gnss, area, route, world, config, np.random.default_rng(gnss_seed))
    drive = Drive(world, traffic, times, truth, drifting(truth, config, np.random.default_rng(odometry_seed)), route, area.plane)
    stamps = np.arange(route.time_s[0], route.time_s[-1], 1.0 / rate_hz)
    offset = max(0.0, FIRST_STAMP_S - float(times[0]))
    clouds = (
        one_by_one(drive, SENSORS[sensor], stamps, rate_hz, config, scan_seed)
        if sensor in SENSORS
        else accumulated(drive, PUSH_BROOMS[sensor], stamps, config, scan_seed)
    )
    points = 0
    with BagWriter(out) as bag:
        recording = Recording(bag, drive, fixes, offset)
        for number, (stamp, cloud) in enumerate(zip(stamps, clouds, strict=True)):
            recording.until(stamp)
            recording.cloud(stamp, cloud, labels)
            points += len(cloud.points)
            if progress is not None:
                progress(number + 1, len(stamps))
        recording.until(times[-1])
        bag.write_truth(Trajectory.from_poses(times + offset, truth, area.plane))
    return DriveSummary(len(stamps), float(line.length), float(times[-1] - times[0]), points / len(stamps), len(fixes.stamp_s))


def stretches(area: AreaMap, route: Trajectory) -> list[tuple[int, int]]:
    """First and last + 1 pose of each part of the route inside the area: in its roads' bounds, near a road and near a building.

    The roads' bounds, because buildings reach over the edge of what was exported, beyond which others are missing.
    """
    positions = route.poses(area.plane)[:, :2]
    west, south, east, north = shapely.total_bounds(area.roads) + np.array([-1.0, -1.0, 1.0, 1.0]) * EDGE_M
    inside = (positions[:, 0] >= west) & (positions[:, 0] <= east) & (positions[:, 1] >= south) & (positions[:, 1] <= north)
    points = shapely.points(positions)
    for things, reach in ((area.roads, NEAR_ROAD_M), (area.buildings, NEAR_BUILDING_M)):
        near = np.zeros(len(points), dtype=bool)
        near[shapely.STRtree(things).query(points, predicate="dwithin", distance=reach)[0]] = True
        inside &= near
    parts: list[list[int]] = []
    for index in np.flatnonzero(inside):
        gap = route.time_s[index] - route.time_s[parts[-1][1] - 1] if parts else np.inf
        consecutive = bool(parts) and parts[-1][1] == index
        if gap <= (LONGEST_GAP_S if consecutive else BRIDGED_S):
            parts[-1][1] = int(index) + 1
        else:
            parts.append([int(index), int(index) + 1])
    return [(a, b) for a, b in parts if route.time_s[b - 1] - route.time_s[a] >= SHORTEST_STRETCH_S]


def _stretch(area: AreaMap, route: Trajectory, start_s: float | None, duration_s: float | None) -> Trajectory:
    """The poses to drive."""
    begin = -np.inf if start_s is None else route.time_s[0] + start_s
    arc = driven(route.poses(area.plane))
    parts = [(max(a, int(np.searchsorted(route.time_s, begin))), b) for a, b in stretches(area, route)]
    parts = [(a, b) for a, b in parts if b - a >= 2 and route.time_s[b - 1] - route.time_s[a] >= SHORTEST_STRETCH_S]
    if not parts:
        when = "" if start_s is None else f" after {start_s:.0f} s"
        raise BagError(f"the route does not pass through the area{when}; give a route inside the area's roads and buildings")
    first, last = parts[0] if start_s is not None else max(parts, key=lambda part: arc[part[1] - 1] - arc[part[0]])
    if duration_s is not None:
        last = max(first + 2, min(last, int(np.searchsorted(route.time_s, route.time_s[first] + duration_s)) + 1))
    part = slice(first, last)
    return Trajectory(route.time_s[part], route.lat_deg[part], route.lon_deg[part], route.yaw_enu_rad[part])


def _fixes(gnss: Path | str, area: AreaMap, route: Trajectory, world: World, config: SimulationConfig, rng: np.random.Generator) -> Fixes:
    """What the receiver says on the route."""
    if gnss == "none":
        return Fixes(np.zeros(0), np.zeros((0, 2)), np.zeros((0, 2, 2)))
    if gnss == "simulated":
        stamps = np.arange(route.time_s[0], route.time_s[-1], 1.0 / config.gnss_rate_hz)
        return simulated_fixes(world, stamps, route.at(stamps, area.plane), area.plane, config, rng)
    fixes = recorded_fixes(Path(gnss)).between(float(route.time_s[0]), float(route.time_s[-1]))
    if not len(fixes.stamp_s):
        raise BagError(f"{gnss} has no fix at the time of the route; give the gps.csv of the same run, or simulated")
    return fixes


def _line(poses: FloatArray) -> LineString:
    """The route as a line, also where the car stands still all the time."""
    line = LineString(poses[:, :2])
    return line if line.length > 0.0 else LineString([poses[0, :2], poses[0, :2] + [0.01, 0.0]])


def _drives_left(area: AreaMap, poses: FloatArray) -> bool:
    """Whether the car keeps to the left of the roads' middles, as in Britain."""
    points = shapely.points(poses[::20, :2])
    roads = shapely.STRtree(area.roads)
    nearest = area.roads[roads.nearest(points)]
    foot = shapely.get_coordinates(shapely.line_interpolate_point(nearest, shapely.line_locate_point(nearest, points)))
    towards = foot - poses[::20, :2]
    left_of_car = np.cos(poses[::20, 2]) * towards[:, 1] - np.sin(poses[::20, 2]) * towards[:, 0]
    near = np.hypot(towards[:, 0], towards[:, 1]) < 6.0
    return bool(near.any() and np.median(left_of_car[near]) < 0.0)
