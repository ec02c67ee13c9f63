# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Cloud: decoded points, the form in which files, bags and ROS messages enter the project."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_LABEL = -1
# What a point lies on.
OTHER, GROUND, ROAD, BUILDING = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Cloud:
    """Finite points of one sweep.

    Attributes:
        stamp_s: message stamp [s].
        points: `(N, 3)` float32 x, y, z [m], in the base frame once an extrinsic has been applied.
        label: `(N,)` integer class of each point, or None where the cloud carries none.
        frame_id: frame the points are given in.
        offset_s: `(N,)` float32 when each point was measured, after the stamp [s]; None where all were at once or nobody said.
    """

    stamp_s: float
    points: NDArray[np.float32]
    label: NDArray[np.int64] | None = None
    frame_id: str = "base_link"
    offset_s: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class WholeCloud:
    """All points of a file or a message in its own order, those that are not finite too (label NO_LABEL); else as `Cloud`."""

    points: NDArray[np.float32]
    label: NDArray[np.int64] | None = None
    stamp_s: float = 0.0
    frame_id: str = "base_link"

    @property
    def finite(self) -> NDArray[np.bool_]:
        """True `(N,)` for the points that `cloud` has."""
        finite = np.isfinite(self.points)
        return finite[:, 0] & finite[:, 1] & finite[:, 2]

    @property
    def cloud(self) -> Cloud:
        """The finite points."""
        kept = self.finite
        return Cloud(self.stamp_s, self.points[kept], None if self.label is None else self.label[kept], self.frame_id)
