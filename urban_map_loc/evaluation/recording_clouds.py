# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The clouds of a run's bag where the run puts them, thinned: what was kept as building in one colour, the rest in others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import seen_clouds
from urban_map_loc.cloud.cloud import BUILDING, GROUND, OTHER, Cloud
from urban_map_loc.cloud.extraction import point_kinds
from urban_map_loc.cloud.ground import level_plane
from urban_map_loc.config import LocalizerConfig, NodeConfig, RecordingConfig, TileConfig
from urban_map_loc.errors import BagError, CloudError, UrbanMapLocError
from urban_map_loc.evaluation.cloud_picture import KINDS
from urban_map_loc.evaluation.recording_shapes import Dots, FloatArray, Poses, Record
from urban_map_loc.evaluation.report_data import thinned
from urban_map_loc.evaluation.run_files import Run
from urban_map_loc.settings import from_dict

SAME_S = 1e-4  # the tables have stamps to a microsecond
NAMES = {BUILDING: "building", OTHER: "other", GROUND: "ground"}
RADIUS_M = {BUILDING: 0.08, OTHER: 0.05, GROUND: 0.04}


class DriveClouds:
    """Clouds of a bag, read one after the other.

    Attributes:
        chosen: numbers of the clouds to show.
        shown: how many there were so far.
        missing: why there are no more; empty where nothing is missing.
    """

    def __init__(self, run: Run, poses: FloatArray, config: RecordingConfig) -> None:
        """Choose the clouds.

        Args:
            run: whose bag it is.
            poses: `(N, 3)` where each cloud is put, NaN where nobody knows.
            config: limits.
        """
        self._run, self._poses, self._config = run, poses, config
        known = np.flatnonzero(np.isfinite(poses).all(axis=1))
        self.chosen = known[thinned(len(known), config.clouds)] if config.clouds else known[:0]
        self.shown, self.missing = 0, ""

    @property
    def summary(self) -> str:
        """One sentence."""
        text = f"{self.shown} of {len(self._poses)} clouds of the bag, at most {self._config.points} points each"
        return f"{text}; no more, because: {self.missing}" if self.missing else text

    def records(self) -> Iterator[Record]:
        """The points below `map/scan` of each cloud, then the poses of those; where the bag cannot be read, `missing` says why."""
        placed: list[int] = []
        try:
            yield from self._points(placed)
        except UrbanMapLocError as error:
            self.missing = str(error)
        if placed:
            chosen = self.chosen[placed]
            yield Record("map/scan", Poses(self._poses[chosen]), self._run.estimates.stamp_s[chosen])

    def _points(self, placed: list[int]) -> Iterator[Record]:
        """The points of the chosen clouds; which of those there were is appended to `placed`."""
        if not len(self.chosen):
            return
        stamps = self._run.estimates.stamp_s[self.chosen]
        waiting = set(range(len(stamps)))
        config = from_dict(LocalizerConfig, self._run.info.get("configuration", {}))
        for cloud in _clouds(self._run, config, lambda stamp_s: _number(stamps, stamp_s) in waiting):
            at = _number(stamps, cloud.stamp_s)
            waiting.remove(at)
            try:
                kinds = point_kinds(cloud, config.cloud, TileConfig().range_m)
            except CloudError as error:
                self.missing = str(error)
                continue
            yield from cloud_records(cloud, kinds, self._config.points, stamps[at : at + 1], config.cloud.minimum_range_m)
            placed.append(at)
            self.shown += 1
            if not waiting:
                return
        self.missing = self.missing or "the others are not in the bag, cannot be decoded or have no odometry"


def cloud_records(cloud: Cloud, kinds: NDArray[np.uint8], most: int, stamp_s: FloatArray, minimum_range_m: float) -> Iterator[Record]:
    """At most so many points of a cloud by what they lie on, evenly thinned; heights are above the ground that the cloud shows.

    The planar pose knows no height, and `base_link` may be on the road or in the sensor; lifted so, ground lies on the map's plane.
    """
    level, _, _ = level_plane(cloud.points, TileConfig().range_m, minimum_range_m)
    building, rest = np.flatnonzero(kinds == BUILDING), np.flatnonzero(kinds != BUILDING)
    building = building[thinned(len(building), max(most // 2, most - len(rest)))]
    kept = np.concatenate([building, rest[thinned(len(rest), most - len(building))]])
    for kind, name in NAMES.items():
        points = cloud.points[kept[kinds[kept] == kind]] - np.array([0.0, 0.0, level], dtype=np.float32)
        yield Record(f"map/scan/{name}", Dots(points, KINDS[kind][1], RADIUS_M[kind]), stamp_s)


def _number(stamps: FloatArray, stamp_s: float) -> int:
    """Which of the stamps [s] it is; -1 for none of them."""
    at = int(np.argmin(np.abs(stamps - stamp_s)))
    return at if abs(stamps[at] - stamp_s) < SAME_S else -1


def _clouds(run: Run, config: LocalizerConfig, wanted: Callable[[float], bool]) -> Iterator[Cloud]:
    """The run's bag as `localize` took it in."""
    try:
        info = run.info
        path, topics, start_s = Path(info["files"]["bag"]), dict(info.get("topics", {})), float(info.get("start_s", 0.0))
        extrinsic = tuple(float(v) for v in info.get("extrinsic", ()))
    except (KeyError, TypeError, ValueError) as error:
        raise BagError(f"{run.path / 'run.json'} names no bag, or is damaged ({error}); run `urban_map_loc localize` again") from error
    bag, node = BagReader(path, topics), NodeConfig()
    if any(extrinsic):
        node = NodeConfig(extrinsic=extrinsic, sensor_frame=str(bag.cloud_at(0.0).message.header.frame_id))
    for cloud, _, _ in seen_clouds(bag, config, start_s, node, wanted):
        yield cloud
