# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RUN folders whose numbers are known, for tests of the evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from shapely.geometry import LineString, Polygon

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import write_area
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.evaluation.run_files import RunWriter
from urban_map_loc.geometry.geodesy import GeoPoint
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate, State
from urban_map_loc.tile.from_cloud import BuildingTile

CLOUDS = 20
DATUM = GeoPoint(49.0, 8.0)
SIZE = 96


def objects(*values: object) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def tiny_area(datum: GeoPoint = DATUM) -> AreaMap:
    """A house with a courtyard, and a road."""
    lat, lon = datum.lat_deg, datum.lon_deg
    house = Polygon(
        [(lon, lat), (lon + 2e-4, lat), (lon + 2e-4, lat + 1e-4), (lon, lat + 1e-4)],
        [[(lon + 1e-4, lat + 2e-5), (lon + 15e-5, lat + 2e-5), (lon + 1e-4, lat + 5e-5)]],
    )
    road = LineString([(lon - 1e-3, lat - 1e-4), (lon + 1e-3, lat - 1e-4)])
    return AreaMap(datum, objects(house), np.array([6.0]), objects("way/1"), objects(road), objects("residential"), "a test")


def a_tile(seed: int) -> BuildingTile:
    """Free space about the car, as ragged as a scan's, and walls where it ends."""
    rng = np.random.default_rng(seed)
    bearing = np.linspace(-np.pi, np.pi, 720)
    reach = np.repeat(rng.uniform(6.0, 47.0, 72), 10) + rng.normal(0.0, 0.4, 720)
    row, column = np.indices((SIZE, SIZE)) - 0.5 * (SIZE - 1)
    inside = np.hypot(row, column) < np.interp(np.arctan2(row, column), bearing, reach)
    hits = np.zeros((SIZE, SIZE), np.uint8)
    seen = rng.random(720) < 0.6
    at = np.stack([reach * np.sin(bearing), reach * np.cos(bearing)])[:, seen] + 0.5 * (SIZE - 1)
    hits[tuple(np.clip(np.rint(at), 0, SIZE - 1).astype(int))] = 1
    return BuildingTile(hits, (inside & (hits == 0)).astype(np.uint8))


def write_run(folder: Path, *, single_scan: bool = True, truth: bool = True) -> Path:
    """A run of 20 clouds at 10 Hz and 10 m/s east, locked from the sixth on, 1 m north of the truth; cloud 0 is skipped."""
    area = tiny_area()
    write_area(area, folder / "area.gpkg")
    bag = folder / "bag"
    bag.mkdir()
    times = 100.0 + 0.1 * np.arange(CLOUDS)
    poses = np.stack([np.arange(CLOUDS) * 1.0, np.full(CLOUDS, -10.0), np.zeros(CLOUDS)], axis=-1)
    if truth:
        Trajectory.from_poses(times, poses, area.plane).write_csv(bag / "truth.csv")
    files = {"area": folder / "area.gpkg", "bag": bag}
    with RunWriter(folder / "run", area, LocalizerConfig(), files=files, single_scan=single_scan, tile_m=0.5) as writer:
        writer.note(seed=3)
        for k, stamp in enumerate(times):
            state = State.LOCKED if k >= 5 else State.INITIALIZING
            pose = PoseEstimate(Pose2(poses[k, 0], poses[k, 1] + 1.0, 0.02), np.diag([0.5, 0.25, 0.01]), 0.7)
            result = LocalizationResult(
                stamp,
                state,
                "clear lead" if k >= 5 else "only 7 building points within 50 m, 20 needed; drive on",
                skipped=k == 0,
                estimate=pose if k >= 5 else None,
                single_scan=pose if k % 2 else None,
                hypotheses=np.array([[1.0, 2.0, 3.0], [k // 10, 0.0, 0.0]]),
                scores=np.array([0.9, 0.5]),
                tile=a_tile(k) if k % 2 else None,
                timing_ms={"mapnet": 5.0, "fusion": 1.0},
            )
            writer.add(result, latency_ms=10.0 + k)
    return folder / "run"


def write_long_run(folder: Path, clouds: int) -> Path:
    """A run with everything that may happen: after 50 clouds locked, lost at 40 %, locked 30 m wrong for 30 clouds, lost, locked again."""
    area = tiny_area()
    write_area(area, folder / "area.gpkg")
    bag = folder / "bag"
    bag.mkdir()
    angle = np.arange(clouds) * 0.02
    poses = np.stack([60.0 * np.cos(angle), 9.0 * np.sin(angle), np.arctan2(9.0 * np.cos(angle), -60.0 * np.sin(angle))], axis=-1)
    times = 1.7e9 + 0.1 * np.arange(clouds)
    Trajectory.from_poses(times, poses, area.plane).write_csv(bag / "truth.csv")
    rng = np.random.default_rng(0)
    errors = rng.normal(0.0, 0.3, (clouds, 2))
    tiles = [a_tile(seed) for seed in range(60)]
    lost, wrong = int(0.4 * clouds), int(0.4 * clouds) + 60
    with RunWriter(folder / "run", area, LocalizerConfig(), files={"area": folder / "area.gpkg", "bag": bag}) as writer:
        for k, stamp in enumerate(times):
            east, north = poses[k, :2] + errors[k]
            state, reason = State.LOCKED, f"locked after {k / 10:.0f} m <b>&"
            if k < 50:
                state, reason = State.INITIALIZING, f"only {k / 10:.0f} m driven, 8 needed before locking"
            elif lost <= k < wrong or wrong + 30 <= k < wrong + 90:
                state, reason = State.LOST, "scans disagree with the map"
            elif wrong <= k < wrong + 30:
                east += 30.0
            pose = PoseEstimate(Pose2(east, north, poses[k, 2] + 0.01), np.array([[0.2, 0.05, 0], [0.05, 0.1, 0], [0, 0, 4e-4]]), 0.7)
            writer.add(
                LocalizationResult(
                    stamp,
                    state,
                    reason,
                    skipped=k % 500 == 7,
                    estimate=pose if state is State.LOCKED else None,
                    single_scan=pose if k % 3 else None,
                    hypotheses=rng.uniform(-60.0, 60.0, (12, 3)),
                    scores=np.linspace(0.9, 0.3, 12),
                    tile=tiles[k % len(tiles)],
                ),
                latency_ms=20.0 + 5.0 * rng.random(),
            )
    return folder / "run"
