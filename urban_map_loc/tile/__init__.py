# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ego-centred tile, from the map and from a cloud, through one TileGrid."""
