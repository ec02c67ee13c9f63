# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where sensors sit, from a bag's /tf_static; clouds in sensors' frames are taken by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drives import straight, untrained
from rosbags.rosbag2 import StoragePlugin, Writer
from towns import crossing

from urban_map_loc.bags.messages import (
    CLOUD_TYPE,
    ODOMETRY_TOPIC,
    ODOMETRY_TYPE,
    POINTS_TOPIC,
    STATIC_FRAMES_TOPIC,
    STATIC_FRAMES_TYPE,
    cloud_message,
    nanoseconds,
    odometry_message,
    typestore,
)
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import replay
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.config import LocalizerConfig, NodeConfig
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.localizer import Localizer

T_BASE_LIDAR = Extrinsic.from_xyz_rpy([1.2, 0.3, 1.9, 0.0, 0.0, 2.0])


def frames_message(parent: str, child: str, xyz: tuple[float, ...], quaternion: tuple[float, ...]) -> object:
    types = typestore().types
    header = odometry_message(1.0, Pose2.identity(), (0.0, 0.0)).header
    header.frame_id = parent
    transform = types["geometry_msgs/msg/Transform"](
        translation=types["geometry_msgs/msg/Vector3"](*xyz), rotation=types["geometry_msgs/msg/Quaternion"](*quaternion)
    )
    stamped = types["geometry_msgs/msg/TransformStamped"](header=header, child_frame_id=child, transform=transform)
    return types[STATIC_FRAMES_TYPE](transforms=[stamped])


def write(path: Path, messages: list[tuple[float, str, str, object]]) -> Path:
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = {topic: kind for _, topic, kind, _ in messages}
        connections = {topic: writer.add_connection(topic, kind, typestore=typestore()) for topic, kind in kinds.items()}
        for time_s, topic, kind, message in messages:
            writer.write(connections[topic], nanoseconds(time_s), typestore().serialize_cdr(message, kind))
    return path


def mounted(tmp_path: Path, quaternion: tuple[float, ...] = (0.0, 0.0, np.sin(1.0), np.cos(1.0))) -> Path:
    """A drive whose clouds are in the lidar's frame, which /tf_static places in two steps."""
    messages: list[tuple[float, str, str, object]] = [
        (99.9, STATIC_FRAMES_TOPIC, STATIC_FRAMES_TYPE, frames_message("base_link", "roof", (1.2, 0.3, 1.5), (0.0, 0.0, 0.0, 1.0))),
        (99.9, STATIC_FRAMES_TOPIC, STATIC_FRAMES_TYPE, frames_message("roof", "lidar", (0.0, 0.0, 0.4), quaternion)),
    ]
    for moment in straight(crossing(), Pose2(-70.0, -1.0, 0.0), 30.0):
        points = T_BASE_LIDAR.inverse().apply(moment.cloud.points)
        cloud = cloud_message(moment.stamp_s, points, None, moment.cloud.label, "lidar")
        odometry = odometry_message(moment.stamp_s, moment.T_odom_base, (5.0, 0.0))
        messages.append((moment.stamp_s, ODOMETRY_TOPIC, ODOMETRY_TYPE, odometry))
        messages.append((moment.stamp_s, POINTS_TOPIC, CLOUD_TYPE, cloud))
    return write(tmp_path / "drive", messages)


def localizer() -> Localizer:
    area = crossing()
    return Localizer.of_area(area, untrained(area), LocalizerConfig())


def test_a_bag_without_frames_has_none(tmp_path: Path) -> None:
    odometry = odometry_message(1.0, Pose2.identity(), (0.0, 0.0))
    bag = write(tmp_path / "bag", [(1.0, ODOMETRY_TOPIC, ODOMETRY_TYPE, odometry)])
    assert BagReader(bag).frames().find("base_link", "lidar") is None


def test_replay_takes_clouds_by_the_bags_frames(tmp_path: Path) -> None:
    bag = BagReader(mounted(tmp_path))
    found = bag.frames().find("base_link", "lidar")
    assert found is not None
    np.testing.assert_allclose(found.rotation, T_BASE_LIDAR.rotation, atol=1e-12)
    np.testing.assert_allclose(found.translation, T_BASE_LIDAR.translation, atol=1e-12)
    results = [result for result, _ in replay(bag, localizer())]
    assert results[-1].estimate is not None
    # Where the drive ends: 30 m on.
    assert results[-1].estimate.T_map_base.distance_to(Pose2(-40.0, -1.0, 0.0)) < 0.5


def test_an_extrinsic_that_is_given_comes_first(tmp_path: Path) -> None:
    bag = BagReader(mounted(tmp_path, quaternion=(1.0, 0.0, 0.0, 0.0)))  # upside down
    node = NodeConfig(sensor_frame="lidar", extrinsic=(1.2, 0.3, 1.9, 0.0, 0.0, 2.0))
    *_, (last, _) = replay(bag, localizer(), node=node)
    assert last.estimate is not None
    assert last.estimate.T_map_base.distance_to(Pose2(-40.0, -1.0, 0.0)) < 0.5


def test_a_transform_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BagError, match="on /tf_static, lidar: .* give a translation and a unit quaternion"):
        BagReader(mounted(tmp_path, quaternion=(0.0, 0.0, 0.0, 0.0))).frames()
