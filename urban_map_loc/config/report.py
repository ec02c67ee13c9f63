# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What `evaluate` tells apart and what report.html carries, so that it stays a file that any browser opens."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class ReportConfig(Section):
    """Sections of a drive, what a RUN keeps of every cloud, and the limits of the report's size."""

    section_m: float = setting(
        100.0, "drives are judged in sections so long: a block of houses, short enough to go and look at", unit="m", low=5.0, high=100_000.0
    )
    gap_s: float = setting(2.0, "truth missing for longer ends a stretch of the drive", unit="s", low=0.01, high=3600.0)
    hypotheses: int = setting(12, "best hypotheses kept of each cloud: those that are refined on the recent drive", low=1, high=1000)
    reason_letters: int = setting(160, "a reason is cut to so many letters", low=20, high=10_000)
    tiles: int = setting(6000, "at most so many tiles in a report, evenly thinned: 10 minutes at 10 Hz, about 5 MB", low=10, high=1_000_000)
    clouds: int = setting(72_000, "at most so many clouds in a report, evenly thinned: 2 hours at 10 Hz", low=10, high=10_000_000)
    corners: int = setting(
        300_000, "corners of buildings and roads in a report, those nearest to the drive: about 1.5 MB", low=100, high=100_000_000
    )
    simplified_m: float = setting(0.2, "outlines may be off by so much in the report: less than a pixel on most screens", unit="m", low=0.0)
