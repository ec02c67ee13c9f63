# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Feature matching and RANSAC: keypoints of the tile against those of the whole map, in the plane.

What the MapNet thesis describes as 2D-3D matching and PnP: descriptors are matched, pairs of matches give poses, matches that agree
are counted (Fischler and Bolles 1981), and the poses with the most are checked with what was seen.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from urban_map_loc.area.raster import DISTANCE_STEP_M, BuildingRaster
from urban_map_loc.baselines.sift import Descriptors, keypoints, walls_of
from urban_map_loc.baselines.system import Progress, Query, System, ranked_hypotheses
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.hypotheses import Hypotheses, empty

# The map's picture is looked at in blocks, so that memory does not grow with it; they overlap by what a descriptor sees.
BLOCK_PX, OVERLAP_PX = 768, 64
IntArray = NDArray[np.int64]


class FeatureMatch(System):
    """See the module."""

    name = "SIFT and RANSAC"
    source = "Lowe 2004; Fischler and Bolles 1981; as the MapNet thesis describes it, in the plane"
    learns = False

    def index(self, progress: Progress) -> None:
        """Keypoints of the whole map."""
        tile = self.ground.config.tile
        positions, descriptors = [np.zeros((0, 2))], [np.zeros((0, 128), dtype=np.float32)]
        walls, corner = map_picture(self.ground.batches.renderer.raster, tile.resolution_m)
        for row in range(0, walls.shape[0], BLOCK_PX):
            for column in range(0, walls.shape[1], BLOCK_PX):
                first = np.array([max(column - OVERLAP_PX, 0), max(row - OVERLAP_PX, 0)])
                block = walls[first[1] : row + BLOCK_PX + OVERLAP_PX, first[0] : column + BLOCK_PX + OVERLAP_PX]
                spots, found = keypoints(block, self.ground.settings.sift)
                spots = spots + first
                inside = np.all((spots >= (column, row)) & (spots < (column + BLOCK_PX, row + BLOCK_PX)), axis=1)
                positions.append(corner + (spots[inside] + 0.5) * tile.resolution_m * np.array([1.0, -1.0]))
                descriptors.append(found[inside])
            progress(min((row + BLOCK_PX) / walls.shape[0], 1.0), "finding the map's keypoints")
        self._take(np.concatenate(positions), np.concatenate(descriptors))

    def guesses(self, query: Query, count: int) -> Hypotheses:
        """Poses with many agreeing matches, ranked by how many of the hits then lie on walls."""
        cfg, tile = self.ground.settings.feature_match, self.ground.batches.renderer.grid
        spots, found = keypoints(walls_of(query.tile), self.ground.settings.sift)
        wanted = min(cfg.matches, len(self._positions))
        if len(spots) < 2 or wanted == 0:
            return empty()
        matched = self._search.kneighbors(found, wanted, return_distance=False)
        seen = np.repeat(tile.half_m - (spots[:, ::-1] + 0.5) * tile.resolution_m, wanted, axis=0)
        mapped = self._positions[matched.ravel()]
        poses, agreeing = consistent_poses(seen, mapped, cfg.samples, cfg.inlier_m, cfg.baseline_m, cfg.checked, self.ground.seed)
        if len(poses) == 0:
            return empty()
        on_walls = hits_on_walls(self.ground.batches.renderer.raster, query.points, poses, cfg.wall_m)
        # Matches choose the poses; what they cannot tell apart, the hits do.
        return ranked_hypotheses(poses, on_walls + agreeing / max(len(seen), 1), count, self.ground.settings)

    def tensors(self) -> dict[str, Tensor]:
        """The map's keypoints."""
        return {"positions": torch.from_numpy(self._positions).float(), "descriptors": torch.from_numpy(self._descriptors).half()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """See `System`."""
        self._take(tensors["positions"].double().numpy(), tensors["descriptors"].float().numpy())

    def _take(self, positions: FloatArray, descriptors: Descriptors) -> None:
        self._positions, self._descriptors = positions, descriptors
        self._search = NearestNeighbors(algorithm="brute")
        if len(descriptors):
            self._search.fit(descriptors)


def map_picture(raster: BuildingRaster, resolution_m: float) -> tuple[NDArray[np.uint8], FloatArray]:
    """Walls of the whole map `(H, W)`, 1 where one runs, row 0 in the north; and its north-west corner `(2,)` [m] in `map`."""
    walls = np.abs(raster.distance.astype(np.int16)) * DISTANCE_STEP_M < 0.5 * raster.resolution_m + DISTANCE_STEP_M
    merged = max(1, round(resolution_m / raster.resolution_m))
    rows, columns = (size // merged * merged for size in walls.shape)
    coarse = walls[:rows, :columns].reshape(rows // merged, merged, columns // merged, merged).any(axis=(1, 3))
    north = raster.origin[1] + (rows - 0.5) * raster.resolution_m
    return np.ascontiguousarray(coarse[::-1], dtype=np.uint8), np.array([raster.origin[0] - 0.5 * raster.resolution_m, north])


def hits_on_walls(raster: BuildingRaster, points: FloatArray, poses: FloatArray, within_m: float) -> FloatArray:
    """Share `(K,)` of hits `(N, 2)` [m, base frame] nearer than `within_m` to a wall, from poses `(K, 3)`."""
    if len(points) == 0:
        return np.zeros(len(poses))
    c, s = np.cos(poses[:, 2:]), np.sin(poses[:, 2:])
    east = poses[:, :1] + c * points[:, 0] - s * points[:, 1]
    north = poses[:, 1:2] + s * points[:, 0] + c * points[:, 1]
    distance = raster.distance_m(np.stack([east.ravel(), north.ravel()], axis=1)).reshape(east.shape)
    return np.asarray(np.mean(np.abs(distance) <= within_m, axis=1))


def consistent_poses(
    seen: FloatArray, mapped: FloatArray, samples: int, inlier_m: float, baseline_m: float, count: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Poses `(K, 3)` [m, rad] of pairs of matches, the `count` with the most agreeing matches, and how many agree `(K,)`.

    Args:
        seen: `(N, 2)` [m] keypoints in the base frame.
        mapped: `(N, 2)` [m] what each is matched with in `map`; a keypoint may occur with several.
        samples: pairs that are tried.
        inlier_m: a match agrees if its keypoint then lies so near.
        baseline_m: pairs lie at least so far apart: a short one gives no heading.
    """
    poses, agreeing = _ransac(np.ascontiguousarray(seen), np.ascontiguousarray(mapped), samples, inlier_m, baseline_m, seed)
    best = np.argsort(-agreeing, kind="stable")[:count]
    return poses[best], agreeing[best]


@njit(cache=True)
def _ransac(
    seen: FloatArray, mapped: FloatArray, samples: int, inlier_m: float, baseline_m: float, seed: int
) -> tuple[FloatArray, FloatArray]:
    np.random.seed(seed)
    count = len(seen)
    poses, agreeing = np.empty((samples, 3)), np.empty(samples)
    found = 0
    for _ in range(samples):
        a, b = np.random.randint(count), np.random.randint(count)
        sx, sy = seen[b, 0] - seen[a, 0], seen[b, 1] - seen[a, 1]
        mx, my = mapped[b, 0] - mapped[a, 0], mapped[b, 1] - mapped[a, 1]
        length = np.hypot(sx, sy)
        if length < baseline_m or abs(np.hypot(mx, my) - length) > inlier_m:
            continue
        yaw = np.arctan2(sx * my - sy * mx, sx * mx + sy * my)
        c, s = np.cos(yaw), np.sin(yaw)
        # The middle of the pair is where it should be: both share the error.
        px, py = 0.5 * (seen[a, 0] + seen[b, 0]), 0.5 * (seen[a, 1] + seen[b, 1])
        east = 0.5 * (mapped[a, 0] + mapped[b, 0]) - (c * px - s * py)
        north = 0.5 * (mapped[a, 1] + mapped[b, 1]) - (s * px + c * py)
        inliers = 0
        for k in range(count):
            dx = east + c * seen[k, 0] - s * seen[k, 1] - mapped[k, 0]
            dy = north + s * seen[k, 0] + c * seen[k, 1] - mapped[k, 1]
            if dx * dx + dy * dy < inlier_m * inlier_m:
                inliers += 1
        poses[found, 0], poses[found, 1], poses[found, 2] = east, north, yaw
        agreeing[found] = inliers
        found += 1
    return poses[:found], agreeing[:found]
