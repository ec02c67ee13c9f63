# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames in and out: where sensors sit on the car, from /tf_static, and `map` to `odom` on TF. Both only where ROS has the packages."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node

from urban_map_loc.cloud.extrinsic import Extrinsic, FrameTree
from urban_map_loc.errors import ConfigurationError

try:
    from tf2_msgs.msg import TFMessage
except ImportError:  # not to be had from pip
    TFMessage = None
try:
    from tf2_ros import TransformBroadcaster
except ImportError:  # not to be had from pip
    TransformBroadcaster = None


def missing() -> str:
    """What this installation cannot do with TF, one line; empty where it can do everything."""
    lines = []
    if TransformBroadcaster is None:
        lines.append("map to odom is not broadcast (tf2_ros is not installed; ~/odometry says where the car is)")
    if TFMessage is None:
        lines.append("sensors' places come from the parameters cloud_frames, sensor_frame and extrinsic (tf2_msgs is not installed)")
    return "TF is off: " + ", and ".join(lines) if lines else ""


def static_message() -> Any | None:
    """The type of what comes on /tf_static, None where there is none."""
    return TFMessage


def broadcaster(node: Node) -> Any | None:
    """A broadcaster of transforms, None where there is none."""
    return None if TransformBroadcaster is None else TransformBroadcaster(node)


def add_transform(frames: FrameTree, stamped: TransformStamped) -> None:
    """Put a transform into the tree.

    Raises:
        ConfigurationError: it is none; names the frame.
    """
    t, q = stamped.transform.translation, stamped.transform.rotation
    try:
        T_parent_child = Extrinsic.from_quaternion((t.x, t.y, t.z), (q.x, q.y, q.z, q.w))
    except ConfigurationError as error:
        raise ConfigurationError(f"/tf_static, frame {stamped.child_frame_id!r}: {error}") from error
    frames.add(stamped.header.frame_id, stamped.child_frame_id, T_parent_child)
