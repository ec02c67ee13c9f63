# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The other process of the transport probe: sends clouds of megabytes, best effort, once somebody listens.

`python -m urban_map_loc.ros.doctor.talker TOPIC BYTES COUNT PERIOD_S TIMEOUT_S`
"""

from __future__ import annotations

import sys
import time
from array import array

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2

LINGER_S = 0.5


def main(topic: str, size: int, count: int, period_s: float, timeout_s: float) -> int:
    """Send; 0 when done, 1 when nobody came to listen."""
    rclpy.init()
    node = Node(f"{topic.strip('/')}_talker", use_global_arguments=False, start_parameter_services=False)
    publisher = node.create_publisher(PointCloud2, topic, QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT))
    deadline = time.monotonic() + timeout_s
    while not publisher.get_subscription_count():
        if time.monotonic() > deadline:
            return 1
        time.sleep(0.02)
    time.sleep(period_s)  # matched here is not yet matched there
    message = PointCloud2(height=1, width=size // 16, point_step=16, row_step=size, data=array("B", bytes(size)))
    for number in range(count):
        message.header.stamp.nanosec = number
        publisher.publish(message)
        time.sleep(period_s)
    time.sleep(LINGER_S)
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])))
