# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What benchmark/mutation.py changes, and which tests should notice."""

from __future__ import annotations

from collections.abc import Sequence

TRAJECTORY, GEODESY, POSE2 = "test_geometry_trajectory", "test_geometry_geodesy", "test_geometry_pose2"
FROM_MAP, FROM_CLOUD, ROADS, EFFECTS = "test_tile_from_map", "test_tile_from_cloud", "test_tile_roads", "test_tile_scan_effects"
FINDING, LOCK, LOCALIZER, FAULTS = (f"test_localization_{name}" for name in ("finding", "lock", "localizer", "faults"))
SCORES, KERNELS = "test_localization_verification", "test_localization_kernels"
WINDOW, FACTORS = "test_localization_window", "test_localization_window_factors"
# Those that take seconds without a compiler.
QUICK_WINDOW = tuple(
    f"{WINDOW}.py::test_{name}"
    for name in (
        "the_banded_solution_is_that_of_the_whole_matrix",
        "the_gradient_is_the_slope_of_the_cost",
        "a_late_scan_goes_where_its_stamp_says",
    )
)
QUICK_SCORES = tuple(
    f"{SCORES}.py::test_{name}"
    for name in (
        "the_first_look_is_the_mean_value_of_the_pixels_that_are_hit",
        "hits_on_the_wall_score_one_and_rays_through_it_cost",
        "rays_may_pass_over_buildings_that_are_known_to_be_low",
        "a_ray_counts_from_its_own_origin",
        "refinement_finds_the_true_pose",
        "refinement_never_lowers_the_score",
    )
)

# The modules of a room, each with the tests that should notice, the likeliest first.
ROOMS: dict[str, dict[str, Sequence[str]]] = {
    "geometry": {
        "geometry/pose2": [POSE2, TRAJECTORY, GEODESY],
        "geometry/geodesy": [GEODESY, TRAJECTORY],
        "geometry/trajectory": [TRAJECTORY],
        "geometry/utm": [f"{TRAJECTORY}.py::test_utm_known_points", TRAJECTORY],
    },
    "tile": {
        "tile/grid": ["test_tile_grid", FROM_CLOUD, FROM_MAP],
        "tile/from_cloud": [FROM_CLOUD],
        "tile/from_map": [FROM_MAP, EFFECTS, ROADS],
        "tile/road_channel": [ROADS, FROM_CLOUD],
        "tile/kernels": ["test_tile_cast", FROM_MAP, EFFECTS],
        "tile/scene": ["test_tile_scene", EFFECTS],
    },
    "fusion": {
        "localization/tracking": ["test_localization_tracking", FAULTS],
        "localization/finding": [FINDING, LOCK, LOCALIZER],
        "localization/lock": [LOCK, LOCALIZER],
        "localization/odometry": ["test_localization_odometry"],
        "localization/recent_drive": [FINDING, LOCK, LOCALIZER],
        "localization/window": [FACTORS, *QUICK_WINDOW, WINDOW],
        "localization/window_kernels": [FACTORS, KERNELS, *QUICK_WINDOW],
        "localization/alignment": [KERNELS, *QUICK_SCORES],
        "localization/kernels": [KERNELS, *QUICK_SCORES],
        "localization/gnss_monitor": ["test_localization_gnss_monitor"],
    },
}
