# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The message types that a bag of ours holds, built and taken apart without a ROS installation."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from urban_map_loc.geometry.pose2 import Pose2, quaternion_of_yaw, yaw_of_quaternion

POINTS_TOPIC = "/points"
ODOMETRY_TOPIC = "/odom"
CLOUD_TYPE = "sensor_msgs/msg/PointCloud2"
ODOMETRY_TYPE = "nav_msgs/msg/Odometry"
FIX_TOPIC = "/gnss/fix"
FIX_TYPE = "sensor_msgs/msg/NavSatFix"
STATIC_FRAMES_TOPIC = "/tf_static"
STATIC_FRAMES_TYPE = "tf2_msgs/msg/TFMessage"
UNKNOWN_VARIANCE = 1e6
KNOWN_COVARIANCE = 3  # sensor_msgs/NavSatFix COVARIANCE_TYPE_KNOWN
_POINT_FIELD_CODES = {"<u2": 4, "<u4": 6, "<f4": 7}  # sensor_msgs/PointField UINT16, UINT32, FLOAT32


@cache
def typestore() -> Typestore:
    """Message definitions of ROS 2 Jazzy."""
    return get_typestore(Stores.ROS2_JAZZY)


def nanoseconds(stamp_s: float) -> int:
    """A stamp [s] in whole nanoseconds."""
    whole = int(stamp_s // 1.0)
    return whole * 1_000_000_000 + round((stamp_s - whole) * 1e9)


def _header(stamp_s: float, frame_id: str) -> Any:
    types = typestore().types
    sec, nanosec = divmod(nanoseconds(stamp_s), 1_000_000_000)
    stamp = types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)
    return types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)


def stamp_of(message: Any) -> float:
    """Header stamp [s] of a message."""
    return float(message.header.stamp.sec) + 1e-9 * float(message.header.stamp.nanosec)


def cloud_message(
    stamp_s: float,
    points: NDArray[np.floating],
    intensity: ArrayLike | None,
    label: ArrayLike | None,
    frame_id: str,
    *,
    ring: ArrayLike | None = None,
    time: ArrayLike | None = None,
) -> Any:
    """PointCloud2 of points `(N, 3)` [m] with optional intensities, labels, rings and times after the stamp [s], `(N,)` each."""
    columns: dict[str, tuple[str, ArrayLike]] = {axis: ("<f4", points[:, k]) for k, axis in enumerate("xyz")}
    optional = (("intensity", "<f4", intensity), ("ring", "<u2", ring), ("time", "<f4", time), ("label", "<u4", label))
    columns |= {name: (kind, values) for name, kind, values in optional if values is not None}
    # Four bytes a field: the two of a ring are followed by two of padding, so that what comes after stays aligned.
    offsets = [4 * k for k in range(len(columns))]
    kinds = [kind for kind, _ in columns.values()]
    table = np.zeros(len(points), np.dtype({"names": list(columns), "formats": kinds, "offsets": offsets, "itemsize": 4 * len(columns)}))
    for name, (_, values) in columns.items():
        table[name] = values
    types = typestore().types
    fields = [
        types["sensor_msgs/msg/PointField"](name=name, offset=4 * k, datatype=_POINT_FIELD_CODES[kind], count=1)
        for k, (name, kind) in enumerate(zip(columns, kinds, strict=True))
    ]
    return types[CLOUD_TYPE](
        header=_header(stamp_s, frame_id),
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=False,
        point_step=table.itemsize,
        row_step=table.itemsize * len(points),
        data=table.view(np.uint8),
        is_dense=True,
    )


def odometry_message(stamp_s: float, T_odom_base: Pose2, velocity: tuple[float, float]) -> Any:
    """Odometry in frame `odom` of `base_link`; velocity is forward [m/s] and turn rate [rad/s]."""
    types = typestore().types
    vector, unknown = types["geometry_msgs/msg/Vector3"], np.zeros(36)
    x, y, z, w = quaternion_of_yaw(T_odom_base.yaw)
    pose = types["geometry_msgs/msg/Pose"](
        position=types["geometry_msgs/msg/Point"](x=T_odom_base.x, y=T_odom_base.y, z=0.0),
        orientation=types["geometry_msgs/msg/Quaternion"](x=x, y=y, z=z, w=w),
    )
    twist = types["geometry_msgs/msg/Twist"](
        linear=vector(x=float(velocity[0]), y=0.0, z=0.0), angular=vector(x=0.0, y=0.0, z=float(velocity[1]))
    )
    return types[ODOMETRY_TYPE](
        header=_header(stamp_s, "odom"),
        child_frame_id="base_link",
        pose=types["geometry_msgs/msg/PoseWithCovariance"](pose=pose, covariance=unknown),
        twist=types["geometry_msgs/msg/TwistWithCovariance"](twist=twist, covariance=unknown),
    )


def pose_of(message: Any) -> Pose2:
    """Planar `T_odom_base` of an Odometry message."""
    position, q = message.pose.pose.position, message.pose.pose.orientation
    return Pose2(position.x, position.y, yaw_of_quaternion(q.x, q.y, q.z, q.w))


def fix_message(stamp_s: float, lat_deg: float, lon_deg: float, covariance: NDArray[np.float64], frame_id: str) -> Any:
    """NavSatFix at WGS84 degrees with the covariance `(2, 2)` of east and north [m2]; the altitude is not known."""
    types = typestore().types
    enu = np.diag([0.0, 0.0, UNKNOWN_VARIANCE])
    enu[:2, :2] = covariance
    status = types["sensor_msgs/msg/NavSatStatus"](status=0, service=1)
    return types[FIX_TYPE](
        header=_header(stamp_s, frame_id),
        status=status,
        latitude=float(lat_deg),
        longitude=float(lon_deg),
        altitude=float("nan"),
        position_covariance=enu.ravel(),
        position_covariance_type=KNOWN_COVARIANCE,
    )


def fix_of(message: Any) -> tuple[float, float, NDArray[np.float64] | None] | None:
    """Latitude, longitude [deg] and covariance `(2, 2)` of east and north [m2] of a NavSatFix; None where it has no fix.

    The covariance is None where the receiver does not state it.
    """
    lat_deg, lon_deg = float(message.latitude), float(message.longitude)
    if message.status.status < 0 or not np.isfinite([lat_deg, lon_deg]).all():
        return None
    covariance = np.array(message.position_covariance, dtype=np.float64).reshape(3, 3)[:2, :2]
    known = message.position_covariance_type != 0 and np.isfinite(covariance).all() and np.linalg.eigvalsh(covariance)[0] > 0.0
    return lat_deg, lon_deg, covariance if known else None
