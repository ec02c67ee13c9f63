# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""OSM in, AreaMap out: the only room that knows OSM tags or the network."""
