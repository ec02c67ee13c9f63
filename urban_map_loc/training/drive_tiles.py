# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""DriveTiles: what a car saw on a drive, with odometry alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.config import AdaptConfig, TileConfig
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.mapnet.se2 import relative
from urban_map_loc.tile.from_cloud import ScanRenderer


@dataclass(frozen=True, eq=False)
class DriveTiles:
    """Tiles of a drive, in the order in which they were seen.

    Attributes:
        tiles: `(M, S, S)` or `(M, C, S, S)` uint8.
        T_odom_base: `(M, 3)` odometry at each tile.
        metres: `(M,)` driven until there.
        part_end: `(M,)` metres at the end of the part whose odometry hangs together.
    """

    tiles: NDArray[np.uint8]
    T_odom_base: FloatArray
    metres: FloatArray
    part_end: FloatArray

    @classmethod
    def from_scans(cls, scans: Iterable[tuple[BuildingScan, Pose2, int]], tile: TileConfig, keyframe_m: float) -> DriveTiles:
        """From scans with odometry and the number of their part; those nearer than `keyframe_m` to the last one kept are left out.

        Raises:
            BagError: no scan at all.
        """
        renderer = ScanRenderer(tile)
        tiles, poses, metres, parts = [], [], [0.0], []
        last: tuple[Pose2, int] | None = None
        for scan, T_odom_base, part in scans:
            step_m = last[0].distance_to(T_odom_base) if last and last[1] == part else np.inf
            if step_m < keyframe_m:
                continue
            tiles.append(renderer.tile(scan.points, scan.seen_m, scan.road).image)
            poses.append(T_odom_base.as_array())
            metres.append(metres[-1] + (step_m if np.isfinite(step_m) else 0.0))
            parts.append(part)
            last = T_odom_base, part
        if not tiles:
            raise BagError("the drive has no scan that shows walls and has odometry; give one that was driven among buildings")
        driven, part_of = np.array(metres[1:]), np.array(parts)
        last_of_part = np.searchsorted(part_of, part_of, side="right") - 1
        return cls(np.stack(tiles), np.array(poses), driven, driven[last_of_part])

    def __len__(self) -> int:
        return len(self.tiles)

    def draw(self, config: AdaptConfig, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Tiles `(N, S, S)`, `tuple_length` successive ones along one stretch, and poses `(N, 3)` as odometry has them from its first.

        Raises:
            BagError: the drive is shorter than a stretch.
        """
        length, count = config.tuple_length, max(1, config.drive_tiles // config.tuple_length)
        longest = (length - 1) * config.tuple_spacing_m * (1.0 + config.tuple_spacing_jitter)
        starts = np.flatnonzero(self.metres + longest <= self.part_end)
        if len(starts) == 0:
            raise BagError(
                f"the drive's odometry hangs together for less than the {longest:.0f} m of a tuple; "
                "give a longer drive, or a smaller tuple_length or tuple_spacing_m"
            )
        jitter = random.uniform(-config.tuple_spacing_jitter, config.tuple_spacing_jitter, (count, length - 1))
        ahead = np.cumsum(config.tuple_spacing_m * (1.0 + jitter), axis=1)
        first = random.choice(starts, count)
        wanted = self.metres[first, None] + ahead
        chosen = np.column_stack([first, np.searchsorted(self.metres, wanted)])
        poses = torch.from_numpy(self.T_odom_base[chosen])
        return torch.from_numpy(self.tiles[chosen.ravel()]), relative(poses[:, :1], poses).flatten(0, 1).float()
