# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training MapNet on an area's tiles; never imported by the robot."""
