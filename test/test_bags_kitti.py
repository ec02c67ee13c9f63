# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The KITTI converter: exact on a made-up sequence, true to the real one's documentation."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from urban_map_loc.bags.kitti import convert_kitti, kitti_odometry, sector_points
from urban_map_loc.bags.kitti_calibration import stereo_calibration
from urban_map_loc.bags.reader import BagReader, CloudRecord, OdometryRecord
from urban_map_loc.cloud.camera import StereoRig
from urban_map_loc.cloud.decode import decode
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.geometry.pose2 import wrap_angle
from urban_map_loc.geometry.trajectory import Trajectory

# Camera looks along the velodyne's x, its x to the right: T_cam_velo without offset.
TURNED = "Tr: 0 -1 0 0 0 0 -1 0 1 0 0 0\n"


@pytest.fixture
def source(tmp_path):
    """Two frames: 2 m ahead (camera z) and 1 m to the left (camera -x), turned left by 90 degrees."""
    folder = tmp_path / "kitti"
    folder.mkdir()
    np.savez(folder / "building_range.npz", ranges_m=np.array([[10.0, 0.0, 5.0, 0.0], [0.0, 0.0, 0.0, 7.0]], dtype=np.float32))
    (folder / "times.txt").write_text("0.0\n0.1\n")
    (folder / "calib.txt").write_text("P0: 1\n" + TURNED)
    (folder / "odometry_cam0.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n0 0 -1 -1 0 1 0 0 1 0 0 2\n")
    Trajectory([0.0, 0.1], [49.0, 49.0], [8.0, 8.0], [0.0, 1.5]).write_csv(folder / "truth.csv")
    return folder


def test_sectors():
    points = sector_points(np.array([10.0, 4.0, 0.0, 7.0]))
    np.testing.assert_allclose(points, [[10, 0, 1], [0, 4, 1], [0, -7, 1]], atol=1e-5)


def test_odometry_of_the_velodyne(source):
    np.testing.assert_allclose(kitti_odometry(source), [[0, 0, 0], [2, 1, np.pi / 2]], atol=1e-12)


def test_bag(source, tmp_path):
    assert convert_kitti(source, tmp_path / "bag") == 2
    reader = BagReader(tmp_path / "bag")
    records = list(reader.records())
    assert [type(r) for r in records] == [OdometryRecord, CloudRecord] * 2
    assert [r.stamp_s for r in records] == pytest.approx([1.0, 1.0, 1.1, 1.1])
    assert [r.message.width for r in records if isinstance(r, CloudRecord)] == [2, 1]
    truth = reader.truth()
    assert truth is not None
    np.testing.assert_allclose(truth.time_s, [1.0, 1.1])


@pytest.mark.parametrize("name", ["building_range.npz", "times.txt", "calib.txt", "odometry_cam0.txt", "truth.csv"])
def test_missing_and_truncated_files(source, tmp_path, name):
    file = source / name
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2 - 2])
    if name != "calib.txt":
        with pytest.raises(BagError):
            convert_kitti(source, tmp_path / "bag")
    file.unlink()
    with pytest.raises(BagError, match=name):
        convert_kitti(source, tmp_path / "bag")
    assert not (tmp_path / "bag").exists()


def test_lengths_must_agree(source, tmp_path):
    (source / "times.txt").write_text("0.0\n0.1\n0.2\n")
    with pytest.raises(BagError, match="3 times"):
        convert_kitti(source, tmp_path / "bag")


def test_stereo_calibration(tmp_path):
    """Camera 2 is 0.06 m left of camera 0, which is 0.3 m ahead of the velodyne and 0.1 m below it."""
    K = "700 0 600 {} 0 700 180 0 0 0 1 0"
    (tmp_path / "calib.txt").write_text(f"P2: {K.format(42.0)}\nP3: {K.format(-308.0)}\nTr: 0 -1 0 0 0 0 -1 -0.1 1 0 0 -0.3\n")
    rig, T_velo_camera = stereo_calibration(tmp_path / "calib.txt")
    assert rig == StereoRig(700.0, 600.0, 180.0, 0.5, 600.0)
    np.testing.assert_allclose(T_velo_camera.apply(np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 5.0]])), [[0.3, 0.06, -0.1], [5.3, -0.94, -2.1]])


@pytest.mark.parametrize(
    ("text", "reason"),
    [("P2: 1 2 3\nP3: 1 2 3\n", "no 3x4"), ("P0: 1\n", "no line P2"), ("P2:" + 12 * " 0" + "\nP3:" + 12 * " 0" + "\n", "rectified")],
)
def test_calibration_without_a_pair(tmp_path, text, reason):
    (tmp_path / "calib.txt").write_text(text)
    with pytest.raises(BagError, match=reason):
        stereo_calibration(tmp_path / "calib.txt")


def test_bag_of_stereo_pairs(data_dir, tmp_path):
    """Five pairs of the sequence's first nine frames; each cloud lies where the lidar of the same moment saw something."""
    source = data_dir / "kitti_raw" / "07"
    assert convert_kitti(data_dir / "kitti" / "07", tmp_path / "bag", source) == 5
    records = list(BagReader(tmp_path / "bag").records())
    stamps = [r.stamp_s for r in records if isinstance(r, OdometryRecord)]
    clouds = [r for r in records if isinstance(r, CloudRecord)]
    assert len(stamps) == 1101
    assert [c.stamp_s for c in clouds] == stamps[:9:2]
    points = decode(clouds[0].message).points
    lidar = np.fromfile(source / "velodyne" / "000000.bin", np.float32).reshape(-1, 4)[:, :3]
    near = points[points[:, 0] < 15.0]
    assert len(near) > 5000
    distance = cKDTree(lidar).query(near[::10])[0]
    assert np.median(distance) < 0.25


def test_pairs_of_another_or_no_sequence(source, tmp_path):
    pairs = tmp_path / "pairs"
    (pairs / "image_2").mkdir(parents=True)
    row = "700 0 600 {} 0 700 180 0 0 0 1 0"
    (pairs / "calib.txt").write_text(f"P2: {row.format(0)}\nP3: {row.format(-350)}\n")
    with pytest.raises(BagError, match="no numbered"):
        convert_kitti(source, tmp_path / "bag", pairs)
    (pairs / "image_2" / "000007.png").write_bytes(b"")
    with pytest.raises(BagError, match="frame 7"):
        convert_kitti(source, tmp_path / "bag", pairs)
    (pairs / "image_2" / "000007.png").rename(pairs / "image_2" / "000001.png")
    with pytest.raises(BagError, match="is no picture"):
        convert_kitti(source, tmp_path / "bag", pairs)
    assert not (tmp_path / "bag").exists()


def test_real_odometry_agrees_with_truth(data_dir):
    source = data_dir / "kitti" / "07"
    odometry = kitti_odometry(source)
    truth = Trajectory.read_csv(source / "truth.csv").poses(LocalTangentPlane(GeoPoint(48.985, 8.3937)))
    a, b = odometry[:, :2] - odometry[:, :2].mean(axis=0), truth[:, :2] - truth[:, :2].mean(axis=0)
    turn = np.arctan2(np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), np.sum(a * b))
    c, s = np.cos(turn), np.sin(turn)
    residual = a @ np.array([[c, s], [-s, c]]) - b
    assert np.sqrt(np.mean(np.sum(residual**2, axis=1))) < 0.4
    assert np.abs(wrap_angle(odometry[:, 2] + turn - truth[:, 2])).max() < np.radians(1.5)
