# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Drives that never happened: a generated town, a lidar among extruded buildings, a noisy odometry."""
