# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What benchmark/mutation.py changes, and which tests should notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """What is changed, and what should notice it.

    Attributes:
        modules: each with the tests that should notice first.
        tests: all that take no more than seconds without a compiler.
        compiled: those that take seconds with one.
    """

    modules: Mapping[str, Sequence[str]]
    tests: Sequence[str]
    compiled: Sequence[str] = ()


TRAJECTORY = "test_geometry_trajectory"
SCORES, KERNELS, TRACKING = "test_localization_verification", "test_localization_kernels", "test_localization_tracking"
LOCALIZER, FAULTS = "test_localization_localizer", "test_localization_faults"
WINDOW = tuple(
    f"test_localization_window.py::test_{name}"
    for name in (
        "the_banded_solution_is_that_of_the_whole_matrix",
        "the_gradient_is_the_slope_of_the_cost",
        "a_late_scan_goes_where_its_stamp_says",
    )
)
# Those of the scores', which otherwise look through a whole area.
QUICK_SCORES = tuple(
    f"{SCORES}.py::test_{name}"
    for name in (
        "hits_on_the_wall_score_one_and_rays_through_it_cost",
        "rays_may_pass_over_buildings_that_are_known_to_be_low",
        "a_ray_counts_from_its_own_origin",
        "the_first_look_is_the_mean_value_of_the_pixels_that_are_hit",
        "refinement_finds_the_true_pose",
        "refinement_never_lowers_the_score",
    )
)
UTM = f"{TRAJECTORY}.py::test_utm_known_points"
LOCK, FINDING, MONITOR = "test_localization_lock", "test_localization_finding", "test_localization_gnss_monitor"
FACTORS = "test_localization_window_factors"
FROM_MAP, FROM_CLOUD, EFFECTS = "test_tile_from_map", "test_tile_from_cloud", "test_tile_scan_effects"

ROOMS = {
    "geometry": Room(
        {
            "geometry/pose2": ["test_geometry_pose2"],
            "geometry/geodesy": ["test_geometry_geodesy"],
            "geometry/trajectory": [TRAJECTORY],
            "geometry/utm": [UTM],
        },
        ["test_geometry_pose2", TRAJECTORY, "test_geometry_geodesy"],
    ),
    "tile": Room(
        {
            "tile/grid": ["test_tile_grid"],
            "tile/from_cloud": [FROM_CLOUD],
            "tile/from_map": [FROM_MAP],
            "tile/road_channel": ["test_tile_roads"],
            "tile/kernels": [FROM_MAP],
            "tile/scene": [EFFECTS],
        },
        ["test_tile_grid", FROM_CLOUD, FROM_MAP, "test_tile_roads", EFFECTS],
    ),
    "fusion": Room(
        {
            "localization/tracking": [TRACKING],
            "localization/finding": [FINDING, LOCK],
            "localization/lock": [LOCK],
            "localization/odometry": ["test_localization_odometry"],
            "localization/recent_drive": [FINDING, LOCK],
            "localization/window": [FACTORS, *WINDOW],
            "localization/window_kernels": [FACTORS, *WINDOW],
            "localization/alignment": [KERNELS],
            "localization/kernels": [KERNELS, QUICK_SCORES[3]],
            "localization/gnss_monitor": [MONITOR],
        },
        ["test_localization_odometry", FINDING, LOCK, MONITOR, KERNELS, TRACKING, FACTORS, *WINDOW, *QUICK_SCORES],
        [SCORES, "test_localization_window", LOCALIZER, FAULTS],
    ),
}
