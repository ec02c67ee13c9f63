# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Points in the base frame: decoding PointCloud2, extrinsics, building extraction and the scan of nearest walls."""
