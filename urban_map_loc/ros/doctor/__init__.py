# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is missing or wrong on this machine or this ROS graph: small checks, each with the remedy.

A check is a function that yields findings, and an entry in the table of its file: `machine.CHECKS` and `transport.CHECKS` look at this
machine, `topics.CHECKS` and `localizer.CHECKS` at what `listening` heard. No file but `listening`, `talker` and the probe imports rclpy,
so that the others serve where it is missing.
"""
