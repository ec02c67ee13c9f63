# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The colours of errors, in map.png and report.html alike: from blue to orange, which the colour-blind tell apart, on light and on dark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# From no error to the end of the scale; the last one is for all that is larger.
ERROR_COLOURS = ("#2b7bba", "#63b3d1", "#b9b37a", "#f0a03c", "#e8650a", "#c2185b")
ENDS_M = (1.0, 2.0, 5.0, 10.0)
UNKNOWN_COLOUR = "#9a9a9a"


def error_scale_end_m(errors_m: NDArray[np.float64]) -> float:
    """Where the scale of errors ends [m]: a round number that 98 % of the known ones stay below, 10 m at most."""
    known = errors_m[np.isfinite(errors_m)]
    usual = float(np.percentile(known, 98.0)) if len(known) else 0.0
    return next((end for end in ENDS_M if end >= usual), ENDS_M[-1])


def error_colours(errors_m: NDArray[np.float64], end_m: float) -> NDArray[np.uint8]:
    """Red, green, blue `(N, 3)` of errors `(N,)` [m] on a scale that ends at `end_m`; grey where NaN."""
    anchors = np.array([rgb(colour) for colour in ERROR_COLOURS], dtype=np.float64)
    at = errors_m / end_m * (len(anchors) - 2)
    steps = np.arange(len(anchors) - 1)
    out = np.column_stack([np.interp(at, steps, anchors[:-1, k]) for k in range(3)])
    out[at > steps[-1]] = anchors[-1]
    out[~np.isfinite(at)] = rgb(UNKNOWN_COLOUR)
    return np.rint(out).astype(np.uint8)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green, blue from 0 to 255 of "#rrggbb"."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
