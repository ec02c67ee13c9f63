"""Bags in and out: rosbag2 without a ROS installation, and converters of datasets."""
