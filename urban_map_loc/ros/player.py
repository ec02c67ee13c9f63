# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Plays a bag's messages into ROS with their own timing and `/clock`, for machines without `ros2 bag`."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import import_module
from types import TracebackType
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock

from urban_map_loc.errors import ConfigurationError
from urban_map_loc.ros import qos
from urban_map_loc.ros.ahead import Message, read_ahead

# The clock ticks at least this often between messages [s], by the wall clock.
TICK_S = 0.01
# Subscribers get this long for what was published last [s].
LINGER_S = 0.5


class Player:
    """Publishers for a bag's topics, in a context of its own; use as a context manager.

    Args:
        topics: message type of each topic, such as `{"/odom": "nav_msgs/msg/Odometry"}`.
        latched: topics whose last messages are kept for subscribers that come later; `/tf_static` always is.

    Attributes:
        missing: topics whose message type is not installed here; they are not played.
        began: when the last play began, less what it was paused, by the monotonic clock [s].
        late_s: how much after its time each message of the last play was handed over [s].

    Raises:
        ConfigurationError: none of the topics can be played.
    """

    def __init__(self, topics: Mapping[str, str], latched: Collection[str] = ()) -> None:
        kinds = {topic: _message_class(kind) for topic, kind in topics.items()}
        self.missing = sorted(topic for topic, kind in kinds.items() if kind is None)
        if self.missing and len(self.missing) == len(kinds):
            raise ConfigurationError(f"the message types of {', '.join(self.missing)} are not installed; install their packages")
        self._context = rclpy.Context()
        # Signals stay Python's: an interrupted command ends as every other one does.
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node("urban_map_loc_player", context=self._context, use_global_arguments=False, start_parameter_services=False)
        self._clock = self._node.create_publisher(Clock, "/clock", qos.CLOCK)
        self._publishers: dict[str, Publisher] = {}
        self.began, self.late_s = 0.0, array("d")
        for topic, kind in kinds.items():
            if kind is not None:
                profile = qos.PLAYED_LATCHED if topic in latched or topic.endswith("/tf_static") else qos.PLAYED
                self._publishers[topic] = self._node.create_publisher(kind, topic, profile)

    def __enter__(self) -> Player:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def wait_for_subscribers(self, topics: Iterable[str], timeout_s: float) -> list[str]:
        """Wait until each of the topics that are played has a subscriber; those that have none after `timeout_s` [s]."""
        deadline = time.monotonic() + timeout_s
        lonely = [topic for topic in topics if topic in self._publishers]
        while lonely:
            lonely = [topic for topic in lonely if not self._publishers[topic].get_subscription_count()]
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        return lonely

    def play(
        self,
        messages: Iterable[Message],
        rate: float = 1.0,
        progress: Callable[[float], None] | None = None,
        paused: Callable[[], bool] = lambda: False,
        linger_s: float = LINGER_S,
    ) -> int:
        """Publish messages at their bag times, `rate` times as fast; returns how many.

        Args:
            messages: bag time [ns], topic, type and CDR bytes, in order of time. They are published as they are.
            rate: bag seconds per second.
            progress: called with the bag time since the first message [s].
            paused: asked at every tick; while it is true, neither messages nor the clock go on.
            linger_s: subscribers get this long for what was published last [s].
        """
        played, first_ns, self.late_s = 0, None, array("d")
        for bag_ns, topic, _, data in read_ahead(messages):
            if first_ns is None:
                first_ns, self.began = bag_ns, time.monotonic()
            self.late_s.append(self._run_clock(first_ns, bag_ns, rate, paused))
            publisher = self._publishers.get(topic)
            if publisher is not None:
                publisher.publish(data)
                played += 1
            if progress is not None:
                progress((bag_ns - first_ns) * 1e-9)
        time.sleep(linger_s if played else 0.0)
        return played

    def _run_clock(self, first_ns: int, bag_ns: int, rate: float, paused: Callable[[], bool]) -> float:
        """Tick until the message's time has come, and then say that time exactly; how late that is [s]."""
        after_s = (bag_ns - first_ns) * 1e-9 / rate
        while True:
            while paused():
                stopped = time.monotonic()
                time.sleep(TICK_S)
                self.began += time.monotonic() - stopped
            left = self.began + after_s - time.monotonic()
            if left <= TICK_S:
                break
            time.sleep(TICK_S)
            self._tick(min(bag_ns, first_ns + int((time.monotonic() - self.began) * rate * 1e9)))
        if left > 0.0:
            time.sleep(left)
        late_s = time.monotonic() - self.began - after_s
        self._tick(bag_ns)
        return late_s

    def _tick(self, bag_ns: int) -> None:
        self._clock.publish(Clock(clock=Time(sec=bag_ns // 10**9, nanosec=bag_ns % 10**9)))


def _message_class(kind: str) -> Any | None:
    """The class of a message type such as `nav_msgs/msg/Odometry`, None where its package is not installed."""
    package, *_, name = kind.split("/")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        return None
