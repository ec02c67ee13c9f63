# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a rectified stereo pair to a cloud."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class StereoConfig(Section):
    """From a rectified stereo pair to a cloud: matching, smoothing, reach and thinning."""

    disparities: int = setting(128, "search width, a multiple of 16: nearer things are not matched", unit="px", low=16, high=1024)
    block_px: int = setting(5, "side of the matched block, odd: smaller is finer, larger is calmer", unit="px", low=1, high=21)
    uniqueness_percent: int = setting(10, "the best match is so much better than any other, or there is none", unit="%", low=0, high=100)
    left_right_px: int = setting(1, "matches from left to right and back differ by no more", unit="px", low=0, high=16)
    speckle_px: int = setting(100, "smaller patches of one disparity are errors", unit="px", low=0)
    disparity_error_px: float = setting(
        0.35, "standard deviation of a disparity; windows that scatter more about a plane are no surface", unit="px", low=0.01, high=10.0
    )
    depth_error_m: float = setting(
        1.5, "no points from where the disparity's error means more depth than this: the reach, from baseline and focal length", unit="m",
        low=0.05, high=50.0,
    )  # fmt: skip
    spacing_m: float = setting(0.1, "one point, the mean, for each cube of this side", unit="m", low=0.01, high=1.0)
