# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Feature matching and RANSAC: keypoints of the tile against those of the whole map, in the plane.

What the MapNet thesis describes as 2D-3D matching and PnP: descriptors are matched, pairs of matches give poses, matches that agree
are counted (Fischler and Bolles 1981), and the poses with the most are checked with what was seen. The map's keypoints are those of
its views from the roads: of a picture of all walls, also those that nobody sees, even clean tiles find hardly any.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.baselines.references import in_parts, road_poses
from urban_map_loc.baselines.sift import SIZE, Descriptors, keypoints, walls_of
from urban_map_loc.baselines.system import Progress, Query, System, ranked_hypotheses
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.mapnet.hypotheses import Hypotheses, empty
from urban_map_loc.tile.grid import TileGrid


class FeatureMatch(System):
    """See the module."""

    name = "SIFT and RANSAC"
    source = "Lowe 2004; Fischler and Bolles 1981; as the MapNet thesis describes it, in the plane"
    learns = False

    def index(self, progress: Progress) -> None:
        """Keypoints of views along the roads, placed in the map."""
        renderer, cfg = self.ground.batches.renderer, self.ground.settings.feature_match
        poses = road_poses(self.ground, cfg.spacing_m)
        positions, descriptors = [np.zeros((0, 2))], [np.zeros((0, SIZE), dtype=np.float32)]
        for part in in_parts(poses, progress, "finding the map's keypoints"):
            for pose, tile in zip(part, renderer.tiles(part), strict=True):
                spots, found = keypoints(walls_of(tile), self.ground.settings.sift)
                positions.append(Pose2.from_array(pose).transform(_in_base(spots, renderer.grid)))
                descriptors.append(found)
        self._take(np.concatenate(positions), np.concatenate(descriptors))

    def guesses(self, query: Query, count: int) -> Hypotheses:
        """Poses with many agreeing matches, ranked by how many of the hits then lie on walls."""
        cfg, grid = self.ground.settings.feature_match, self.ground.batches.renderer.grid
        spots, found = keypoints(walls_of(query.tile), self.ground.settings.sift)
        wanted = min(cfg.matches, len(self._positions))
        if len(spots) < 2 or wanted == 0:
            return empty()
        matched = self._search.kneighbors(found, wanted, return_distance=False)
        seen = np.repeat(_in_base(spots, grid), wanted, axis=0)
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
        # Rounded as they are kept, so that a loaded system answers as the one that was saved.
        self._positions = positions.astype(np.float32).astype(np.float64)
        self._descriptors = descriptors.astype(np.float16).astype(np.float32)
        self._search = NearestNeighbors(algorithm="brute")
        if len(descriptors):
            self._search.fit(self._descriptors)


def _in_base(spots: FloatArray, grid: TileGrid) -> FloatArray:
    """Points `(N, 2)` [m, base frame] of a tile's keypoints, column and row [px]."""
    return grid.half_m - (spots[:, ::-1] + 0.5) * grid.resolution_m


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
