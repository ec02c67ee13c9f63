"""Cloud: decoded points, the form in which bags and ROS messages enter the project."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Cloud:
    """Finite points of one sweep.

    Attributes:
        stamp_s: message stamp [s].
        points: `(N, 3)` float32 x, y, z [m], in the base frame once an extrinsic has been applied.
        label: `(N,)` integer class of each point, or None where the cloud carries none.
        frame_id: frame the points are given in.
    """

    stamp_s: float
    points: NDArray[np.float32]
    label: NDArray[np.int64] | None = None
    frame_id: str = "base_link"
