# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A workbench for node tests: a localizer that locks when told to, and a node that feeds and listens over real DDS."""

from __future__ import annotations

import time
from array import array

import numpy as np
import shapely
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseArray, PoseWithCovarianceStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import NavSatFix, NavSatStatus, PointCloud2, PointField
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import LocalizerConfig, RasterConfig, TileConfig
from urban_map_loc.geometry.geodesy import GeoPoint
from urban_map_loc.geometry.pose2 import Pose2, quaternion_of_yaw
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate, State
from urban_map_loc.ros import qos
from urban_map_loc.ros.node import LocalizerNode
from urban_map_loc.tile.from_cloud import BuildingTile
from urban_map_loc.tile.grid import TileGrid

T_MAP_ODOM = Pose2(10.0, 20.0, np.pi / 2)
TOO_OLD_S = 0.5  # the fake localizer refuses guesses of this stamp
COVARIANCE = np.array([[0.25, 0.1, 0.01], [0.1, 0.5, 0.02], [0.01, 0.02, 0.04]])


def one_block() -> AreaMap:
    """One building and one road near Oxford."""
    building = shapely.box(-1.2601, 51.7599, -1.2599, 51.7601)
    road = shapely.LineString([(-1.261, 51.7597), (-1.259, 51.7597)])
    return AreaMap(
        GeoPoint(51.76, -1.26), np.array([building]), np.array([np.nan]), np.array(["way/1"]), np.array([road]), np.array(["residential"])
    )


class FakeLocalizer:
    """Locks at the third cloud, always with the same correction; remembers what it was given."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.config = LocalizerConfig()
        self.area = one_block()
        self.raster = BuildingRaster.from_area(self.area, RasterConfig())
        self.grid = TileGrid(TileConfig())
        self.delay_s = delay_s
        self.resets: list[str] = []
        self.clouds: list = []
        self.odometry: list = []
        self.guesses: list = []
        self.fixes: list = []
        self._used = 0

    @property
    def state(self):
        return State.LOCKED if self._used >= 3 else State.INITIALIZING

    @property
    def T_map_odom(self):
        return T_MAP_ODOM if self._used >= 3 else None

    def add_odometry(self, stamp_s, T_odom_base):
        self.odometry.append((stamp_s, T_odom_base))

    def add_prior(self, prior, stamp_s=None):
        self.guesses.append((prior, stamp_s))
        return "too old" if stamp_s == TOO_OLD_S else ""

    def add_gnss(self, fix):
        self.fixes.append(fix)

    def add_cloud(self, cloud, single_scan=False):
        time.sleep(self.delay_s)
        self.clouds.append(cloud)
        if not self.odometry or self.odometry[-1][0] < cloud.stamp_s - 0.5:
            return self.skip(cloud.stamp_s, "no odometry within 0.5 s; check the topic odom")
        self._used += 1
        estimate = None
        if self.state is State.LOCKED:
            estimate = PoseEstimate(T_MAP_ODOM @ self.odometry[-1][1], COVARIANCE, 0.9)
        hits, free = np.zeros((2, 96, 96), np.uint8)
        hits[0, 0] = free[0, 1] = 1
        tile = BuildingTile(hits, free)
        return LocalizationResult(cloud.stamp_s, self.state, "fake", estimate=estimate, hypotheses=np.array([[1.0, 2.0, 0.5]]), tile=tile)

    def skip(self, stamp_s, reason):
        return LocalizationResult(stamp_s, self.state, reason, skipped=True)

    def reset(self, reason):
        self.resets.append(reason)
        self._used = 0


def time_of(stamp_s: float) -> Time:
    ns = round(stamp_s * 1e9)
    return Time(sec=ns // 10**9, nanosec=ns % 10**9)


def cloud_message(stamp_s: float, points=None, frame_id="base_link", names="xyz") -> PointCloud2:
    """A cloud of float32 fields; ten points unless given."""
    points = np.ones((10, len(names)), np.float32) if points is None else np.asarray(points, np.float32)
    fields = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate(names)]
    step = 4 * len(names)
    return PointCloud2(
        header=Header(stamp=time_of(stamp_s), frame_id=frame_id),
        height=1,
        width=len(points),
        fields=fields,
        point_step=step,
        row_step=step * len(points),
        data=array("B", points.tobytes()),
    )


def odometry_message(stamp_s: float, x=0.0, y=0.0, yaw=0.0) -> Odometry:
    message = Odometry(header=Header(stamp=time_of(stamp_s), frame_id="odom"), child_frame_id="base_link")
    message.pose.pose.position.x, message.pose.pose.position.y = float(x), float(y)
    q = message.pose.pose.orientation
    q.x, q.y, q.z, q.w = quaternion_of_yaw(yaw)
    message.twist.twist.linear.x = 3.0
    return message


class Bench:
    """The localizer node and a node that plays sensor and user, both served by `spin_until`."""

    OUTPUTS = (
        ("~/fix", NavSatFix), ("~/pose", PoseWithCovarianceStamped), ("~/odometry", Odometry), ("~/hypotheses", PoseArray),
        ("~/tile", OccupancyGrid), ("~/map", OccupancyGrid), ("/diagnostics", DiagnosticArray),
    )  # fmt: skip

    def __init__(
        self, context, localizer: FakeLocalizer, *, start=True, namespace="", name="urban_map_loc", remap=(), executor=None, **parameters
    ) -> None:
        # Tests wait for the next status many times.
        parameters = {"area": "a.gpkg", "model": "m.safetensors", "diagnostics.period_s": 0.05, **parameters}
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.loaded: list = []

        def load(area, model, config):
            self.loaded.append((area, model, config))
            return localizer

        self.localizer = localizer

        def tune(tuned, config):
            tuned.config = config

        rules = [word for rule in (*remap, f"__node:={name}") for word in ("-r", rule)]
        named = {"cli_args": ["--ros-args", *rules], "namespace": namespace}
        self.node = LocalizerNode(load, tune, context=context, parameter_overrides=overrides, **named)
        self.peer = Node("peer", context=context, namespace=namespace)
        self.executor = executor or SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.executor.add_node(self.peer)
        self.got: dict[str, list] = {topic: [] for topic, _ in self.OUTPUTS}
        for topic, kind in self.OUTPUTS:
            profile = qos.LATCHED if topic == "~/map" else qos.ANSWERS
            full = topic.replace("~", f"{namespace}/{name}") if topic[0] == "~" else topic
            self.peer.create_subscription(kind, full, self.got[topic].append, profile)
        self.points = self.peer.create_publisher(PointCloud2, "points", qos.PLAYED)
        self.odom = self.peer.create_publisher(Odometry, "odom", qos.PLAYED)
        self.guess = self.peer.create_publisher(PoseWithCovarianceStamped, "initialpose", qos.GUESSES_IN)
        self.gnss = self.peer.create_publisher(NavSatFix, "gnss/fix", qos.PLAYED)
        self.relocalize = self.peer.create_client(Trigger, f"{namespace}/{name}/relocalize")
        if start:
            self.node.start()
            self.spin_until(self.connected)

    def connected(self):
        """Whether everybody hears everybody."""
        ins = (self.points, self.odom, self.guess, self.gnss)
        outs = self.node._parts.outputs._publishers.values()
        return all(publisher.get_subscription_count() for publisher in (*ins, *outs))

    def spin_until(self, condition, timeout_s=20.0):
        """Serve both nodes until the condition holds; a test failure when it never does."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"not within {timeout_s} s; got { ({k: len(v) for k, v in self.got.items()}) }"
            self.executor.spin_once(timeout_sec=0.02)

    def send(self, stamp_s, points=None, odometry=True, **cloud):
        """Odometry, then a cloud of the same stamp; waits for the answer to it."""
        if odometry:
            self.odom.publish(odometry_message(stamp_s, x=stamp_s))
        answered = len(self.got["~/fix"]) + 1
        self.points.publish(cloud_message(stamp_s, points, **cloud))
        self.spin_until(lambda: len(self.got["~/fix"]) >= answered)
        return self.got["~/fix"][-1]

    def diagnosis(self, subject="localization"):
        """The next status on a subject as message and values."""
        name = f"{self.node.get_fully_qualified_name().lstrip('/')}: {subject}"

        def heard():
            return [status for array in self.got["/diagnostics"] for status in array.status if status.name == name]

        count = len(heard()) + 1
        self.spin_until(lambda: len(heard()) > count)
        status = heard()[-1]
        return status, {v.key: v.value for v in status.values}

    def close(self):
        self.executor.remove_node(self.node)
        self.executor.remove_node(self.peer)
        self.node.close()
        self.peer.destroy_node()


def lock(b: Bench, start_s: float = 1.0) -> NavSatFix:
    """Send clouds until the fake localizer is locked, which its third one does; the last fix, after its pose has come."""
    for k in range(3):
        fix = b.send(start_s + 0.1 * k)
    assert fix.status.status == NavSatStatus.STATUS_FIX
    b.spin_until(lambda: b.got["~/pose"])
    return fix
