# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reading bags: ours and those of `ros2 bag record` (mcap or sqlite3)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.bags.messages import (
    STATIC_FRAMES_TOPIC,
    STATIC_FRAMES_TYPE,
    fix_of,
    nanoseconds,
    pose_of,
    stamp_of,
    typestore,
)
from urban_map_loc.bags.storage import open_storage
from urban_map_loc.bags.topics import Topics
from urban_map_loc.bags.writer import TRUTH_FILE
from urban_map_loc.cloud.extrinsic import Extrinsic, FrameTree
from urban_map_loc.errors import BagError, ConfigurationError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory

log = logging.getLogger(__name__)


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
        path: the bag's folder, or a storage file of it.
        topics: message type of each topic.
        latched: topics whose last messages are kept for subscribers that come later.
        cloud_count: messages on the topic of clouds.
        start_s: bag time of the first message [s].
        duration_s: from there to the last message [s].
    """

    def __init__(self, path: Path, given: Mapping[str, str] | None = None) -> None:
        """Open the bag; one that is damaged or was cut off is read up to there, with a warning.

        Args:
            path: folder or storage file.
            given: the topic of an input (`points`, `odom` or `fix`) where it is neither the usual one nor the only one of its type.

        Raises:
            BagError: the bag is missing, is no bag, has nothing that can be read, is empty, or has not what is `given`.
        """
        self.path = path
        self._storage = open_storage(path)
        self._decoded: set[str] = set()
        self.topics, self.latched = self._storage.topics, self._storage.latched
        if not any(self._storage.counts.values()):
            raise BagError(f"{path} holds no message; record or simulate it again")
        self._inputs = Topics(path, self.topics, given or {})
        self.cloud_count = self._storage.counts.get(self._inputs.find("points") or "", 0)
        self.start_s = self._storage.start_ns / 1e9
        self.duration_s = (self._storage.end_ns - self._storage.start_ns) / 1e9

    def truth(self) -> Trajectory | None:
        """The true poses, None where the bag has none.

        Raises:
            BagError: truth.csv is damaged.
        """
        file = (self.path if self.path.is_dir() else self.path.parent) / TRUTH_FILE
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
            message = self._deserialized(topic, kind, data)
            for stamped in message.transforms if message else ():
                t, q = stamped.transform.translation, stamped.transform.rotation
                try:
                    T_parent_child = Extrinsic.from_quaternion((t.x, t.y, t.z), (q.x, q.y, q.z, q.w))
                except ConfigurationError as error:
                    raise BagError(f"{self.path}: on {topic}, {stamped.child_frame_id}: {error}") from error
                tree.add(stamped.header.frame_id, stamped.child_frame_id, T_parent_child)
        return tree

    def records(self, start_s: float = 0.0) -> Iterator[CloudRecord | OdometryRecord | FixRecord]:
        """Clouds, odometry and GNSS fixes in bag time order, from `start_s` [s] after the bag's start.

        Raises:
            BagError: clouds or odometry are missing or may be one of several, the bag ends before `start_s`, or nothing can be read.
        """
        points, odometry = self._inputs.require("points"), self._inputs.require("odom")
        self._require_start(start_s)
        fixes = self._inputs.optional("fix")
        for _, topic, kind, data in self._messages(tuple(filter(None, (points, odometry, fixes))), start_s):
            message = self._deserialized(topic, kind, data)
            if message is None:
                continue
            if topic == points:
                yield CloudRecord(stamp_of(message), message)
            elif topic == odometry:
                yield OdometryRecord(stamp_of(message), pose_of(message))
            elif fix := fix_of(message):
                yield FixRecord(stamp_of(message), *fix)

    def cloud_at(self, at_s: float) -> CloudRecord:
        """The first cloud from `at_s` [s] after the bag's start on.

        Raises:
            BagError: there are no clouds, none so late, or the bag is damaged.
        """
        points = self._inputs.require("points")
        if at_s >= 0.0:
            for _, topic, kind, data in self._messages((points,), at_s):
                if (message := self._deserialized(topic, kind, data)) is not None:
                    return CloudRecord(stamp_of(message), message)
        raise BagError(f"{self.path} has no cloud from {at_s:.1f} s on, it lasts {self.duration_s:.1f} s; choose a time within")

    def raw(self, start_s: float = 0.0) -> Iterator[tuple[int, str, str, bytes]]:
        """Bag time [ns], topic, message type and CDR bytes of every message in bag time order, from `start_s` [s] after the bag's start.

        Raises:
            BagError: nothing is left after `start_s`, or nothing can be read.
        """
        self._require_start(start_s)
        return self._messages((), start_s)

    def _require_start(self, start_s: float) -> None:
        if not 0.0 <= start_s <= self.duration_s:
            raise BagError(f"{self.path} lasts {self.duration_s:.1f} s, a start at {start_s:.1f} s is outside; start earlier")

    def _deserialized(self, topic: str, kind: str, data: bytes) -> Any:
        """The message, None (with a warning) where it is damaged but others of its topic were not.

        Raises:
            BagError: the topic's first message is damaged.
        """
        try:
            message = typestore().deserialize_cdr(data, kind)
        except Exception as error:  # a message cut short or of another layout fails in many ways
            text = f"{self.path}: a message on {topic} is damaged ({type(error).__name__})"
            if topic not in self._decoded:
                raise BagError(f"{text}; record it again") from error
            log.warning("%s; it is left out", text)
            return None
        self._decoded.add(topic)
        return message

    def _messages(self, topics: Collection[str], start_s: float) -> Iterator[tuple[int, str, str, bytes]]:
        return iter(self._storage.messages(topics, self._storage.start_ns + nanoseconds(start_s)))
