# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Verification across regions: every pose is judged on the map of the region in which it lies.

That map goes on beyond the region as far as the recent drive and a tile reach, so that a pose is judged on all it should see.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import VerificationConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.atlas.region import NOBODY, ReadyRegion, ReadyRegions
from urban_map_loc.localization.verification import Verification


class AtlasVerifier(Verification):
    """Scores poses against the buildings of the regions in memory; where no map is, nothing agrees and nothing disagrees: 0."""

    def __init__(self, ready: ReadyRegions, config: VerificationConfig, change_m: float) -> None:
        """`change_m`: how far the car must be outside a region's core before it is tracked in another."""
        super().__init__(config)
        self._ready, self._change_m = ready, change_m
        self._current: ReadyRegion | None = None

    @property
    def current(self) -> ReadyRegion:
        """The region that was tracked in last."""
        regions = self._ready.regions
        return self._current if self._current is not None and self._current in regions else regions[0]

    def score(self, points: FloatArray, origins: FloatArray, poses: FloatArray) -> FloatArray:
        """See `Verification`."""
        out = np.zeros(len(poses))
        for region, at in self._shares(poses[:, :2]):
            out[at] = region.verifier.score(points, origins, poses[at])
        return out

    def sight(self, rays: FloatArray, poses: FloatArray) -> FloatArray:
        """See `Verification`."""
        counts = np.zeros((len(poses), 3))
        for region, at in self._shares(poses[:, :2]):
            counts[at] = region.verifier.sight(rays, poses[at])
        return counts

    def refine(self, points: FloatArray, origins: FloatArray, poses: FloatArray) -> tuple[FloatArray, FloatArray]:
        """See `Verification`."""
        refined, scores = poses.copy(), np.zeros(len(poses))
        for region, at in self._shares(poses[:, :2]):
            refined[at], scores[at] = region.verifier.refine(points, origins, poses[at])
        return refined, scores

    def information(self, points: FloatArray, pose: Pose2) -> FloatArray:
        """See `Verification`."""
        for region, _ in self._shares(np.array([[pose.x, pose.y]])):
            return region.verifier.information(points, pose)
        return np.zeros((3, 3))

    def coarse(self, points: FloatArray, positions: FloatArray) -> NDArray[np.float32]:
        """See `Verification`."""
        out = np.zeros((len(positions), len(self.headings)), dtype=np.float32)
        for region, at in self._shares(positions):
            out[at] = region.verifier.coarse(points, positions[at])
        return out

    def lattice(self, region: tuple[float, ...]) -> FloatArray:
        """See `Verification`; a place too large for one region's map is made up of the parts in each."""
        middle = np.array([[(region[0] + region[2]) / 2.0, (region[1] + region[3]) / 2.0]])
        for ready, _ in self._shares(middle):
            beyond = max(*(ready.core[:2] - region[:2]), *(region[2:] - ready.core[2:]))
            if beyond <= 0.5 * self._ready.overlap_m:
                return ready.verifier.lattice(region)
        parts = [np.zeros((0, 2))]
        for ready in self._ready.regions:
            west, south = np.maximum(region[:2], ready.core[:2])
            east, north = np.minimum(region[2:], ready.core[2:])
            if west < east and south < north:
                parts.append(ready.verifier.lattice((float(west), float(south), float(east), float(north))))
        return np.concatenate(parts)

    def raster_at(self, position: FloatArray) -> BuildingRaster:
        """See `Verification`; the region changes only once the position is well out of it."""
        ready, current = self._ready, self.current
        away_m = ready.distances_m(position[None])[0, ready.regions.index(current)]
        if current is not self._current or away_m > self._change_m:
            (owner,) = ready.owner(position[None])
            current = ready.regions[owner] if owner != NOBODY else current
        self._current = current
        return current.verifier.raster

    def _shares(self, positions: FloatArray) -> Iterator[tuple[ReadyRegion, NDArray[np.int64]]]:
        """Each region that has some of positions `(K, 2)` [m], and which."""
        owner = self._ready.owner(positions)
        for number in np.unique(owner[owner != NOBODY]):
            yield self._ready.regions[number], np.flatnonzero(owner == number)
