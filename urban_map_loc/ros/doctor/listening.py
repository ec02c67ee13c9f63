# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Listens to a running ROS graph for a few seconds and writes down what it hears."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import GetState
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import PointCloud2

from urban_map_loc.cloud.decode import decode
from urban_map_loc.cloud.extrinsic import Extrinsic, FrameTree
from urban_map_loc.config import DoctorConfig
from urban_map_loc.errors import CloudError, ConfigurationError
from urban_map_loc.ros import qos
from urban_map_loc.ros.conversions import pose2_of_odometry, stamp_s
from urban_map_loc.ros.doctor.graph import Graph, Input, sketch

try:
    from tf2_msgs.msg import TFMessage
except ImportError:  # not to be had from pip
    TFMessage = None

# Best effort and volatile matches every publisher.
_ANY = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
# The parameters that checks ask for.
_PARAMETERS = ("use_sim_time", "area", "model", "odom_frame", "base_frame", "cloud_frames", "sensor_frame", "extrinsic")


class Listener:
    """A node that listens and asks; use as a context manager.

    Args:
        localizer: full name of the localizer's node, such as `/urban_map_loc`.
        config: how long to wait for what.
    """

    def __init__(self, localizer: str, config: DoctorConfig) -> None:
        self._config = config
        self._context = rclpy.Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node(
            f"urban_map_loc_doctor_listens_{os.getpid()}", context=self._context, use_global_arguments=False, start_parameter_services=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._time: Callable[[], float] = time.time
        self._digests: set[bytes] = set()
        self.graph = Graph(localizer)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def hear(self) -> Graph:
        """Discover, ask the localizer, listen."""
        graph = self.graph
        self._spin(self._config.discovery_s, until=lambda: graph.localizer in self._node_names())
        graph.nodes = self._node_names()
        if graph.localizer_runs:
            self._ask()
            self._find_inputs()
        self._subscribe()
        began = time.monotonic()
        self._spin(self._config.listen_s)
        graph.listened_s = time.monotonic() - began
        for heard in graph.inputs:
            self._look_up(heard)
        return graph

    def _spin(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        deadline = time.monotonic() + seconds
        while not until() and time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.02)

    def _node_names(self) -> tuple[str, ...]:
        names = (f"{namespace.rstrip('/')}/{name}" for name, namespace in self._node.get_node_names_and_namespaces())
        return tuple(sorted(name for name in names if "/urban_map_loc_doctor_" not in name))

    def _ask(self) -> None:
        """State and parameters."""
        name = self.graph.localizer
        state = self._call(GetState, f"{name}/get_state", GetState.Request())
        self.graph.state = state.current_state.label if state is not None else ""
        listed = self._call(ListParameters, f"{name}/list_parameters", ListParameters.Request())
        known = [n for n in _PARAMETERS if listed is not None and n in listed.result.names]
        answer = self._call(GetParameters, f"{name}/get_parameters", GetParameters.Request(names=known)) if known else None
        if answer is not None:
            values = zip(known, answer.values, strict=True)
            self.graph.parameters = {n: _plain(v) for n, v in values if v.type != ParameterType.PARAMETER_NOT_SET}

    def _call(self, kind: Any, name: str, request: Any) -> Any | None:
        client = self._node.create_client(kind, name)
        try:
            self._spin(self._config.answer_s, until=client.service_is_ready)
            if not client.service_is_ready():
                return None
            future = client.call_async(request)
            self._spin(self._config.answer_s, until=future.done)
            return future.result() if future.done() else None
        finally:
            self._node.destroy_client(client)

    def _find_inputs(self) -> None:
        """The topics that the localizer has subscribed to, whatever they were remapped to."""
        namespace, _, name = self.graph.localizer.rpartition("/")
        for topic, kinds in self._node.get_subscriber_names_and_types_by_node(name, namespace or "/"):
            for heard in self.graph.inputs:
                if heard.wanted in kinds:
                    heard.topic = topic

    def _look_up(self, heard: Input) -> None:
        heard.types = tuple(dict(self._node.get_topic_names_and_types()).get(heard.topic, ()))
        infos = self._node.get_publishers_info_by_topic(heard.topic)
        heard.publishers = tuple(f"{i.node_namespace.rstrip('/')}/{i.node_name}" for i in infos)

    def _subscribe(self) -> None:
        topics, node = dict(self._node.get_topic_names_and_types()), self._node
        for heard, kind, on_message in (
            (self.graph.clouds, PointCloud2, self._on_cloud),
            (self.graph.odometry, Odometry, self._on_odometry),
        ):
            # A subscription of another type than the publisher's would hear nothing, and warn of it.
            if set(topics.get(heard.topic, ())) <= {heard.wanted}:
                node.create_subscription(kind, heard.topic, on_message, _ANY)
        self.graph.clock = bool(node.get_publishers_info_by_topic("/clock"))
        if self.graph.clock:
            self._time = lambda: float("nan")  # until it ticks
            node.create_subscription(Clock, "/clock", self._on_clock, _ANY)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.ANSWERS)
        if TFMessage is not None:
            self.graph.static_frames = FrameTree()
            node.create_subscription(TFMessage, "/tf_static", self._on_static_frames, qos.PLAYED_LATCHED)

    def _note(self, heard: Input, message: Any, child: str) -> None:
        stamp = stamp_s(message.header)
        heard.arrivals.append(time.monotonic())
        heard.stamps.append(stamp)
        heard.ages.append(self._time() - stamp)
        heard.frames.add((message.header.frame_id, child))

    def _on_cloud(self, message: PointCloud2) -> None:
        self._note(self.graph.clouds, message, "")
        self._digests.add(sha256(message.data).digest())
        self.graph.same_bytes = len(self._digests) == 1 and len(self.graph.clouds.stamps) > 1
        try:
            self.graph.sketches.append(sketch(decode(message).points))
        except CloudError as error:
            self.graph.undecodable = str(error)

    def _on_odometry(self, message: Odometry) -> None:
        self._note(self.graph.odometry, message, message.child_frame_id)
        with suppress(ValueError):  # the localizer refuses it as well, and says why on /diagnostics
            self.graph.poses.append(pose2_of_odometry(message))

    def _on_clock(self, message: Clock) -> None:
        now = float(message.clock.sec) + float(message.clock.nanosec) * 1e-9
        self._time = lambda: now

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if "urban_map_loc" in f"{status.name} {status.hardware_id}":
                self.graph.statuses[status.name] = (status.level[0], status.message)

    def _on_static_frames(self, message: Any) -> None:
        assert self.graph.static_frames is not None
        for t in message.transforms:
            p, q = t.transform.translation, t.transform.rotation
            try:
                placed = Extrinsic.from_quaternion((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
            except ConfigurationError:
                continue  # no pose: as if it had not been said
            self.graph.static_frames.add(t.header.frame_id, t.child_frame_id, placed)


def _plain(value: Any) -> Any:
    found = parameter_value_to_python(value)
    return tuple(found) if hasattr(found, "__len__") and not isinstance(found, str) else found
