# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Poses in the plane and positions on the earth; sees nothing but numpy."""
