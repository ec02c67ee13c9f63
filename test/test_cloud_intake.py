# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Messages into the base frame: which frames are taken, and by which extrinsic."""

from __future__ import annotations

from math import pi
from types import SimpleNamespace

import numpy as np
import pytest
from test_cloud_decode import columns_of, message

from urban_map_loc.cloud.extrinsic import Extrinsic, FrameTree
from urban_map_loc.cloud.intake import CloudIntake
from urban_map_loc.config import CloudConfig, NodeConfig
from urban_map_loc.errors import CloudError, ConfigurationError

AHEAD = (1.0, 2.0, 3.0, 0.0, 0.0, pi / 2)


def cloud_in(frame: str, **columns: object) -> object:
    cloud = message(columns_of([[1.0, 0.0, 0.0]]) | columns)
    cloud.header = SimpleNamespace(stamp=cloud.header.stamp, frame_id=frame)
    return cloud


def taken(frame: str, frames: FrameTree | None = None, **node: object) -> list[float]:
    cloud = CloudIntake(NodeConfig(**node), CloudConfig(), frames).take(cloud_in(frame))
    assert cloud.frame_id == "base_link"
    return np.round(cloud.points[0], 5).tolist()


def roof() -> FrameTree:
    frames = FrameTree()
    frames.add("base_link", "roof", Extrinsic.from_xyz_rpy([0, 0, 1.5, 0, 0, 0]))
    frames.add("roof", "velodyne", Extrinsic.from_xyz_rpy([0.5, 0, 0.25, 0, 0, pi / 2]))
    return frames


def test_base_frame_and_those_declared_to_be_it() -> None:
    assert taken("base_link") == [1.0, 0.0, 0.0]
    assert taken("lidar", cloud_frames=["lidar"]) == [1.0, 0.0, 0.0]


def test_the_parameters_place_a_sensor() -> None:
    assert taken("lidar", sensor_frame="lidar", extrinsic=AHEAD) == [1.0, 3.0, 3.0]


def test_tf_places_the_others_and_parameters_come_first() -> None:
    assert taken("velodyne", roof()) == [0.5, 1.0, 1.75]
    assert taken("velodyne", roof(), sensor_frame="velodyne", extrinsic=AHEAD) == [1.0, 3.0, 3.0]
    assert taken("velodyne", roof(), cloud_frames=["velodyne"]) == [1.0, 0.0, 0.0]


def test_frames_learnt_later_count() -> None:
    intake = CloudIntake(NodeConfig(), CloudConfig())
    with pytest.raises(CloudError, match="frame 'velodyne', whose place on the car is unknown"):
        intake.take(cloud_in("velodyne"))
    intake.frames.add("base_link", "velodyne", Extrinsic.from_xyz_rpy(AHEAD))
    np.testing.assert_allclose(intake.take(cloud_in("velodyne")).points, [[1.0, 3.0, 3.0]], atol=1e-6)


def test_what_comes_with_the_points_stays_with_them() -> None:
    cloud = CloudIntake(NodeConfig(sensor_frame="lidar", extrinsic=AHEAD), CloudConfig(label_fields=("class",))).take(
        cloud_in("lidar", **{"class": [50.0]})
    )
    assert cloud.label is not None
    assert (cloud.label.tolist(), cloud.stamp_s) == ([50], 12.5)


def test_whole_clouds_are_placed_alike() -> None:
    intake = CloudIntake(NodeConfig(sensor_frame="lidar", extrinsic=AHEAD), CloudConfig())
    bad = cloud_in("lidar", x=[np.nan])
    whole = intake.take_whole(cloud_in("lidar"))
    np.testing.assert_allclose(whole.points, [[1.0, 3.0, 3.0]], atol=1e-6)
    assert (whole.frame_id, whole.stamp_s) == ("base_link", 12.5)
    assert not intake.take_whole(bad).finite.any()
    with pytest.raises(CloudError, match="unknown"):
        intake.take_whole(cloud_in("velodyne"))


def test_a_wrong_extrinsic_is_found_at_once() -> None:
    with pytest.raises(ConfigurationError, match="six finite numbers"):
        CloudIntake(NodeConfig(extrinsic=(1.0, 2.0)), CloudConfig())


def test_the_tree_of_frames_goes_both_ways() -> None:
    frames = roof()
    frames.add("/base_link", "imu", Extrinsic.from_xyz_rpy([1, 0, 0, 0, pi / 2, 0]))
    there, back = frames.find("imu", "velodyne"), frames.find("velodyne", "imu")
    assert there is not None
    assert back is not None
    np.testing.assert_allclose((there @ back).rotation, np.eye(3), atol=1e-12)
    np.testing.assert_allclose((there @ back).translation, 0.0, atol=1e-12)
    by_hand = Extrinsic.from_xyz_rpy([1, 0, 0, 0, pi / 2, 0]).inverse() @ Extrinsic.from_xyz_rpy([0.5, 0, 1.75, 0, 0, pi / 2])
    np.testing.assert_allclose(there.rotation, by_hand.rotation, atol=1e-12)
    np.testing.assert_allclose(there.translation, by_hand.translation, atol=1e-12)
    assert frames.find("base_link", "camera") is None
    frames.add("base_link", "roof", Extrinsic.identity())
    moved = frames.find("base_link", "velodyne")
    assert moved is not None
    np.testing.assert_allclose(moved.translation, [0.5, 0.0, 0.25])
