# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""When each point of a sweep was measured, whatever way the driver says it.

================  =============================  ==================  ============================================
driver            field                          type                counts
================  =============================  ==================  ============================================
Ouster            `t`                            uint32              ns since the stamp
Velodyne          `time`                         float32             s from the stamp, before or after it
Hesai, RoboSense  `timestamp`                    float64             s of the sensor's clock
Livox             `offset_time`, or `timestamp`  uint32, or float64  ns since the stamp, or of the sensor's clock
================  =============================  ==================  ============================================

Units are told from how long the sweep would last: 0.5 ms to 0.5 s in exactly one of s, ms, us and ns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.errors import CloudError

UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
# A sweep lasts so long; shorter ones cannot be told from clouds measured all at once, and need no correction.
SHORTEST_SWEEP_S, LONGEST_SWEEP_S = 2e-3, 0.5
# Times this far from 0 are no offsets from the stamp, but counted by a clock.
CLOCK_S = 10.0


def point_offsets(values: NDArray[Any], stamp_s: float, name: str, unit: str = "auto") -> NDArray[np.float32] | None:
    """Offsets `(N,)` [s] of the points' times from `stamp_s` [s]; None where all points have one time.

    Times of a clock that is not the stamp's (a sensor without time synchronisation, or one that counts leap seconds) are taken to begin
    at the stamp, as drivers stamp a sweep with its first point.

    Args:
        values: `(N,)` what the field `name` holds.
        stamp_s: the cloud's stamp [s].
        name: the field's name, for messages.
        unit: a key of `UNITS_S`, or auto.

    Raises:
        CloudError: times that are not finite or no sweep's.
    """
    times = np.asarray(values, np.float64).reshape(-1)
    first, last = float(times.min()), float(times.max())
    remedy = "correct the driver, name another field in cloud.time_fields, or set cloud.deskew to false"
    if not (np.isfinite(first) and np.isfinite(last)):  # NaN anywhere makes both NaN
        raise CloudError(f"field {name} holds times that are not finite; {remedy}")
    second = UNITS_S[unit] if unit != "auto" else _unit(last - first)
    if second is None or not (last - first) * second <= LONGEST_SWEEP_S:
        raise CloudError(f"field {name} spans {last - first:.6g}, which is no sweep's duration in s, ms, us or ns; {remedy}")
    if (last - first) * second < SHORTEST_SWEEP_S:
        return None
    origin = 0.0
    if max(abs(first), abs(last)) * second > CLOCK_S:
        same_clock = abs(first * second - stamp_s) <= 2.0 * LONGEST_SWEEP_S
        origin = stamp_s / second if same_clock else first
    return ((times - origin) * second).astype(np.float32)


def _unit(span: float) -> float | None:
    """The unit [s] in which `span` is a sweep's duration; the largest for a span too short for any."""
    for second in UNITS_S.values():
        if span * second <= LONGEST_SWEEP_S:
            return second
    return None
