# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Bags: what is written is what is read; damage and absence are one line."""

import numpy as np
import pytest

from urban_map_loc.bags.messages import nanoseconds
from urban_map_loc.bags.reader import BagReader, CloudRecord, OdometryRecord
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.errors import BagError, OutputError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory

POINTS = np.array([[1.0, 2.0, 3.0], [-4.0, 5.0, 0.5]], dtype=np.float32)


@pytest.fixture
def bag(tmp_path):
    path = tmp_path / "drive"
    with BagWriter(path) as writer:
        for k in range(20):
            writer.write_odometry(10.0 + 0.1 * k, Pose2(0.5 * k, -1.0, 0.1 * k), velocity=(5.0, 1.0))
        writer.write_cloud(10.25, POINTS, intensity=[0.5, 1.0], label=[50, 70])
        writer.write_cloud(11.25, POINTS[:0])
        writer.write_truth(Trajectory([10.0, 12.0], [50.0, 50.1], [8.0, 8.1], [0.0, 1.0]))
    return path


def columns(message):
    kinds = {7: "<f4", 6: "<u4"}
    fields = [(f.name, kinds[f.datatype]) for f in message.fields]
    return np.frombuffer(message.data.tobytes(), dtype=fields)


def test_records_in_time_order(bag):
    records = list(BagReader(bag).records())
    assert [r.stamp_s for r in records] == sorted(r.stamp_s for r in records)
    clouds = [r for r in records if isinstance(r, CloudRecord)]
    poses = [r for r in records if isinstance(r, OdometryRecord)]
    assert [r.stamp_s for r in clouds] == [10.25, 11.25]
    assert len(poses) == 20
    assert poses[3].T_odom_base.as_array() == pytest.approx([1.5, -1.0, 0.3])


def test_cloud_fields(bag):
    message = next(r for r in BagReader(bag).records() if isinstance(r, CloudRecord)).message
    table = columns(message)
    assert table.dtype.names == ("x", "y", "z", "intensity", "label")
    np.testing.assert_array_equal(np.column_stack([table["x"], table["y"], table["z"]]), POINTS)
    np.testing.assert_array_equal(table["label"], [50, 70])
    assert (message.header.frame_id, message.width, message.height, message.point_step) == ("base_link", 2, 1, 20)


def test_reader_facts(bag):
    reader = BagReader(bag)
    assert reader.topics == {"/points": "sensor_msgs/msg/PointCloud2", "/odom": "nav_msgs/msg/Odometry"}
    assert reader.start_s == 10.0
    assert reader.duration_s == pytest.approx(1.9)
    truth = reader.truth()
    assert truth is not None
    np.testing.assert_array_equal(truth.lat_deg, [50.0, 50.1])


def test_start_later(bag):
    stamps = [r.stamp_s for r in BagReader(bag).records(start_s=1.2)]
    assert min(stamps) == 11.2
    with pytest.raises(BagError, match="start earlier"):
        list(BagReader(bag).records(start_s=99.0))


def test_raw_messages(bag):
    raw = list(BagReader(bag).raw())
    assert len(raw) == 22
    assert raw[0][:3] == (10_000_000_000, "/odom", "nav_msgs/msg/Odometry")
    assert isinstance(raw[0][3], bytes)


def test_raw_bytes_are_ros_messages(bag):
    serialization = pytest.importorskip("rclpy.serialization")
    from sensor_msgs.msg import PointCloud2

    data = next(data for _, topic, _, data in BagReader(bag).raw() if topic == "/points")
    message = serialization.deserialize_message(data, PointCloud2)
    assert message.width == 2
    assert message.header.stamp.nanosec == 250_000_000


def test_folder_is_a_rosbag2_of_jazzy(bag):
    text = (bag / "metadata.yaml").read_text()
    assert sorted(p.name for p in bag.iterdir()) == ["drive.mcap", "metadata.yaml", "truth.csv"]
    assert "storage_identifier: mcap" in text
    assert "version: 9" in text
    assert "- drive.mcap" in text


def test_no_truth(tmp_path):
    with BagWriter(tmp_path / "b") as writer:
        writer.write_odometry(1.0, Pose2.identity())
    reader = BagReader(tmp_path / "b")
    assert reader.truth() is None
    with BagWriter(tmp_path / "c"):
        pass
    with pytest.raises(BagError, match="no message"):
        BagReader(tmp_path / "c")


def test_failure_leaves_no_bag(tmp_path):
    def fail():
        with BagWriter(tmp_path / "b") as writer:
            writer.write_odometry(1.0, Pose2.identity())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_only_bags_are_replaced(bag, tmp_path):
    with BagWriter(bag) as writer:
        writer.write_odometry(1.0, Pose2.identity())
    assert BagReader(bag).start_s == 1.0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    with pytest.raises(OutputError, match="is not replaced"), BagWriter(tmp_path / "mine"):
        pass


def test_missing_bag(tmp_path):
    with pytest.raises(BagError, match="does not exist"):
        BagReader(tmp_path / "none")
    with pytest.raises(BagError, match=r"no metadata\.yaml"):
        BagReader(tmp_path)


def test_damaged_middle(bag):
    file = bag / "drive.mcap"
    data = bytearray(file.read_bytes())
    for k in range(300, min(len(data) - 800, 3000)):
        data[k] = 0xFF
    file.write_bytes(bytes(data))
    with pytest.raises(BagError, match="damaged"):
        list(BagReader(bag).records())


def test_missing_storage_file(bag):
    (bag / "drive.mcap").unlink()
    with pytest.raises(BagError):
        BagReader(bag)


STAMPS = [(1.5, 1_500_000_000), (1417534257.594149, 1417534257594149000), (0.9999999999, 1_000_000_000)]


@pytest.mark.parametrize(("stamp_s", "whole"), STAMPS)
def test_nanoseconds(stamp_s, whole):
    assert abs(nanoseconds(stamp_s) - whole) < 200


def test_the_cloud_at_a_time(bag):
    reader = BagReader(bag)
    assert [reader.cloud_at(s).stamp_s for s in (0.0, 0.25, 0.26, 1.25)] == [10.25, 10.25, 11.25, 11.25]
    np.testing.assert_array_equal(columns(reader.cloud_at(0.0).message)["x"], POINTS[:, 0])
    for late in (1.26, 500.0, -0.1):
        with pytest.raises(BagError, match=r"has no cloud from .* lasts 1\.9 s"):
            reader.cloud_at(late)


def test_no_clouds_at_any_time(tmp_path):
    with BagWriter(tmp_path / "drive") as writer:
        writer.write_odometry(10.0, Pose2.identity())
    with pytest.raises(BagError, match="has no cloud from"):
        BagReader(tmp_path / "drive").cloud_at(0.0)
