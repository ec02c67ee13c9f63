# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""From datasets to bags."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting

# Of clouds of push-broom scans, recorded or simulated.
STRIP_BEHIND_M, STRIP_SPACING_M = 40.0, 0.1


@dataclass(frozen=True)
class ConversionConfig(Section):
    """From datasets to bags."""

    part_s: float = setting(
        60.0, "a bag's files hold so much time each: an interrupted conversion goes on after the last whole one", unit="s", low=1.0
    )
    rate_hz: float = setting(10.0, "clouds a second at most; the localizer gains nothing from more", unit="Hz", low=0.01, high=100.0)
    strip_rate_hz: float = setting(
        5.0, "the same of clouds made of push-broom scans: one has most of the last one's points again", unit="Hz", low=0.01, high=100.0
    )
    strip_behind_m: float = setting(
        STRIP_BEHIND_M, "a cloud of push-broom scans holds those of the last so many metres driven", unit="m", low=1.0, high=500.0
    )
    strip_ahead_m: float = setting(
        0.0,
        "and those of the next so many metres: not 0 is a look into the future, which no car in traffic has",
        unit="m",
        low=0.0,
        high=500.0,
    )
    strip_spacing_m: float = setting(
        STRIP_SPACING_M, "push-broom scans nearer than this to the last one are left out: a car that stands scans one wall again and again",
        unit="m", low=0.01, high=10.0,
    )  # fmt: skip
    strip_limit_s: float = setting(
        120.0, "scans older than this are left out of a strip even so: odometry turns in place", unit="s", low=1.0, high=3600.0
    )
    lms_range_m: float = setting(50.0, "LMS-151 points further away are echoes of nothing (its data sheet)", unit="m", low=1.0, high=100.0)
    frame_rate_hz: float = setting(10.0, "of KITTI frames without times.txt", unit="Hz", low=0.1, high=100.0)
