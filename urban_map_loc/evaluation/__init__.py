# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RUN folders, metrics against the truth, the picture and the report."""
