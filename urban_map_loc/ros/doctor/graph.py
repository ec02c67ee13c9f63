# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What was heard of a running ROS graph, as plain data: checks need no ROS, and tests no waiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.extrinsic import FrameTree
from urban_map_loc.geometry.pose2 import Pose2

SECTORS = 72


@dataclass
class Input:
    """What was heard on one topic that the localizer takes.

    Attributes:
        topic: its full name.
        wanted: the type that the localizer takes.
        types: types that the graph knows of it.
        publishers: full names of the nodes that publish it.
        arrivals: times of arrival [s], by a clock that only goes forward.
        stamps: the messages' stamps [s].
        ages: ROS time at arrival less the stamp [s]; below 0 is the future.
        frames: header frame and child frame of the messages.
    """

    topic: str
    wanted: str
    types: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    arrivals: list[float] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    frames: set[tuple[str, str]] = field(default_factory=set)

    @property
    def rate_hz(self) -> float:
        """Messages a second, 0 where fewer than two came."""
        if len(self.arrivals) < 2 or self.arrivals[-1] <= self.arrivals[0]:
            return 0.0
        return (len(self.arrivals) - 1) / (self.arrivals[-1] - self.arrivals[0])


@dataclass
class Graph:
    """A ROS graph, listened to for a while.

    Attributes:
        localizer: full name of the localizer's node that was looked for.
        nodes: full names of all nodes, repeated where two bear one name.
        state: label of its lifecycle state; empty where it did not answer.
        parameters: its parameters; empty where it did not answer.
        clouds, odometry: its inputs.
        clock: whether /clock is published.
        sketches: of each cloud, what it looks like: `(SECTORS,)` ranges [m] of the nearest point that stands above the ground, NaN: none.
        same_bytes: whether all clouds had the same points, bit for bit; false with fewer than two.
        undecodable: why a cloud could not be read; empty: all could.
        poses: `T_odom_base` of each odometry message.
        static_frames: /tf_static; None where its message type is not installed.
        statuses: level, name and message of the localizer's newest /diagnostics.
        looked_for: whether the user named the localizer.
        area, model: the files to compare; as the user gave them, else as the parameters say; empty: not known.
    """

    localizer: str
    listened_s: float = 0.0
    nodes: tuple[str, ...] = ()
    state: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    clouds: Input = field(default_factory=lambda: Input("/points", "sensor_msgs/msg/PointCloud2"))
    odometry: Input = field(default_factory=lambda: Input("/odom", "nav_msgs/msg/Odometry"))
    clock: bool = False
    sketches: list[NDArray[np.float64]] = field(default_factory=list)
    same_bytes: bool = False
    undecodable: str = ""
    poses: list[Pose2] = field(default_factory=list)
    static_frames: FrameTree | None = None
    statuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    looked_for: bool = False
    area: str = ""
    model: str = ""

    @property
    def localizer_runs(self) -> bool:
        """Whether the localizer's node is in the graph."""
        return self.localizer in self.nodes

    @property
    def inputs(self) -> tuple[Input, Input]:
        """Clouds and odometry."""
        return self.clouds, self.odometry

    @property
    def moved_m(self) -> float:
        """How far odometry went [m]."""
        return sum(b.distance_to(a) for a, b in zip(self.poses, self.poses[1:], strict=False))


def sketch(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranges `(SECTORS,)` [m] of the nearest of `points (N, 3)` in each direction, of those 0.5 m or more above their lowest tenth."""
    ranges = np.full(SECTORS, np.inf)
    if len(points):
        high = points[points[:, 2] > np.quantile(points[:, 2], 0.1) + 0.5].astype(np.float64)
        sectors = ((np.arctan2(high[:, 1], high[:, 0]) + np.pi) / (2 * np.pi) * SECTORS).astype(np.int64) % SECTORS
        np.minimum.at(ranges, sectors, np.hypot(high[:, 0], high[:, 1]))
    ranges[np.isinf(ranges)] = np.nan
    return ranges
