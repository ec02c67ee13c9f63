# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""How far a training has come, and how the learning rate goes over it."""

from __future__ import annotations

import math


def spent(steps: int, seconds: float, of_steps: int, of_minutes: float) -> float:
    """Share of a budget that is spent after so many steps and seconds, 0 to 1; the budget is steps, or minutes where these are 0."""
    return min(steps / of_steps if of_steps else seconds / (60.0 * of_minutes), 1.0)


def learning_rate(peak: float, warmup_steps: int, steps: int, fraction: float) -> float:
    """The rate after `steps` steps and a `fraction` of the budget.

    A linear rise, then half a cosine down to 0 (Loshchilov and Hutter 2017).
    """
    rise = min(1.0, (steps + 1) / max(warmup_steps, 1))
    return peak * rise * 0.5 * (1.0 + math.cos(math.pi * fraction))
