# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Localizing in an atlas: regions are loaded where they are needed, ranked together, and dropped when others are needed more."""
