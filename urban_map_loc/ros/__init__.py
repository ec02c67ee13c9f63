# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The localizer as a ROS 2 node, and bags played into ROS: thin, and the only room that knows rclpy and messages."""
