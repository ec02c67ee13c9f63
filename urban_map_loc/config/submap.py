# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The walls of the last metres, carried by odometry."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class SubmapConfig(Section):
    """What is remembered of earlier scans when the network's guesses are verified, and drawn into the tile of models trained on submaps."""

    window_m: float = setting(
        0.0,
        "a guess is verified with the walls seen on the last metres driven; 0: with one scan, as better answers brought no sooner locks",
        unit="m",
        low=0.0,
        high=500.0,
    )
    cell_m: float = setting(0.5, "one wall point is kept in each square of this size", unit="m", low=0.1, high=5.0)
    minimum_scans: int = setting(2, "scans that hit a square, less those that look through it, before it counts", low=1, high=20)
