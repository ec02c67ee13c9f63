# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Questions: the scans of a drive, or tiles from the map, with where they were really made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import SeenScan, seen_scans
from urban_map_loc.baselines.system import PreviousView, Query, SharedGround
from urban_map_loc.config import AdaptConfig, LocalizerConfig, QuestionsConfig, TileConfig
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.tile.from_cloud import ScanRenderer
from urban_map_loc.training.drive_tiles import DriveTiles


@dataclass(frozen=True, eq=False)
class Questions:
    """What systems are asked, and the answers.

    Attributes:
        queries: N of them, in the order in which they were seen.
        truth: `(N, 3)` east, north [m], yaw [rad] in `map`.
        drive: what was seen on the whole drive, with odometry and without poses; None for tiles from the map.
    """

    queries: Sequence[Query]
    truth: FloatArray
    drive: DriveTiles | None = None

    def __len__(self) -> int:
        return len(self.queries)


def require_truth(bag: BagReader) -> Trajectory:
    """The truth of a bag.

    Raises:
        BagError: it has none.
    """
    trajectory = bag.truth()
    if trajectory is None:
        raise BagError(f"{bag.path} has no truth.csv, so answers cannot be judged; give a bag whose truth is known")
    return trajectory


def questions_of_drive(bag: BagReader, area: AreaMap, tile: TileConfig, config: QuestionsConfig) -> Questions:
    """A bag's scans that show walls and lie on the map, at most `config.at_most` of them, evenly.

    Raises:
        BagError: the bag is damaged, has no truth, or no such scan.
    """
    trajectory = require_truth(bag)
    seen = list(seen_scans(bag, LocalizerConfig(), tile))
    truth = trajectory.at([s.scan.stamp_s for s in seen], area.plane) if seen else np.zeros((0, 3))
    west, south, east, north = area.bounds
    with np.errstate(invalid="ignore"):
        inside = np.all((truth[:, :2] >= (west, south)) & (truth[:, :2] <= (east, north)), axis=1)
    usable = np.flatnonzero(inside)
    if len(usable) == 0:
        raise BagError(f"{bag.path} has no scan with walls and truth on the map; give a bag that was driven in the area")
    chosen = usable[np.unique(np.linspace(0, len(usable) - 1, min(len(usable), config.at_most)).round().astype(int))]
    renderer = ScanRenderer(tile)
    before = _before(seen, config.previous_m)

    def view(k: int) -> Query:
        scan = seen[k].scan
        return Query(renderer.tile(scan.points, scan.seen_m, scan.road).image, scan.points)

    queries = []
    for k in chosen:
        query, earlier = view(k), before[k]
        if earlier >= 0:
            T_previous_base = seen[earlier].T_odom_base.inverse() @ seen[k].T_odom_base
            query = Query(query.tile, query.points, PreviousView(view(earlier).tile, T_previous_base))
        queries.append(query)
    return Questions(queries, truth[chosen], DriveTiles.from_scans(seen, tile, AdaptConfig().keyframe_m))


def questions_of_map(ground: SharedGround, poses: FloatArray, seed: int = 0) -> Questions:
    """Tiles that the map shows from poses `(N, 3)`, with what scans suffer; each with no previous view."""
    renderer = ground.batches.renderer
    tiles = renderer.tiles(poses, ground.config.effects, seed)
    points = renderer.points(poses, ground.config.effects, seed)
    seen = [p[np.isfinite(p).all(axis=1)] for p in points]
    return Questions([Query(tile, hits) for tile, hits in zip(tiles, seen, strict=True)], np.asarray(poses, dtype=np.float64))


def _before(seen: Sequence[SeenScan], metres: float) -> list[int]:
    """For each scan the last one that was made so many metres before, in the same part of odometry; -1 where there is none."""
    out, first = [], 0
    for k, now in enumerate(seen):
        if now.part != seen[first].part:
            first = k
        while first < k and seen[first + 1].part == now.part and seen[first + 1].T_odom_base.distance_to(now.T_odom_base) >= metres:
            first += 1
        far = seen[first].T_odom_base.distance_to(now.T_odom_base) >= metres
        out.append(first if far else -1)
    return out
