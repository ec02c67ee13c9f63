# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What comes in, while the node is active: looked at, put in order, and handed to the worker. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
from sensor_msgs.msg import NavSatFix, PointCloud2

from urban_map_loc.errors import ConfigurationError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.gnss_monitor import GnssFix
from urban_map_loc.localization.odometry import OdometryBuffer
from urban_map_loc.ros import conversions, frames, qos
from urban_map_loc.ros.chronology import Chronology, Order
from urban_map_loc.ros.health import Health, InputWatch
from urban_map_loc.ros.outputs import Outputs
from urban_map_loc.ros.worker import LocalizerLike, Worker

if TYPE_CHECKING:
    from urban_map_loc.ros.node import LocalizerNode

# Complaints that every message repeats are logged this often [s].
REPEAT_S = 5.0


class Inputs:
    """Subscriptions from activate to deactivate.

    Args:
        node: gives settings, clock and log.
        localizer: gives the area; the worker alone may use the rest of it.
        worker: takes what comes in.
        outputs: takes odometry in the map, at once.
        health: is told of everything.
        order: of stamps; it outlives a pause, in which a bag may have been restarted.
    """

    def __init__(
        self, node: LocalizerNode, localizer: LocalizerLike, worker: Worker, outputs: Outputs, health: Health, order: Chronology
    ) -> None:
        self._node, self._area = node, localizer.area
        self._worker, self._outputs, self._health = worker, outputs, health
        self._order = order
        self._steady = OdometryBuffer(node.tuning.fusion)  # of this thread, to see a jump before the worker does
        # The newest of each that was left out: the first of a new time, should it turn out to be one.
        self._held: tuple[float, Pose2] | None = None
        self._held_cloud: tuple[float, bytes] | None = None
        self._fix_s = -inf
        # Raw: a cloud that is dropped is never deserialised, and the one that is used is so in the worker's thread.
        self._subscriptions = [
            self._clouds(),
            node.create_subscription(Odometry, "odom", self._on_odometry, **qos.subscription("odom")),
            node.create_subscription(NavSatFix, "gnss/fix", self._on_fix, **qos.subscription("gnss/fix")),
            node.create_subscription(PoseWithCovarianceStamped, "initialpose", self._on_guess, **qos.subscription("initialpose")),
        ]
        if (kind := frames.static_message()) is not None:
            static = node.create_subscription(kind, "/tf_static", self._on_frames, **qos.subscription("/tf_static"))
            self._subscriptions.append(static)

    def close(self) -> None:
        """Hear nothing any more."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def tune(self) -> None:
        """Take the node's settings as they are now."""
        self._steady.config = self._node.tuning.fusion

    def _clouds(self) -> Any:
        make: Callable[..., Any] = self._node.create_subscription
        try:
            events = SubscriptionEventCallbacks(message_lost=self._on_lost)
            return make(PointCloud2, "points", self._on_cloud, raw=True, event_callbacks=events, **qos.subscription("points"))
        except UnsupportedEventTypeError:  # this middleware does not tell what it loses
            return make(PointCloud2, "points", self._on_cloud, raw=True, **qos.subscription("points"))

    def _on_lost(self, lost: Any) -> None:
        self._health.lost_by_dds = int(lost.total_count)

    def _on_cloud(self, raw: bytes) -> None:
        try:
            stamp_s = conversions.stamp_in(raw)
        except ValueError as error:
            self._refuse(self._health.points, str(error))
            return
        self._saw(self._health.points, stamp_s)
        order = self._order.cloud(stamp_s)
        if order is Order.OLD:
            self._held_cloud = (stamp_s, raw)
            self._refuse(self._health.points, f"cloud of {stamp_s:.3f} s is not newer than the one before; do the sensor's stamps run?")
            return
        if order is Order.RESTART:
            self._restart(stamp_s)
        self._held_cloud = None
        self._worker.offer_cloud(raw)

    def _on_odometry(self, message: Odometry) -> None:
        watch, stamp_s = self._health.odometry, conversions.stamp_s(message.header)
        self._saw(watch, stamp_s)
        try:
            T_odom_base = conversions.pose2_of_odometry(message)
        except ValueError as error:
            self._refuse(watch, str(error))
            return
        watch.complaint = self._other_frame(message)
        order = self._order.odometry(stamp_s)
        if order is Order.OLD:
            self._held = (stamp_s, T_odom_base)
            self._refuse(watch, f"odometry of {stamp_s:.3f} s is not newer than {self._order.newest_s:.3f} s, or far ahead of it")
            return
        if order is Order.RESTART:
            self._restart(stamp_s)
        if not self._steady.add(stamp_s, T_odom_base):
            self._worker.distrust()
        self._worker.offer_odometry(stamp_s, T_odom_base)
        if correction := self._worker.correction:
            self._outputs.odometry(message, correction, correction.at(T_odom_base, self._node.tuning.fusion))

    def _restart(self, stamp_s: float) -> None:
        """Time began anew, about a stamp [s]: nothing known is of use."""
        self._steady.clear()
        self._fix_s = -inf
        self._worker.request_reset(f"time went back by {self._order.went_back_s:.1f} s")
        jump_s = self._order.jump_s
        if self._held is not None and abs(self._held[0] - stamp_s) <= jump_s:
            self._worker.offer_odometry(*self._held)
        if self._held_cloud is not None and abs(self._held_cloud[0] - stamp_s) <= jump_s:
            self._worker.offer_cloud(self._held_cloud[1])
        self._held = self._held_cloud = None

    def _other_frame(self, message: Odometry) -> str:
        settings = self._node.settings
        for name, wanted, given in (
            ("odom_frame", settings.odom_frame, message.header.frame_id),
            ("base_frame", settings.base_frame, message.child_frame_id),
        ):
            if given and given.lstrip("/") != wanted:
                return f"odometry is of frame {given!r}, parameter {name} is {wanted!r}; make them the same"
        return ""

    def _on_guess(self, message: PoseWithCovarianceStamped) -> None:
        try:
            prior = conversions.prior_of(message, self._node.settings.map_frame)
            (west, south, east, north), reach_m = self._area.bounds, self._node.tuning.prior.largest_reach_m
            x, y = prior.T_map_base.x, prior.T_map_base.y
            if not (west - reach_m <= x <= east + reach_m and south - reach_m <= y <= north + reach_m):
                raise ValueError(f"initialpose {x:.0f} m east, {y:.0f} m north is outside the area; is it meant for another one?")
        except ValueError as error:
            self._health.last_guess = str(error)
            self._node.get_logger().warning(f"refused: {error}")
            return
        self._node.get_logger().info(f"looking about {x:.1f} m east, {y:.1f} m north, as initialpose says")
        stamp_s = conversions.stamp_s(message.header)
        self._worker.offer_guess(prior, stamp_s or None)

    def _on_fix(self, message: NavSatFix) -> None:
        watch, stamp_s = self._health.fixes, conversions.stamp_s(message.header)
        self._saw(watch, stamp_s)
        tuning = self._node.tuning
        try:
            position = conversions.position_of_fix(message, self._area.plane, self._node.settings.gnss_reach_m)
            if position is None or self._order.newest_s == -inf:  # a fix cannot be placed without odometry
                return
            if stamp_s <= self._fix_s:
                raise ValueError(f"gnss/fix of {stamp_s:.3f} s is not newer than the one before; check the receiver's stamps")
            ahead_s = stamp_s - self._order.newest_s
            if not -tuning.fusion.odometry_buffer_s <= ahead_s <= self._node.settings.time_jump_s:
                raise ValueError(f"gnss/fix is {ahead_s:.1f} s ahead of odometry; do their clocks agree?")
        except ValueError as error:
            self._refuse(watch, str(error))
            return
        self._fix_s = stamp_s
        self._worker.offer_fix(GnssFix.stated(stamp_s, position, conversions.covariance_of_fix(message), tuning.gnss))

    def _on_frames(self, message: Any) -> None:
        for stamped in message.transforms:
            try:
                frames.add_transform(self._node.frames, stamped)
            except ConfigurationError as error:
                self._node.get_logger().warning(str(error))

    def _saw(self, watch: InputWatch, stamp_s: float) -> None:
        watch.saw(self._node.get_clock().now().nanoseconds * 1e-9 - stamp_s)

    def _refuse(self, watch: InputWatch, reason: str) -> None:
        watch.refuse(reason)
        self._node.get_logger().warning(reason, throttle_duration_sec=REPEAT_S)
