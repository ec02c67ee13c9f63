# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a cloud and odometry to a pose that can be believed: hypotheses, verification, fusion."""
