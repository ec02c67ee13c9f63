# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""How the learning rate goes over a training."""

from __future__ import annotations

import math


def learning_rate(peak: float, warmup_steps: int, steps: int, fraction: float) -> float:
    """The rate after `steps` steps and a `fraction` of the budget.

    A linear rise, then half a cosine down to 0 (Loshchilov and Hutter 2017).
    """
    rise = min(1.0, (steps + 1) / max(warmup_steps, 1))
    return peak * rise * 0.5 * (1.0 + math.cos(math.pi * fraction))
