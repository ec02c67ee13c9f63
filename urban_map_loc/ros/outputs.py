# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What goes out: a scan's answer, odometry in the map, the map itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from sensor_msgs.msg import NavSatFix
from std_msgs.msg import Header

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate
from urban_map_loc.ros import conversions, qos
from urban_map_loc.ros.worker import Correction, LocalizerLike

if TYPE_CHECKING:
    from urban_map_loc.ros.node import LocalizerNode

TYPES = {
    "~/fix": NavSatFix,
    "~/pose": PoseWithCovarianceStamped,
    "~/odometry": Odometry,
    "~/hypotheses": PoseArray,
    "~/tile": OccupancyGrid,
    "~/map": OccupancyGrid,
}


class Outputs:
    """Publishers from configure to clean-up; managed ones say nothing unless the node is active.

    Args:
        node: gives settings and clock.
        localizer: gives the map.
        broadcaster: of transforms, where there is one.
    """

    def __init__(self, node: LocalizerNode, localizer: LocalizerLike, broadcaster: Any | None) -> None:
        self._node, self._localizer, self.broadcaster = node, localizer, broadcaster
        self._shown: BuildingRaster | None = None
        self._publishers = {topic: node.create_lifecycle_publisher(kind, topic, **qos.publisher(topic)) for topic, kind in TYPES.items()}

    def close(self) -> None:
        """Close the topics."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def map(self, anew: bool = False) -> None:
        """The buildings about the car, kept for whoever comes later; said again only `anew`, or where they are of another region."""
        raster = self._localizer.raster
        if raster is self._shown and not anew:
            return
        self._shown = raster
        header = self._header(self._node.settings.map_frame, self._node.get_clock().now().to_msg())
        self._publish("~/map", conversions.building_grid(header, raster))

    def answer(self, stamp: Time, result: LocalizationResult) -> None:
        """The answer to a cloud of that stamp."""
        in_map = self._header(self._node.settings.map_frame, stamp)
        in_base = self._header(self._node.settings.base_frame, stamp)
        if result.estimate is not None:
            self._publish("~/pose", conversions.pose_with_covariance(in_map, result.estimate))
        if self._heard("~/hypotheses"):
            self._publish("~/hypotheses", conversions.pose_array(in_map, result.hypotheses))
        if result.tile is not None and self._heard("~/tile"):
            self._publish("~/tile", conversions.tile_grid(in_base, result.tile, self._localizer.grid))
        # Last: whoever sees a scan's fix has its pose as well.
        self._publish("~/fix", conversions.fix(in_base, self._localizer.area.plane, result.estimate))

    def odometry(self, source: Odometry, correction: Correction, estimate: PoseEstimate) -> None:
        """Odometry seen from the map, and the transform that makes it so."""
        settings = self._node.settings
        header = self._header(settings.map_frame, source.header.stamp)
        moved = conversions.odometry_in_map(header, source, estimate.T_map_base, estimate.covariance, settings.base_frame)
        self._publish("~/odometry", moved)
        if settings.publish_tf and self.broadcaster is not None:
            self.broadcaster.sendTransform(conversions.transform(header, settings.odom_frame, correction.T_map_odom))

    def _heard(self, topic: str) -> bool:
        """Whether anybody listens: pictures cost more than the rest of an answer."""
        return bool(self._publishers[topic].get_subscription_count())

    def _publish(self, topic: str, message: Any) -> None:
        self._publishers[topic].publish(message)

    @staticmethod
    def _header(frame: str, stamp: Time) -> Header:
        return Header(frame_id=frame, stamp=stamp)
