# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""KITTI as downloaded, odometry and raw layout: clouds bit for bit, motion and truth where they belong."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from urban_map_loc.bags.conversion import Span
from urban_map_loc.bags.kitti_drive import write_drive
from urban_map_loc.bags.kitti_raw import read_raw
from urban_map_loc.bags.kitti_sequence import read_sequence
from urban_map_loc.bags.reader import BagReader, CloudRecord, OdometryRecord
from urban_map_loc.cli.main import run
from urban_map_loc.cloud.decode import decode
from urban_map_loc.config import ConversionConfig
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.geometry.trajectory import Trajectory

CONFIG = ConversionConfig()
# Camera looks along the velodyne's x, its x to the right.
TURNED = "Tr: 0 -1 0 0 0 0 -1 0 1 0 0 0\n"
FRAMES = (0, 1, 3)  # one is missing, as in real drives


def clouds_of(bag: Path) -> list[CloudRecord]:
    return [r for r in BagReader(bag).records() if isinstance(r, CloudRecord)]


def messages_of(bag: Path) -> list[CloudRecord]:
    """Clouds of a bag without odometry."""
    reader = BagReader(bag)
    at = sorted({t - reader._storage.start_ns for t, topic, *_ in reader.raw() if topic == "/points"})
    return [reader.cloud_at(t * 1e-9) for t in at]


def write_scans(folder: Path) -> dict[int, np.ndarray]:
    folder.mkdir(parents=True)
    random = np.random.default_rng(2)
    scans = {k: random.normal(0.0, 10.0, (50 + k, 4)).astype("<f4") for k in FRAMES}
    for k, scan in scans.items():
        (folder / f"{k:010d}.bin").write_bytes(scan.tobytes())
    return scans


@pytest.fixture
def sequence(tmp_path: Path) -> tuple[Path, dict[int, np.ndarray]]:
    """sequences/05 and poses/05.txt of the benchmark: a metre ahead (camera z) in each frame."""
    folder = tmp_path / "sequences" / "05"
    scans = write_scans(folder / "velodyne")
    (folder / "calib.txt").write_text("P0: 1\n" + TURNED)
    (folder / "times.txt").write_text("".join(f"{0.1 * k:e}\n" for k in range(4)))
    (tmp_path / "poses").mkdir()
    (tmp_path / "poses" / "05.txt").write_text("".join(f"1 0 0 0 0 1 0 0 0 0 1 {k}\n" for k in range(4)))
    return folder, scans


def test_a_sequence(sequence: tuple[Path, dict[int, np.ndarray]], tmp_path: Path) -> None:
    folder, scans = sequence
    drive = read_sequence(folder, "auto", None, CONFIG)
    done = write_drive(drive, tmp_path / "bag", Span(), "auto", CONFIG)
    assert done.clouds == 3
    assert done.used[1].endswith("poses/05.txt")
    assert [m.split(":")[0] for m in done.missing] == ["no labels/*.label", "no truth.csv"]
    records = list(BagReader(tmp_path / "bag").records())
    clouds = [r for r in records if isinstance(r, CloudRecord)]
    poses = [r.T_odom_base.as_array() for r in records if isinstance(r, OdometryRecord)]
    np.testing.assert_allclose(poses, [[k, 0.0, 0.0] for k in range(4)], atol=1e-12)
    assert [c.stamp_s for c in clouds] == pytest.approx([1.0, 1.1, 1.3])
    for cloud, scan in zip(clouds, scans.values(), strict=True):
        assert cloud.message.data.tobytes() == scan.tobytes()
        assert [f.name for f in cloud.message.fields] == ["x", "y", "z", "intensity"]


def test_labels_and_truth(sequence: tuple[Path, dict[int, np.ndarray]], tmp_path: Path) -> None:
    folder, scans = sequence
    (folder / "labels").mkdir()
    labels = {k: np.arange(len(scan), dtype="<u4") | 7 << 16 for k, scan in scans.items() if k != 1}
    for k, label in labels.items():
        (folder / "labels" / f"{k:010d}.label").write_bytes(label.tobytes())
    Trajectory([0.0, 0.1, 0.2, 0.3], [49.0] * 4, [8.0] * 4, [0.0] * 4).write_csv(folder / "truth.csv")
    done = write_drive(read_sequence(folder, "velodyne", None, CONFIG), tmp_path / "bag", Span(), "velodyne", CONFIG)
    assert done.missing == []
    decoded = [decode(c.message) for c in clouds_of(tmp_path / "bag")]
    assert decoded[1].label is None
    for k, cloud in ((0, decoded[0]), (3, decoded[2])):
        np.testing.assert_array_equal(cloud.label, labels[k])
        np.testing.assert_array_equal(cloud.points, scans[k][:, :3])
    truth = BagReader(tmp_path / "bag").truth()
    assert truth is not None
    np.testing.assert_allclose(truth.time_s, [1.0, 1.1, 1.2, 1.3])
    (folder / "labels" / "0000000003.label").write_bytes(b"1234")
    with pytest.raises(BagError, match="1 labels for the 53 points"):
        write_drive(read_sequence(folder, "auto", None, CONFIG), tmp_path / "bag", Span(), "auto", CONFIG)


def test_span_and_rate(sequence: tuple[Path, dict[int, np.ndarray]], tmp_path: Path) -> None:
    drive = read_sequence(sequence[0], "auto", None, CONFIG)
    assert write_drive(drive, tmp_path / "bag", Span(0.05, 0.2), "auto", CONFIG).clouds == 1
    assert write_drive(drive, tmp_path / "bag", Span(0.0, None, 5.0), "auto", CONFIG).clouds == 2
    with pytest.raises(BagError, match="none of it between"):
        write_drive(drive, tmp_path / "bag", Span(9.0), "auto", CONFIG)


def test_an_odometry_of_ones_own(sequence: tuple[Path, dict[int, np.ndarray]], tmp_path: Path) -> None:
    (tmp_path / "slam.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 4)
    drive = read_sequence(sequence[0], "auto", tmp_path / "slam.txt", CONFIG)
    assert drive.odometry is not None
    assert not drive.odometry[1].any()
    (tmp_path / "slam.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 3)
    with pytest.raises(BagError, match=r"slam\.txt ends at frame 2, .* has a frame 3"):
        read_sequence(sequence[0], "auto", tmp_path / "slam.txt", CONFIG)


@pytest.mark.parametrize("content", [b"123", b"\0" * 24])
def test_a_cut_scan(sequence: tuple[Path, dict[int, np.ndarray]], tmp_path: Path, content: bytes) -> None:
    (sequence[0] / "velodyne" / "0000000001.bin").write_bytes(content)
    with pytest.raises(BagError, match="no whole number"):
        write_drive(read_sequence(sequence[0], "auto", None, CONFIG), tmp_path / "bag", Span(), "auto", CONFIG)
    assert not (tmp_path / "bag").exists()


def test_the_command_says_what_is_missing(
    sequence: tuple[Path, dict[int, np.ndarray]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = sequence
    (folder / "times.txt").unlink()
    (tmp_path / "poses" / "05.txt").unlink()
    assert run(["convert", "kitti", str(folder), "--out", str(tmp_path / "bag")]) == 0
    told = capsys.readouterr()
    assert "3 clouds; clouds of velodyne" in told.out
    assert "no times.txt: frames are stamped by their numbers, 10 a second" in told.err
    assert "no poses: `localize` needs odometry" in told.err
    assert [m.stamp_s for m in messages_of(tmp_path / "bag")] == pytest.approx([1.0, 1.1, 1.3])
    for wrong, reason in ((tmp_path / "poses", "holds none of velodyne"), (tmp_path / "nothing", "holds none of velodyne")):
        assert run(["convert", "kitti", str(wrong), "--out", str(tmp_path / "bag")]) == 1
        assert reason in capsys.readouterr().err
    assert run(["convert", "kitti", str(folder), "--out", str(tmp_path / "bag"), "--sensor", "stereo"]) == 1
    assert "has no stereo, only velodyne" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["00", "07", "02"])
def test_real_scans_bit_for_bit(data_dir: Path, tmp_path: Path, name: str) -> None:
    source = data_dir / "kitti_raw" / name
    done = write_drive(read_sequence(source, "velodyne", None, CONFIG), tmp_path / "bag", Span(), "velodyne", CONFIG)
    files = sorted((source / "velodyne").glob("*.bin"))
    assert done.clouds == len(files)
    messages = messages_of(tmp_path / "bag")
    assert [m.stamp_s for m in messages] == pytest.approx([1.0 + 0.1 * int(f.stem) for f in files])
    for record, file in zip(messages, files, strict=True):
        table = np.frombuffer(record.message.data.tobytes(), "<f4").reshape(-1, 5)
        assert np.ascontiguousarray(table[:, :4]).tobytes() == file.read_bytes()
        label = (source / "labels" / f"{file.stem}.label").read_bytes()
        assert np.ascontiguousarray(table[:, 4]).tobytes() == label


def test_real_pairs(data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "kitti_raw" / "00"
    done = write_drive(read_sequence(source, "stereo", None, CONFIG), tmp_path / "bag", Span(0.0, 0.1), "stereo", CONFIG)
    assert done.clouds == 1
    assert messages_of(tmp_path / "bag")[0].message.width > 5000


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A drive to the north at 10 m/s, then turning left about 1 rad; the velodyne is 1 m ahead of the IMU and turned by nothing."""
    folder = tmp_path / "2011_09_30" / "2011_09_30_drive_0027_sync"
    write_scans(folder / "velodyne_points" / "data")
    times = [f"2011-09-30 12:40:2{k // 10}.{k % 10}00000001\n" for k in range(21)]
    (folder / "velodyne_points" / "timestamps.txt").write_text("".join(times[:4]))
    (folder / "oxts" / "data").mkdir(parents=True)
    (folder / "oxts" / "timestamps.txt").write_text("".join(times))
    plane = LocalTangentPlane(GeoPoint(49.0, 8.4))
    for k in range(21):
        moving = k <= 10
        row = np.zeros(30)
        row[:2] = plane.to_geodetic(np.array([0.0, min(k, 10) * 1.0]))
        row[5] = np.pi / 2 + max(0, k - 10) * 0.1
        row[8], row[22] = (10.0 if moving else 0.0), (0.0 if moving else 1.0)
        (folder / "oxts" / "data" / f"{k:010d}.txt").write_text(" ".join(map(repr, row.tolist())))
    # x_velo = R x_imu + T.
    (folder.parent / "calib_imu_to_velo.txt").write_text("calib_time: x\nR: 1 0 0 0 1 0 0 0 1\nT: -1.0 0 0\n")
    return folder


def test_a_raw_drive(raw: Path, tmp_path: Path) -> None:
    done = write_drive(read_raw(raw, "auto"), tmp_path / "bag", Span(), "auto", CONFIG)
    assert done.clouds == 3
    assert done.missing == []
    clouds = clouds_of(tmp_path / "bag")
    assert clouds[0].stamp_s == pytest.approx(1317386420.000000001, abs=1e-6)
    assert clouds[2].message.data.tobytes() == (raw / "velodyne_points" / "data" / "0000000003.bin").read_bytes()
    drive = read_raw(raw, "auto")
    assert drive.truth is not None
    assert drive.odometry is not None
    plane = LocalTangentPlane(GeoPoint(49.0, 8.4))
    np.testing.assert_allclose(drive.truth.poses(plane)[0], [0.0, 1.0, np.pi / 2], atol=1e-6)
    # Turning on the spot of the IMU takes the velodyne, a metre ahead, round a circle; a step between the two motions has half of each.
    last = drive.truth.poses(plane)[-1]
    np.testing.assert_allclose(last, [-np.sin(1.0), 10.0 + np.cos(1.0), np.pi / 2 + 1.0], atol=1e-6)
    np.testing.assert_allclose(drive.odometry[1][10], [10.0, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(drive.odometry[1][-1], [10.5 + np.cos(0.95) - 1.0, np.sin(0.95), 0.95], atol=0.02)


def test_a_raw_drive_without_what_is_optional(raw: Path, tmp_path: Path) -> None:
    (raw.parent / "calib_imu_to_velo.txt").unlink()
    assert "where it sat on the recording car" in read_raw(raw, "auto").missing[0]
    (raw / "oxts").rename(tmp_path / "elsewhere")
    drive = read_raw(raw, "auto")
    assert drive.odometry is None
    assert drive.missing == ["no oxts: no odometry, which `localize` needs, and no truth"]


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("oxts/data/0000000003.txt", "1 2 3", "30 numbers expected"),
        ("oxts/data/0000000003.txt", "x", "damaged"),
        ("velodyne_points/timestamps.txt", "yesterday\n", "line 1 is no time"),
        ("velodyne_points/timestamps.txt", "2011-09-30 12:40:20.1\n", "ends at 0, there is a frame 3"),
        ("oxts/timestamps.txt", "2011-09-30 12:40:20.1\n", "ends at 0, there is a packet 20"),
    ],
)
def test_damaged_raw_files(raw: Path, file: str, content: str, reason: str) -> None:
    (raw / file).write_text(content)
    with pytest.raises(BagError, match=reason):
        read_raw(raw, "auto")


def test_raw_pairs(raw: Path, tmp_path: Path) -> None:
    """A textured wall 10 m ahead of camera 2, which is a metre ahead of the velodyne."""
    (raw / "velodyne_points").rename(tmp_path / "elsewhere")
    texture = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (200, 400)).astype(np.uint8), (0, 0), 1.5)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    for side, shift in (("02", 0), ("03", 20)):
        (raw / f"image_{side}" / "data").mkdir(parents=True)
        cv2.imwrite(str(raw / f"image_{side}" / "data" / "0000000000.png"), texture[:, shift : shift + 360])
        (raw / f"image_{side}" / "timestamps.txt").write_text("2011-09-30 12:40:20.1\n")
    row = "400 0 180 {} 0 400 100 0 0 0 1 0"
    identity = "1 0 0 0 1 0 0 0 1"
    (raw.parent / "calib_cam_to_cam.txt").write_text(
        f"calib_time: x\nR_rect_00: {identity}\nP_rect_02: {row.format(0)}\nP_rect_03: {row.format(-200)}\n"
    )
    (raw.parent / "calib_velo_to_cam.txt").write_text("R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -1.0\n")
    assert write_drive(read_raw(raw, "auto"), tmp_path / "bag", Span(), "auto", CONFIG).clouds == 1
    points = decode(clouds_of(tmp_path / "bag")[0].message).points
    assert np.median(points[:, 0]) == pytest.approx(11.0, abs=0.1)
    assert len(points) > 500
