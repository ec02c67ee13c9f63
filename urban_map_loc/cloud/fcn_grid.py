# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The image that the fully convolutional segmentation sees of a cloud: a grid of columns with features of the points in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.columns import EMPTY, coarser, flatness, gather, wall_lean
from urban_map_loc.cloud.fcn_kernels import (
    FLAT,
    FLAT_COARSE,
    FLAT_FINE,
    HIGHEST_M,
    VIEW,
    WALL,
    column_features,
    count_in_columns,
    points_in_columns,
    spread,
)
from urban_map_loc.cloud.ground import Floats, follow_ground, level_plane
from urban_map_loc.cloud.walls import COARSE_SHARE, FINE_SHARE, candidates, combined, joined, needed_heights
from urban_map_loc.config import CloudConfig, FcnGridConfig

# The extraction by shape as it is unless told otherwise: part of what was learnt, so that its settings do not change what the network sees.
SHAPE = CloudConfig()
# Columns of half, once and twice the grid's size are flat if their points are as thin as this [m]: where flatness is 0.
FLAT_M = (FINE_SHARE * SHAPE.wall_thickness_m, SHAPE.wall_thickness_m, COARSE_SHARE * SHAPE.wall_thickness_m)


@dataclass(frozen=True, eq=False)
class CloudGrid:
    """Points `(N, 3)` [m], base frame, on the grid; `at` is where: the ground's plane and cells, and the grid's lengths."""

    points: Floats
    config: FcnGridConfig
    at: tuple[Any, ...]

    @classmethod
    def of(cls, points: Floats, config: FcnGridConfig, range_m: float) -> CloudGrid:
        """Find the ground of a cloud; the grid reaches `range_m` [m] to all sides."""
        plane = level_plane(points, range_m, config.minimum_range_m)
        ground = follow_ground(points, plane, range_m, config.minimum_range_m)
        lengths = (range_m, config.column_size_m, config.minimum_range_m, config.ground_clearance_m)
        return cls(points, config, (plane, ground, *lengths))

    def features(self) -> Floats:
        """Features `(FEATURES, n, n)` of the columns."""
        size_m = self.config.column_size_m
        plane, ground, range_m, _, minimum_range_m, clearance_m = self.at
        out: Floats = column_features(self.points, *self.at)
        fine = gather(self.points, plane, ground, range_m, 0.5 * size_m, minimum_range_m, clearance_m)
        columns = coarser(fine, 0.5 * size_m)
        coarse = coarser(columns, size_m)
        lean = wall_lean(columns, size_m)
        flat = [flatness(c, s * size_m, lean, t) for c, s, t in zip((fine, columns, coarse), (0.5, 1.0, 2.0), FLAT_M, strict=True)]
        spread(fine, flat[0], 1, out[FLAT_FINE])
        spread(columns, flat[1], 0, out[FLAT])
        spread(coarse, flat[2], -1, out[FLAT_COARSE])
        out[FLAT_COARSE][columns.slots == EMPTY] = 0.0
        needed, view = needed_heights(columns, size_m, SHAPE.wall_height_m)
        spread(columns, np.minimum(view, HIGHEST_M) / 6.0, 0, out[VIEW])
        kinds = candidates(columns, combined(fine, flat[0], columns, flat[1], coarse, flat[2]), needed)
        out[WALL] = joined(columns, kinds, view, size_m, SHAPE.wall_length_m)
        out[[FLAT_FINE, FLAT, FLAT_COARSE]] = np.clip(out[[FLAT_FINE, FLAT, FLAT_COARSE]], -2.0, 2.0)
        return out

    def counts(self, chosen: NDArray[np.bool_]) -> Floats:
        """Points in each band of each column `(2, BANDS, n, n)`: all, and those of `chosen (N,)`."""
        counts: Floats = count_in_columns(self.points, chosen, *self.at)
        return counts

    def points_of(self, columns: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """True `(N,)` for the points whose band of their column is true in `columns (BANDS, n, n)`."""
        mask: NDArray[np.bool_] = points_in_columns(self.points, columns, *self.at)
        return mask
