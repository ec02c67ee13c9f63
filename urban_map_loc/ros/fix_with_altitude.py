# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`fix_with_altitude`: repeats fixes with an altitude in them, for nodes that take none without.

The localizer knows no height and says NaN, as NavSatFix wants it. robot_localization's navsat_transform_node throws such fixes away.
"""

from __future__ import annotations

import sys
from math import isnan
from typing import Any, NoReturn

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import NavSatFix

from urban_map_loc.ros import qos


class FixWithAltitude(Node):
    """Takes `fix`, gives `fix_with_altitude`: the same message, its altitude the parameter `altitude_m` where it was NaN."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("fix_with_altitude", **kwargs)
        self.declare_parameter(
            "altitude_m", 0.0, ParameterDescriptor(description="height above the WGS84 ellipsoid to say where none is known [m]")
        )
        self._out = self.create_publisher(NavSatFix, "fix_with_altitude", qos.ANSWERS)
        self.create_subscription(NavSatFix, "fix", self._on_fix, qos.ANSWERS)

    def _on_fix(self, message: NavSatFix) -> None:
        if isnan(message.altitude):
            message.altitude = float(self.get_parameter("altitude_m").value)
        self._out.publish(message)


def main() -> NoReturn:
    """Entry point of the executable `fix_with_altitude`."""
    try:
        rclpy.init()
        rclpy.spin(FixWithAltitude())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
    sys.exit(0)


if __name__ == "__main__":
    main()
