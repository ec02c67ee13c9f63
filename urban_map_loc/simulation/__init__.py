"""Drives that never happened: a generated town, a lidar among extruded buildings, a noisy odometry."""
