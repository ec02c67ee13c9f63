# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Listens to a running localizer and makes of its messages what `localize` writes."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite

import numpy as np
import rclpy
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
from nav_msgs.msg import OccupancyGrid
from numpy.typing import NDArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import NavSatFix, NavSatStatus, PointCloud2

from urban_map_loc.geometry.pose2 import Pose2, yaw_of_quaternion
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate, State
from urban_map_loc.ros import qos
from urban_map_loc.ros.conversions import PLANAR, tile_of_grid

# CDR: four bytes of encapsulation, then the header's stamp, little endian on every machine that we know.
_STAMP = struct.Struct("<iI")
_STAMP_AT = 4

StampNs = int


class Recorder(Node):
    """Collects fixes, poses, hypotheses, tiles and the times at which clouds came by.

    Args:
        context: where to listen.
        localizer: full name of the localizer's node.
    """

    def __init__(self, context: Context, localizer: str = "/urban_map_loc") -> None:
        super().__init__("urban_map_loc_recorder", context=context, use_global_arguments=False, start_parameter_services=False)
        self._sent: dict[StampNs, float] = {}
        self._fixes: dict[StampNs, tuple[NavSatFix, float]] = {}
        self._poses: dict[StampNs, PoseWithCovarianceStamped] = {}
        self._hypotheses: dict[StampNs, PoseArray] = {}
        self._tiles: dict[StampNs, OccupancyGrid] = {}
        self.create_subscription(PointCloud2, "points", self._on_cloud, qos.CLOUDS_IN, raw=True)
        self.create_subscription(NavSatFix, f"{localizer}/fix", self._on_fix, qos.ANSWERS)
        self.create_subscription(PoseWithCovarianceStamped, f"{localizer}/pose", self._on_pose, qos.ANSWERS)
        self.create_subscription(PoseArray, f"{localizer}/hypotheses", self._on_hypotheses, qos.ANSWERS)
        self.create_subscription(OccupancyGrid, f"{localizer}/tile", self._on_tile, qos.ANSWERS)

    @property
    def clouds(self) -> int:
        """Clouds seen on `points` so far."""
        return len(self._sent)

    @property
    def fixes(self) -> int:
        """Clouds answered on `~/fix` so far."""
        return len(self._fixes)

    @property
    def tile_m(self) -> float | None:
        """Side of a pixel of the tiles heard [m]; None where none was."""
        return next((float(tile.info.resolution) for tile in self._tiles.values()), None)

    def results(self) -> list[tuple[LocalizationResult, float]]:
        """One result a fix, in order of stamps, with its latency [ms]: from the cloud's coming by to the fix's."""
        out: list[tuple[LocalizationResult, float]] = []
        state = State.INITIALIZING
        for stamp_ns, (fix, arrived) in sorted(self._fixes.items()):
            pose = self._poses.get(stamp_ns)
            estimate = None if pose is None or fix.status.status == NavSatStatus.STATUS_NO_FIX else _estimate(pose)
            if estimate is not None:
                state = State.LOCKED
            elif state is State.LOCKED:
                state = State.LOST
            latency_ms = (arrived - self._sent.get(stamp_ns, arrived)) * 1e3
            result = LocalizationResult(
                stamp_ns * 1e-9,
                state,
                "heard over ROS",
                estimate=estimate,
                hypotheses=_poses(self._hypotheses.get(stamp_ns)),
                tile=tile_of_grid(self._tiles[stamp_ns]) if stamp_ns in self._tiles else None,
            )
            out.append((result, max(0.0, latency_ms)))
        return out

    def _on_cloud(self, raw: bytes) -> None:
        sec, nanosec = _STAMP.unpack_from(raw, _STAMP_AT)
        self._sent[sec * 10**9 + nanosec] = time.monotonic()

    def _on_fix(self, message: NavSatFix) -> None:
        self._fixes[_nanoseconds(message)] = (message, time.monotonic())

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        self._poses[_nanoseconds(message)] = message

    def _on_hypotheses(self, message: PoseArray) -> None:
        self._hypotheses[_nanoseconds(message)] = message

    def _on_tile(self, message: OccupancyGrid) -> None:
        self._tiles[_nanoseconds(message)] = message


@contextmanager
def recording(localizer: str = "/urban_map_loc") -> Iterator[Recorder]:
    """A recorder that listens in a thread and a context of its own while the block runs."""
    context = rclpy.Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    recorder = Recorder(context, localizer)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(recorder)
    thread = threading.Thread(target=executor.spin, name="recorder", daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        executor.shutdown()
        thread.join(5.0)
        recorder.destroy_node()
        rclpy.try_shutdown(context=context)


def _nanoseconds(message: NavSatFix | PoseWithCovarianceStamped | PoseArray | OccupancyGrid) -> StampNs:
    stamp = message.header.stamp
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def _estimate(message: PoseWithCovarianceStamped) -> PoseEstimate | None:
    position, q = message.pose.pose.position, message.pose.pose.orientation
    if not all(isfinite(v) for v in (position.x, position.y, q.z, q.w)):
        return None
    covariance = np.asarray(message.pose.covariance, dtype=np.float64).reshape(6, 6)[np.ix_(PLANAR, PLANAR)]
    return PoseEstimate(Pose2(position.x, position.y, yaw_of_quaternion(q.x, q.y, q.z, q.w)), covariance, float("nan"))


def _poses(message: PoseArray | None) -> NDArray[np.float64]:
    """`(K, 3)` east, north [m], yaw [rad]."""
    poses = [] if message is None else [(p.position, p.orientation) for p in message.poses]
    return np.array([(at.x, at.y, yaw_of_quaternion(q.x, q.y, q.z, q.w)) for at, q in poses]).reshape(-1, 3)
