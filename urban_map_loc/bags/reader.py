"""Reading bags: ours and those of `ros2 bag record` (mcap or sqlite3)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import Reader

from urban_map_loc.bags.messages import (
    CLOUD_TYPE,
    FIX_TOPIC,
    FIX_TYPE,
    ODOMETRY_TOPIC,
    ODOMETRY_TYPE,
    POINTS_TOPIC,
    STATIC_FRAMES_TOPIC,
    STATIC_FRAMES_TYPE,
    fix_of,
    nanoseconds,
    pose_of,
    stamp_of,
    typestore,
)
from urban_map_loc.bags.writer import METADATA_FILE, TRUTH_FILE
from urban_map_loc.cloud.extrinsic import Extrinsic, FrameTree
from urban_map_loc.errors import BagError, ConfigurationError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class CloudRecord:
    """A PointCloud2 (as rosbags deserialises it) with its header stamp [s]."""

    stamp_s: float
    message: Any


@dataclass(frozen=True)
class OdometryRecord:
    """A planar odometry pose with its header stamp [s]."""

    stamp_s: float
    T_odom_base: Pose2


@dataclass(frozen=True, eq=False)
class FixRecord:
    """A GNSS fix with its header stamp [s]: WGS84 degrees and covariance `(2, 2)` of east and north [m2], None where not stated."""

    stamp_s: float
    lat_deg: float
    lon_deg: float
    covariance: NDArray[np.float64] | None


class BagReader:
    """A bag's topics, times, records and truth.

    Attributes:
        path: the bag's folder.
        topics: message type of each topic.
        cloud_count: messages on /points.
        start_s: bag time of the first message [s].
        duration_s: from there to the last message [s].

    Raises:
        BagError: the folder is missing, is no bag, is damaged or is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / METADATA_FILE).is_file():
            cause = "has no metadata.yaml, so it is no rosbag2 folder" if path.is_dir() else "does not exist"
            raise BagError(f"{path} {cause}; give the folder that `ros2 bag record`, `simulate` or `convert` made")
        with self._open() as reader:
            self.topics: dict[str, str] = {c.topic: c.msgtype for c in reader.connections}
            if reader.message_count == 0:
                raise BagError(f"{path} holds no message; record or simulate it again")
            self.cloud_count = sum(c.msgcount for c in reader.connections if c.topic == POINTS_TOPIC)
            self.start_s = reader.start_time / 1e9
            self.duration_s = reader.duration / 1e9

    @contextmanager
    def _open(self) -> Iterator[Reader]:
        """The open bag; whatever rosbags raises on damaged data becomes a BagError."""
        try:
            with Reader(self.path) as reader:
                yield reader
        except BagError:
            raise
        except OSError as error:
            raise BagError(f"{self.path} cannot be read: {error.strerror or error}; check the disk and the permissions") from error
        except Exception as error:  # rosbags lets errors of struct, yaml, zstd and its own through
            cause = f"{type(error).__name__} {error}".strip().replace("\n", " ")
            raise BagError(f"{self.path} is damaged or was not closed ({cause}); copy or record it again") from error

    def truth(self) -> Trajectory | None:
        """The true poses, None where the bag has none.

        Raises:
            BagError: truth.csv is damaged.
        """
        file = self.path / TRUTH_FILE
        return Trajectory.read_csv(file) if file.is_file() else None

    def frames(self) -> FrameTree:
        """Where sensors sit on the car, from `/tf_static`; empty where the bag has none.

        Raises:
            BagError: the bag is damaged, or a transform in it is none.
        """
        tree = FrameTree()
        if self.topics.get(STATIC_FRAMES_TOPIC) != STATIC_FRAMES_TYPE:
            return tree
        for _, topic, kind, data in self._messages((STATIC_FRAMES_TOPIC,), 0.0):
            for stamped in self._deserialized(topic, kind, data).transforms:
                t, q = stamped.transform.translation, stamped.transform.rotation
                try:
                    T_parent_child = Extrinsic.from_quaternion((t.x, t.y, t.z), (q.x, q.y, q.z, q.w))
                except ConfigurationError as error:
                    raise BagError(f"{self.path}: on {topic}, {stamped.child_frame_id}: {error}") from error
                tree.add(stamped.header.frame_id, stamped.child_frame_id, T_parent_child)
        return tree

    def records(self, start_s: float = 0.0) -> Iterator[CloudRecord | OdometryRecord | FixRecord]:
        """Clouds of /points, poses of /odom and fixes of /gnss/fix in bag time order, from `start_s` [s] after the bag's start.

        Raises:
            BagError: one of the two topics is missing or has another type, nothing is left after `start_s`, or the bag is damaged.
        """
        self._require({POINTS_TOPIC: CLOUD_TYPE, ODOMETRY_TOPIC: ODOMETRY_TYPE})
        if not 0.0 <= start_s <= self.duration_s:
            raise BagError(f"{self.path} lasts {self.duration_s:.1f} s, a start at {start_s:.1f} s is outside; start earlier")
        fixes = (FIX_TOPIC,) if self.topics.get(FIX_TOPIC) == FIX_TYPE else ()
        for _, topic, kind, data in self._messages((POINTS_TOPIC, ODOMETRY_TOPIC, *fixes), start_s):
            message = self._deserialized(topic, kind, data)
            if topic == POINTS_TOPIC:
                yield CloudRecord(stamp_of(message), message)
            elif topic == ODOMETRY_TOPIC:
                yield OdometryRecord(stamp_of(message), pose_of(message))
            elif fix := fix_of(message):
                yield FixRecord(stamp_of(message), *fix)

    def cloud_at(self, at_s: float) -> CloudRecord:
        """The first cloud of /points from `at_s` [s] after the bag's start on.

        Raises:
            BagError: there are no clouds, none so late, or the bag is damaged.
        """
        self._require({POINTS_TOPIC: CLOUD_TYPE})
        if at_s >= 0.0:
            for _, topic, kind, data in self._messages((POINTS_TOPIC,), at_s):
                message = self._deserialized(topic, kind, data)
                return CloudRecord(stamp_of(message), message)
        raise BagError(f"{self.path} has no cloud from {at_s:.1f} s on, it lasts {self.duration_s:.1f} s; choose a time within")

    def raw(self) -> Iterator[tuple[int, str, str, bytes]]:
        """Bag time [ns], topic, message type and CDR bytes of every message in bag time order.

        Raises:
            BagError: the bag is damaged.
        """
        return self._messages((), 0.0)

    def _require(self, kinds: dict[str, str]) -> None:
        """Refuse a bag without these topics of these types."""
        for topic, kind in kinds.items():
            if self.topics.get(topic) != kind:
                known = ", ".join(sorted(self.topics))
                raise BagError(f"{self.path} has no {topic} of type {kind}, only {known}; record it with {' and '.join(kinds)}")

    def _deserialized(self, topic: str, kind: str, data: bytes) -> Any:
        try:
            return typestore().deserialize_cdr(data, kind)
        except Exception as error:  # a message cut short or of another layout fails in many ways
            raise BagError(f"{self.path}: a message on {topic} is damaged ({type(error).__name__}); record it again") from error

    def _messages(self, topics: Collection[str], start_s: float) -> Iterator[tuple[int, str, str, bytes]]:
        with self._open() as reader:
            wanted = [c for c in reader.connections if c.topic in topics] if topics else reader.connections
            for connection, time_ns, data in reader.messages(wanted, start=reader.start_time + nanoseconds(start_s)):
                yield time_ns, connection.topic, connection.msgtype, bytes(data)
