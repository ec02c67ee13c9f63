# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writing bags: a rosbag2 folder (mcap) that `ros2 bag play` of Jazzy reads, with truth.csv where the truth is known."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rosbags.rosbag2 import StoragePlugin, Writer

from urban_map_loc.bags.messages import (
    CLOUD_TYPE,
    FIX_TOPIC,
    FIX_TYPE,
    ODOMETRY_TOPIC,
    ODOMETRY_TYPE,
    POINTS_TOPIC,
    cloud_message,
    fix_message,
    nanoseconds,
    odometry_message,
    typestore,
)
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.output import final_folder

TRUTH_FILE = "truth.csv"
METADATA_FILE = "metadata.yaml"


class BagWriter:
    """Context manager; the folder appears under its name only when the block ends without an exception.

    Raises:
        OutputError: on entering, where `path` cannot be written or holds something that is no bag.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack = ExitStack()

    def __enter__(self) -> BagWriter:
        with ExitStack() as stack:
            self._folder = stack.enter_context(final_folder(self.path, METADATA_FILE))
            stack.push(self._lift)
            self._writer = stack.enter_context(Writer(self._folder / self.path.name, version=9, storage_plugin=StoragePlugin.MCAP))
            self._connections = {
                topic: self._writer.add_connection(topic, kind, typestore=typestore())
                for topic, kind in ((POINTS_TOPIC, CLOUD_TYPE), (ODOMETRY_TOPIC, ODOMETRY_TYPE))  # others come with their first message
            }
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def _lift(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Move the closed files up: rosbags names the storage file after its folder, so that has the final name."""
        if kind is None:
            inner = self._folder / self.path.name
            for file in inner.iterdir():
                file.rename(self._folder / file.name)
            inner.rmdir()

    def write_cloud(
        self,
        stamp_s: float,
        points: NDArray[np.floating],
        *,
        intensity: ArrayLike | None = None,
        label: ArrayLike | None = None,
        ring: ArrayLike | None = None,
        time: ArrayLike | None = None,
        frame_id: str = "base_link",
    ) -> None:
        """Write points `(N, 3)` [m], given in `frame_id`, to /points; intensity, label, ring and time after the stamp [s] `(N,)`."""
        self._write(POINTS_TOPIC, stamp_s, cloud_message(stamp_s, points, intensity, label, frame_id, ring=ring, time=time))

    def write_odometry(self, stamp_s: float, T_odom_base: Pose2, *, velocity: tuple[float, float] = (0.0, 0.0)) -> None:
        """Write a pose to /odom; velocity is forward [m/s] and turn rate [rad/s]."""
        self._write(ODOMETRY_TOPIC, stamp_s, odometry_message(stamp_s, T_odom_base, velocity))

    def write_fix(self, stamp_s: float, lat_deg: float, lon_deg: float, covariance: NDArray[np.float64]) -> None:
        """Write a GNSS fix of base_link with the covariance `(2, 2)` of east and north [m2] to /gnss/fix."""
        if FIX_TOPIC not in self._connections:
            self._connections[FIX_TOPIC] = self._writer.add_connection(FIX_TOPIC, FIX_TYPE, typestore=typestore())
        self._write(FIX_TOPIC, stamp_s, fix_message(stamp_s, lat_deg, lon_deg, covariance, "base_link"))

    def write_truth(self, trajectory: Trajectory) -> None:
        """Write the true poses beside the messages."""
        trajectory.write_csv(self._folder / TRUTH_FILE)

    def _write(self, topic: str, stamp_s: float, message: Any) -> None:
        connection = self._connections[topic]
        self._writer.write(connection, nanoseconds(stamp_s), typestore().serialize_cdr(message, connection.msgtype))
