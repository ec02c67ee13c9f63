# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The RobotCar converter: files of a test encoder in, a bag out that localizes; damaged, missing and packed files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from drives import untrained
from hypothesis import given, settings
from hypothesis import strategies as st
from robotcar_files import (
    EXTRINSICS,
    Town,
    drive,
    pack,
    png,
    triplets,
    velodyne_bin,
    velodyne_png,
    write_odometry,
    write_positions,
    write_sdk,
)
from towns import crossing

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.bags import robotcar as robotcar_module
from urban_map_loc.bags.reader import BagReader, CloudRecord, FixRecord, OdometryRecord
from urban_map_loc.bags.robotcar import Selection, convert_robotcar
from urban_map_loc.bags.robotcar_run import RobotCarRun
from urban_map_loc.bags.robotcar_scans import read_scan
from urban_map_loc.bags.robotcar_tables import read_fixes, read_odometry
from urban_map_loc.cli.main import run
from urban_map_loc.cli.through_node import drive_through_node
from urban_map_loc.cloud.decode import decode
from urban_map_loc.config import ConversionConfig
from urban_map_loc.errors import BagError
from urban_map_loc.evaluation.run_files import read_run
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.mapnet.checkpoint import save_checkpoint

AREA = crossing()
START, METRES, SPEED = Pose2(-75.0, -1.0, 0.0), 60.0, 8.0
RUN = "2014-12-02-15-30-08"
SMALL = ConversionConfig(part_s=2.0)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run along the crossing's road, seen by both LMS-151, as the dataset lays it out."""
    folder: Path = tmp_path_factory.mktemp("robotcar") / RUN
    town, angles = Town(AREA), np.radians(np.arange(-135.0, 135.5, 1.0))
    scans = list(drive(START, METRES, SPEED, 50.0))
    for scanner in ("lms_front", "lms_rear"):
        (folder / scanner).mkdir(parents=True)
        for stamp, pose in scans:
            (folder / scanner / f"{stamp}.bin").write_bytes(triplets(town.lms(scanner, pose, angles)))
        (folder / f"{scanner}.timestamps").write_text("".join(f"{stamp} 1\n" for stamp, _ in scans))
    odometry = list(drive(START, METRES, SPEED, 16.0))
    write_odometry(folder / "vo" / "vo.csv", *zip(*odometry, strict=True))
    write_positions(folder / "gps", AREA, *zip(*drive(START, METRES, SPEED, 5.0), strict=True))
    write_sdk(folder.parent)
    return folder


@pytest.fixture(scope="module")
def converted(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bag: Path = tmp_path_factory.mktemp("bags") / "drive"
    result = convert_robotcar(source, bag, config=SMALL)
    assert result.missing == []
    assert result.used[0] == "clouds of lms"
    return bag


def test_a_bag_of_everything_that_is_there(converted: Path) -> None:
    bag = BagReader(converted)
    records = list(bag.records())
    assert [r.stamp_s for r in records] == sorted(r.stamp_s for r in records)
    clouds = [r for r in records if isinstance(r, CloudRecord)]
    odometry = [r for r in records if isinstance(r, OdometryRecord)]
    fixes = [r for r in records if isinstance(r, FixRecord)]
    assert bag.cloud_count == len(clouds) == 38  # 7.5 s at 5 Hz
    assert len(odometry) == 121
    assert len(fixes) == 38
    last = odometry[-1].T_odom_base.as_array()
    np.testing.assert_allclose(last, [METRES, 0.0, 0.0], atol=1e-6)  # odometry begins at the origin
    np.testing.assert_allclose(fixes[0].covariance, np.diag([1.5**2, 2.0**2]))
    truth = bag.truth()
    assert truth is not None
    np.testing.assert_allclose(truth.poses(AREA.plane)[0], START.as_array(), atol=0.01)
    # Split into parts, as rosbag2 splits long recordings.
    assert sorted(p.name for p in converted.iterdir()) == [*(f"drive_{k}.mcap" for k in range(4)), "metadata.yaml", "truth.csv"]


def test_strips_lie_on_the_towns_walls(converted: Path) -> None:
    """Points above the ground lie on the front of some house, those of 35 m behind as well as those beside the car."""
    import shapely

    houses = shapely.union_all([shapely.transform(b, lambda p: AREA.plane.to_enu(p[:, 1], p[:, 0])) for b in AREA.buildings_wgs84])
    *_, last = (r for r in BagReader(converted).records() if isinstance(r, CloudRecord))
    cloud = decode(last.message)
    true = START @ Pose2((last.stamp_s - 1417534257.594785) * SPEED, 0.0, 0.0)
    high = cloud.points[cloud.points[:, 2] > 0.5]
    assert len(high) > 5000
    assert cloud.points[:, 0].min() < -40.0
    distance = shapely.distance(houses.boundary, shapely.points(true.transform(high[:, :2])))
    assert np.quantile(distance, 0.99) < 0.05
    ground = cloud.points[np.abs(cloud.points[:, 2] + 0.4) < 0.02]
    assert len(ground) > 1000


def test_it_localizes(converted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_area(AREA, tmp_path / "area.gpkg")
    save_checkpoint(untrained(AREA), tmp_path / "model.safetensors")
    command = ["localize", str(converted), "--area", str(tmp_path / "area.gpkg"), "--model", str(tmp_path / "model.safetensors")]
    assert run([*command, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    estimates = read_run(tmp_path / "run").estimates
    assert estimates.state[-1] == "locked"
    last = estimates.poses[-1]
    true = START @ Pose2((estimates.stamp_s[-1] - 1417534257.594785) * SPEED, 0.0, 0.0)
    assert np.hypot(*(last[:2] - [true.x, true.y])) < 1.0


@pytest.mark.timeout(300)
def test_it_localizes_through_the_real_node(converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "0")  # restored afterwards: the drive chooses one of its own
    write_area(AREA, tmp_path / "area.gpkg")
    save_checkpoint(untrained(AREA), tmp_path / "model.safetensors")
    answered, clouds = drive_through_node(tmp_path / "area.gpkg", tmp_path / "model.safetensors", converted, tmp_path / "run")
    assert 0 < answered <= clouds <= 38
    estimates = read_run(tmp_path / "run").estimates
    locked = estimates.state == "locked"
    assert locked.any()
    true_east = START.x + (estimates.stamp_s[locked] - 1417534257.594785) * SPEED
    errors = np.hypot(estimates.poses[locked, 0] - true_east, estimates.poses[locked, 1] - START.y)
    assert np.median(errors) < 1.0


def test_the_same_from_tar_files(source: Path, converted: Path, tmp_path: Path) -> None:
    """Packed in two tar files side by side, of which one is cut in its last file: what is whole is read in place."""
    tars = tmp_path / "downloads"
    tars.mkdir()
    for name in ("lms_front", "lms_rear"):
        pack(source / name, tars / f"{RUN}_{name}_01.tar", f"{RUN}/{name}")
    for name in ("vo", "gps"):
        pack(source / name, tars / f"{RUN}_{name}.tar", f"{RUN}/{name}")
    convert_robotcar(tars, tmp_path / "drive", sdk=source.parent, config=SMALL)
    for part in converted.glob("*.mcap"):
        assert (tmp_path / "drive" / part.name).read_bytes() == part.read_bytes()
    assert sorted(p.name for p in tars.iterdir()) == sorted(f"{RUN}_{n}.tar" for n in ("lms_front_01", "lms_rear_01", "vo", "gps"))

    cut = tars / f"{RUN}_lms_rear_01.tar"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    run_ = RobotCarRun(tars, source.parent)
    assert 150 < len(run_.stamps_us["lms_rear"]) < 250


def test_interrupted_and_gone_on_with(source: Path, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def interrupt(done_s: float, _: float) -> None:
        written.append(1)
        if len(written) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="goes on"):
        convert_robotcar(source, tmp_path / "drive", config=SMALL, progress=interrupt)
    assert not (tmp_path / "drive").exists()
    starts: list[int] = []
    true_write = robotcar_module._Conversion.write
    monkeypatch.setattr(
        robotcar_module._Conversion, "write", lambda self, bag, begin, end: (starts.append(begin), true_write(self, bag, begin, end))[0]
    )
    convert_robotcar(source, tmp_path / "drive", config=SMALL)
    assert len(starts) == 2  # of four parts, two were there
    for part in converted.glob("*.mcap"):
        assert (tmp_path / "drive" / part.name).read_bytes() == part.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["drive"]


def test_start_end_and_rate(source: Path, tmp_path: Path) -> None:
    selection = Selection(sensor="lms_front", start_s=2.0, end_s=4.0, rate_hz=2.0)
    assert convert_robotcar(source, tmp_path / "bag", selection).clouds == 4
    bag = BagReader(tmp_path / "bag")
    assert bag.duration_s == pytest.approx(2.0, abs=0.1)
    with pytest.raises(BagError, match="nothing of it is between"):
        convert_robotcar(source, tmp_path / "bag", Selection(start_s=100.0))


def test_the_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "robotcar", str(source), "--out", str(tmp_path / "bag"), "--sensor", "lms_rear", "--end", "1"]) == 0
    out = capsys.readouterr().out
    assert "5 clouds" in out
    assert "clouds of lms_rear, odometry, GNSS fixes, truth of" in out
    assert run(["convert", "robotcar", str(source), "--out", str(tmp_path / "bag"), "--sensor", "velodyne_left"]) == 1
    assert "has no velodyne_left, only lms_front, lms_rear" in capsys.readouterr().err


def little(tmp_path: Path, files: dict[str, bytes | str]) -> Path:
    folder = tmp_path / RUN
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    write_sdk(tmp_path)
    return folder


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    folder = little(tmp_path, {"ldmrs/1417534257594785.bin": triplets(np.array([[5.0, 1.0, -0.5]]))})
    result = convert_robotcar(folder, tmp_path / "bag")
    assert result.clouds == 1
    assert [m.split(":")[0] for m in result.missing] == [
        "no odometry (vo/vo.csv or gt/radar_odometry.csv)",
        "no gps/gps.csv",
        "no rtk.csv and no gps/ins.csv",
    ]
    # 5 m ahead, 1 m to the right and 0.5 m above the scanner, which is 3.2 m ahead and 0.1 m left of the INS and 0.2 m below it.
    cloud = decode(BagReader(tmp_path / "bag").cloud_at(0.0).message)
    np.testing.assert_allclose(cloud.points, [[8.2, -0.9, 0.3]], atol=1e-6)
    lms = little(tmp_path / "lms", {"lms_front/1417534257594785.bin": b""})
    with pytest.raises(BagError, match=r"no vo/vo\.csv or gt/radar_odometry\.csv, which put the scans"):
        convert_robotcar(lms, tmp_path / "bag")
    with pytest.raises(BagError, match="no sensor at all"):
        convert_robotcar(little(tmp_path / "none", {"readme.txt": "x"}), tmp_path / "bag")
    (tmp_path / "extrinsics" / "ldmrs.txt").unlink()
    with pytest.raises(BagError, match="SDK's folder"):
        convert_robotcar(folder, tmp_path / "bag")


def test_several_runs_are_refused(tmp_path: Path) -> None:
    little(tmp_path, {"ldmrs/1417534257594785.bin": b""})
    (tmp_path / RUN).rename(tmp_path / "2015-01-01-00-00-00")
    little(tmp_path, {"ldmrs/1417534257594786.bin": b""})
    with pytest.raises(BagError, match="several runs"):
        RobotCarRun(tmp_path)


def test_damaged_scans_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = triplets(np.array([[5.0, 1.0, 0.0]]))
    files = {f"ldmrs/{1417534257594785 + k * 100_000}.bin": whole if k % 2 else whole[:-1] for k in range(12)}
    assert convert_robotcar(little(tmp_path, files), tmp_path / "bag").clouds == 6
    assert caplog.text.count("no float64 triplets") == 3
    assert "more damaged files" in caplog.text


# One file each, the numbers worked out by hand.


def test_lms_and_ldmrs_bytes() -> None:
    content = triplets(np.array([[1.5, -2.0, 17.0], [0.0, 3.0, 18.0]]))
    assert len(content) == 48
    lms, ldmrs = read_scan("lms_front", "1.bin", content), read_scan("ldmrs", "1.bin", content)
    np.testing.assert_array_equal(lms.points, [[1.5, -2.0, 0.0], [0.0, 3.0, 0.0]])
    np.testing.assert_array_equal(lms.intensity, [17.0, 18.0])
    np.testing.assert_array_equal(ldmrs.points, [[1.5, -2.0, 17.0], [0.0, 3.0, 18.0]])


def test_velodyne_bytes() -> None:
    points = np.array([[1.5, -2.0, 17.0], [0.0, 3.0, 18.0]], np.float32)
    scan = read_scan("velodyne_left", "1.bin", velodyne_bin(points, np.array([7.0, 8.0])))
    np.testing.assert_array_equal(scan.points, points)
    np.testing.assert_array_equal(scan.intensity, [7.0, 8.0])


def test_velodyne_raw_bytes() -> None:
    """10 m at azimuth 90 degrees is x = 10 (sine), 20 m at 0 degrees is y = -20; beam 8 is level, beam 31 looks 30.67 degrees down."""
    ranges = np.zeros((32, 3), np.uint16)
    ranges[8, 0], ranges[8, 1], ranges[31, 1], ranges[0, 2] = 5000, 10_000, 1000, 500  # 500: 1 m, no return
    intensity = np.full((32, 3), 9, np.uint8)
    scan = read_scan("velodyne_right", "1.png", velodyne_png(ranges, intensity, np.array([9000, 0, 0]), np.array([100, 146, 192])))
    down = np.radians(30.67)
    expected = [[10, 0, -0.0908], [0, -20, -0.0908], [0, -2 * np.cos(down), 2 * np.sin(down) - 0.0908]]
    np.testing.assert_allclose(scan.points, expected, atol=2e-3)
    np.testing.assert_array_equal(scan.ring, [8, 8, 31])
    np.testing.assert_array_equal(scan.time_us, [100, 146, 146])
    np.testing.assert_array_equal(scan.intensity, [9, 9, 9])


def test_velodyne_in_a_bag_has_rings_and_times(tmp_path: Path) -> None:
    stamp = 1_547_131_046_106_167
    ranges = np.full((32, 4), 5000, np.uint16)
    times = stamp + np.array([-30_000, -10_000, 0, 20_000])
    content = velodyne_png(ranges, np.full((32, 4), 1, np.uint8), np.array([0, 9000, 18000, 27000]), times)
    folder = little(tmp_path, {f"velodyne_left/{stamp}.png": content})
    assert convert_robotcar(folder, tmp_path / "bag").clouds == 1
    message = BagReader(tmp_path / "bag").cloud_at(0.0).message
    assert [f.name for f in message.fields] == ["x", "y", "z", "intensity", "ring", "time"]
    cloud = decode(message)
    assert cloud.offset_s is not None
    np.testing.assert_allclose(np.unique(cloud.offset_s), [-0.03, -0.01, 0.0, 0.02], atol=1e-6)
    # Azimuth 90 degrees is the velodyne's x, which on the car looks backwards: 1.1 m ahead of the INS, 10 m behind the velodyne.
    level = cloud.points[(np.abs(cloud.offset_s + 0.01) < 1e-6)][8]
    np.testing.assert_allclose(level, [1.1 - 10.0, 0.1 + 0.35, 1.2 + 0.27 + 0.09], atol=0.01)


@given(st.sampled_from(["lms_front", "ldmrs", "velodyne_left"]), st.sampled_from(["1.bin", "1.png"]), st.binary(max_size=100))
@settings(max_examples=60)
def test_any_bytes_are_a_scan_or_an_error(sensor: str, name: str, content: bytes) -> None:
    try:
        points = read_scan(sensor, name, content).points
    except BagError:
        return
    assert points.shape == (len(points), 3)


def test_odometry_of_base_link_turning(tmp_path: Path) -> None:
    """The camera is 1.7 m ahead of the INS: when the INS turns on the spot, the camera moves aside; both ways of stamping are one."""
    poses = [Pose2(0.0, 0.0, 0.0), Pose2(2.0, 0.0, 0.5), Pose2(2.0, 0.0, 1.5)]
    folder = little(tmp_path, {"ldmrs/5.bin": b""})
    write_odometry(folder / "vo" / "vo.csv", [1_000_000, 1_060_000, 1_120_000], poses)
    odometry = read_odometry(RobotCarRun(folder))
    assert odometry is not None
    np.testing.assert_allclose(odometry.poses, [p.as_array() for p in poses], atol=1e-8)
    table = folder / "vo" / "vo.csv"
    rows = [row.split(",") for row in table.read_text().splitlines()]
    table.write_text("\n".join(",".join([r[1], r[0], *r[2:]] if k else r) for k, r in enumerate(rows)))
    again = read_odometry(RobotCarRun(folder))
    assert again is not None
    np.testing.assert_array_equal(again.poses, odometry.poses)
    np.testing.assert_allclose(odometry.at(np.array([1_030_000]))[0], [1.0, 0.0, 0.25], atol=1e-8)


def test_radar_odometry_is_taken_where_there_is_no_other(tmp_path: Path) -> None:
    rows = ["source_timestamp,destination_timestamp,x,y,z,roll,pitch,yaw,source_radar_timestamp,destination_radar_timestamp"]
    rows += [f"{1_250_000 + 250_000 * k},{1_000_000 + 250_000 * k},1.0,0,0,0,0,0,1,2" for k in range(4)]
    folder = little(tmp_path, {"ldmrs/5.bin": b"", "gt/radar_odometry.csv": "\n".join(rows)})
    odometry = read_odometry(RobotCarRun(folder))
    assert odometry is not None
    np.testing.assert_allclose(odometry.poses[-1], [4.0, 0.0, 0.0])
    assert read_odometry(RobotCarRun(folder), "vo") is None


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "source_timestamp,destination_timestamp,x,y,z,roll,pitch,yaw\n1,2,x,0,0,0,0,0\n"])
def test_damaged_tables(tmp_path: Path, text: str) -> None:
    folder = little(tmp_path, {"ldmrs/5.bin": b"", "vo/vo.csv": text})
    with pytest.raises(BagError, match=r"vo\.csv"):
        read_odometry(RobotCarRun(folder))


def test_rtk_comes_before_the_ins(tmp_path: Path) -> None:
    folder = little(tmp_path, {"ldmrs/1417534257594785.bin": triplets(np.array([[5.0, 1.0, 0.0]]))})
    stamps = [1417534257594785, 1417534257694785]
    write_positions(folder / "gps", AREA, stamps, [Pose2(0.0, 0.0, 0.0)] * 2)
    write_positions(folder, AREA, stamps, [Pose2(7.0, 1.0, 0.5)] * 2, rtk=True)
    assert "rtk.csv" in convert_robotcar(folder, tmp_path / "bag").used[-1]
    truth = BagReader(tmp_path / "bag").truth()
    assert truth is not None
    np.testing.assert_allclose(truth.poses(AREA.plane)[0], [7.0, 1.0, 0.5], atol=1e-3)


def test_real_fixes_and_extrinsics(data_dir: Path, tmp_path: Path) -> None:
    """The dataset's own gps.csv and extrinsics: where and how the sensors must sit on a car."""
    real = data_dir / "robotcar"
    folder = little(tmp_path, {"ldmrs/5.bin": b""})
    (folder / "gps").mkdir()
    (folder / "gps" / "gps.csv").symlink_to(real / "2014-12-02-15-30-08" / "gps.csv")
    robotcar = RobotCarRun(folder, real)
    fixes = read_fixes(robotcar)
    assert fixes is not None
    assert len(fixes.stamps_us) > 5000
    assert (np.diff(fixes.stamps_us) >= 0).all()
    assert fixes.lat_deg.min() > 51.7
    assert fixes.lon_deg.max() < -1.2
    assert 0.5 < np.median(fixes.sigma_east_m) < 5.0
    T_ins, T_front, T_rear, T_velodyne = (robotcar.T_base(s) for s in ("ins", "lms_front", "lms_rear", "velodyne_left"))
    np.testing.assert_allclose(T_ins.rotation, np.diag([1.0, -1.0, -1.0]), atol=1e-12)  # the same place, other axes
    np.testing.assert_allclose(T_ins.translation, 0.0, atol=1e-12)
    # The scanners' planes stand across the road: their normals, z, point along it. The rear one is behind, the velodyne on the roof.
    assert abs(T_front.rotation[0, 2]) > 0.95
    assert abs(T_rear.rotation[0, 2]) > 0.95
    assert 3.0 < T_front.translation[0] < 4.0
    assert -1.5 < T_rear.translation[0] < -0.5
    assert 1.2 < T_velodyne.translation[2] < 1.7


def test_stereo_pairs(tmp_path: Path) -> None:
    """A textured wall across the view: raw Bayer pictures, undistortion tables that move everything by two pixels."""
    width, height, focal, baseline, distance = 320, 240, 250.0, 0.24, 6.0
    disparity = round(focal * baseline / distance)
    texture = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (height, width + 40)).astype(np.uint8), (0, 0), 1.5)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    stamp = 1417534257594785
    files: dict[str, bytes | str] = {}
    for side, shift, y in (("left", 0, 0.0), ("right", disparity, baseline)):
        files[f"stereo/{side}/{stamp}.png"] = png(np.roll(texture, 2, axis=1)[:, shift : shift + width])
        model = f"{focal} {focal} 160 120\n0 0 1 0\n1 0 0 {y}\n0 1 0 0\n0 0 0 1\n"
        files[f"models/stereo_wide_{side}.txt"] = model
        v, u = np.mgrid[0:height, 0:width].astype(np.float64)
        files[f"models/stereo_wide_{side}_distortion_lut.bin"] = np.concatenate([(u + 2.0).ravel(), v.ravel()]).astype("<f8").tobytes()
    folder = little(tmp_path, files)
    (folder / "models").rename(tmp_path / "models")
    assert convert_robotcar(folder, tmp_path / "bag").clouds == 1
    points = decode(BagReader(tmp_path / "bag").cloud_at(0.0).message).points
    assert len(points) > 500
    ahead = -EXTRINSICS["ins"][0] + focal * baseline / disparity
    np.testing.assert_allclose(np.median(points[:, 0]), ahead, atol=0.1)
    # The picture ends 160 of 250 pixels to the right, and what is further left than the search is wide has no match.
    assert -3.74 - 0.2 < points[:, 1].min() < -3.74 + 0.3
    assert 0.87 - 0.3 < points[:, 1].max() < 0.87 + 0.1
