# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The colours of errors, in map.png and report.html alike: from blue to orange, which the colour-blind tell apart, on light and on dark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# From no error to the end of the scale; the last one is for all that is larger.
ERROR_COLOURS = ("#2b7bba", "#63b3d1", "#b9b37a", "#f0a03c", "#e8650a", "#c2185b")
ENDS_M = (1.0, 2.0, 5.0, 10.0)


def error_scale_end_m(errors_m: NDArray[np.float64]) -> float:
    """Where the scale of errors ends [m]: a round number that 98 % of the known ones stay below, 10 m at most."""
    known = errors_m[np.isfinite(errors_m)]
    usual = float(np.percentile(known, 98.0)) if len(known) else 0.0
    return next((end for end in ENDS_M if end >= usual), ENDS_M[-1])
