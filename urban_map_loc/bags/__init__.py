# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Bags in and out: rosbag2 without a ROS installation, and converters of datasets."""
