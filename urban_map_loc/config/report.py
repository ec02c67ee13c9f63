# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What `evaluate` tells apart, and what report.html and recording.rrd carry, so that they stay files that can be opened anywhere."""

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


@dataclass(frozen=True)
class RecordingConfig(Section):
    """The limits of recording.rrd (`evaluate --rerun`): with the defaults some 70 MB at most for a drive of 10 minutes."""

    clouds: int = setting(
        300, "at most so many of the bag's clouds, evenly thinned: they are most of the file, 0.12 MB each", low=0, high=1_000_000
    )
    points: int = setting(
        10_000, "at most so many points of a cloud; up to half of them on buildings, so that walls stay dense", low=10, high=10_000_000
    )
    answers: int = setting(
        20_000, "at most so many answers (pose, covariance, errors), evenly thinned: half an hour at 10 Hz, 10 MB", low=10, high=10_000_000
    )
    tiles: int = setting(2000, "at most so many tiles, evenly thinned: about 3 kB each", low=0, high=1_000_000)
    corners: int = setting(
        60_000,
        "corners of buildings and roads, those nearest to the drive: a corner of a house in 3-D takes 200 bytes",
        low=100,
        high=10_000_000,
    )
    assumed_height_m: float = setting(
        3.0, "drawn height of buildings whose height OpenStreetMap does not say: one storey, low enough to look over", unit="m", low=0.1
    )
