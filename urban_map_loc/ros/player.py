"""Plays a bag's messages into ROS with their own timing and `/clock`, for machines without `ros2 bag`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
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

# The clock ticks at least this often between messages [s], by the wall clock.
TICK_S = 0.01
# Subscribers get this long for what was published last [s].
LINGER_S = 0.5


class Player:
    """Publishers for a bag's topics, in a context of its own; use as a context manager.

    Args:
        topics: message type of each topic, such as `{"/odom": "nav_msgs/msg/Odometry"}`.

    Attributes:
        missing: topics whose message type is not installed here; they are not played.

    Raises:
        ConfigurationError: none of the topics can be played.
    """

    def __init__(self, topics: Mapping[str, str]) -> None:
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
        for topic, kind in kinds.items():
            if kind is not None:
                profile = qos.PLAYED_LATCHED if topic.endswith("/tf_static") else qos.PLAYED
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
        self, messages: Iterable[tuple[int, str, str, bytes]], rate: float = 1.0, progress: Callable[[float], None] | None = None
    ) -> int:
        """Publish messages at their bag times, `rate` times as fast; returns how many.

        Args:
            messages: bag time [ns], topic, type and CDR bytes, in order of time. They are published as they are.
            rate: bag seconds per second.
            progress: called with the bag time since the first message [s].
        """
        played, first_ns, began = 0, None, time.monotonic()
        for bag_ns, topic, _, data in messages:
            if first_ns is None:
                first_ns = bag_ns
            self._run_clock(began, first_ns, bag_ns, rate)
            publisher = self._publishers.get(topic)
            if publisher is not None:
                publisher.publish(data)
                played += 1
            if progress is not None:
                progress((bag_ns - first_ns) * 1e-9)
        time.sleep(LINGER_S if played else 0.0)
        return played

    def _run_clock(self, began: float, first_ns: int, bag_ns: int, rate: float) -> None:
        """Tick until the message's time has come, and then say that time exactly."""
        due = began + (bag_ns - first_ns) * 1e-9 / rate
        while (left := due - time.monotonic()) > TICK_S:
            time.sleep(TICK_S)
            self._tick(min(bag_ns, first_ns + int((time.monotonic() - began) * rate * 1e9)))
        if left > 0.0:
            time.sleep(left)
        self._tick(bag_ns)

    def _tick(self, bag_ns: int) -> None:
        self._clock.publish(Clock(clock=Time(sec=bag_ns // 10**9, nanosec=bag_ns % 10**9)))


def _message_class(kind: str) -> Any | None:
    """The class of a message type such as `nav_msgs/msg/Odometry`, None where its package is not installed."""
    package, *_, name = kind.split("/")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        return None
