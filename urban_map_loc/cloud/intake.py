# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""CloudIntake: messages in, clouds in the base frame out; the node and `localize` take clouds in through the same one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from urban_map_loc.cloud.cloud import Cloud, WholeCloud
from urban_map_loc.cloud.decode import decode, decode_whole
from urban_map_loc.cloud.extrinsic import Extrinsic, FrameTree
from urban_map_loc.config import CloudConfig, NodeConfig
from urban_map_loc.errors import CloudError


class CloudIntake:
    """Which header frames are taken, and how their points get into the base frame.

    Attributes:
        frames: where sensors sit on the car as far as TF, or a bag's `/tf_static`, says; may grow while clouds come in.
    """

    def __init__(self, node: NodeConfig, cloud: CloudConfig, frames: FrameTree | None = None) -> None:
        """Read the extrinsic once.

        Raises:
            ConfigurationError: `extrinsic` is no six finite numbers.
        """
        self._node, self._cloud = node, cloud
        self._extrinsic = Extrinsic.from_xyz_rpy(node.extrinsic)
        self.frames = frames or FrameTree()

    def take(self, message: Any) -> Cloud:
        """The message's finite points in the base frame, see `decode`.

        Raises:
            CloudError: unknown frame or undecodable data; one line with the remedy.
        """
        T_base_sensor = self._T_base_sensor(str(message.header.frame_id))
        cloud = decode(message, self._cloud)
        return replace(cloud, points=T_base_sensor.apply(cloud.points), frame_id=self._node.base_frame)

    def take_whole(self, message: Any) -> WholeCloud:
        """All the message's points, finite or not, in the base frame and in their order; errors as of `take`."""
        T_base_sensor = self._T_base_sensor(str(message.header.frame_id))
        cloud = decode_whole(message, self._cloud)
        return replace(cloud, points=T_base_sensor.apply(cloud.points), frame_id=self._node.base_frame)

    def _T_base_sensor(self, frame: str) -> Extrinsic:
        """Where a frame is: as the parameters say, else as TF says."""
        node = self._node
        if node.sensor_frame and frame == node.sensor_frame:
            return self._extrinsic
        if frame == node.base_frame or frame in node.cloud_frames:
            return Extrinsic.identity()
        known = self.frames.find(node.base_frame, frame)
        if known is None:
            raise CloudError(
                f"cloud is in frame {frame!r}, whose place on the car is unknown; add it to parameter cloud_frames if its points are "
                f"in the base frame, else publish it on /tf_static, or set sensor_frame to it and extrinsic to its place"
            )
        return known
