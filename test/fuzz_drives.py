# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed of drives: bags, whole and cut off, and the datasets' tables; see `fuzz_targets.py`."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_seeds import Make, Target, text, write

# --- bags -----------------------------------------------------------------------------------------------------------------------------


def _bag(storage: str) -> Make:
    def make(folder: Path) -> None:
        from test_bags_damaged import write as write_bag

        from urban_map_loc.bags.messages import CLOUD_TYPE, FIX_TYPE, ODOMETRY_TYPE, cloud_message, fix_message, odometry_message
        from urban_map_loc.geometry.pose2 import Pose2

        points = np.random.default_rng(0).normal(0.0, 10.0, (6, 3)).astype(np.float32)
        messages: list[tuple[float, str, str, Any]] = []
        for at in (100.0, 100.1, 100.2):
            messages.append((at, "/odom", ODOMETRY_TYPE, odometry_message(at, Pose2(at, 0.0, 0.0), (1.0, 0.0))))
            messages.append((at, "/points", CLOUD_TYPE, cloud_message(at, points, None, np.full(6, 50), "base_link")))
            messages.append((at, "/gnss/fix", FIX_TYPE, fix_message(at, 49.0, 8.0, np.eye(2), "gnss")))
        write_bag(folder / "bag", storage, messages)
        if storage == "mcap":
            write(folder / "bag" / "truth.csv", b"time_s,lat_deg,lon_deg,yaw_enu_rad\n100,49,8,0\n100.2,49,8.0001,0.1\n")

    return make


def _read_bag(path: Path) -> None:
    from urban_map_loc.bags.reader import BagReader, CloudRecord
    from urban_map_loc.cloud.intake import CloudIntake
    from urban_map_loc.config import CloudConfig, NodeConfig
    from urban_map_loc.errors import CloudError

    intake, bag = CloudIntake(NodeConfig(), CloudConfig()), BagReader(path)
    bag.frames()
    assert all(len(message) == 4 for message in bag.raw())
    for record in bag.records():
        if isinstance(record, CloudRecord):
            with suppress(CloudError):  # a cloud that is skipped with a reason
                intake.take(record.message)
    bag.truth()


def _storage_file(storage: str, suffix: str) -> tuple[Make, str]:
    def make(folder: Path) -> None:
        _bag(storage)(folder)
        (file,) = (folder / "bag").glob(f"*{suffix}")
        file.rename(folder / f"cut{suffix}")
        shutil.rmtree(folder / "bag")

    return make, f"cut{suffix}"


def _salvage(path: Path) -> None:
    from urban_map_loc.bags.storage import SALVAGES

    assert all(len(message) == 4 for message in SALVAGES[path.suffix](path))


# --- tables ---------------------------------------------------------------------------------------------------------------------------


def _read_trajectory(path: Path) -> None:
    from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
    from urban_map_loc.geometry.trajectory import Trajectory

    route = Trajectory.read_csv(path)
    route.at([100.0, route.time_s[0]], LocalTangentPlane(GeoPoint(49.0, 8.0)))


def _robotcar(folder: Path) -> None:
    from robotcar_files import write_odometry, write_positions, write_sdk
    from runs import tiny_area

    from urban_map_loc.geometry.pose2 import Pose2

    stamps = [1_417_534_257_594_785 + 62_500 * k for k in range(4)]
    poses = [Pose2(0.5 * k, 0.0, 0.1) for k in range(4)]
    write_sdk(folder / "run")
    write_odometry(folder / "run" / "vo" / "vo.csv", stamps, poses)
    write_positions(folder / "run" / "gps", tiny_area(), stamps, poses)
    write(folder / "run" / "lms_front" / f"{stamps[0]}.bin", b"\0" * 24)


def _robotcar_rtk(folder: Path) -> None:
    from robotcar_files import pack, write_positions
    from runs import tiny_area

    from urban_map_loc.geometry.pose2 import Pose2

    _robotcar(folder)
    write_positions(folder / "rtk", tiny_area(), [1_417_534_257_594_785], [Pose2(0.0, 0.0, 0.1)], rtk=True)
    pack(folder / "rtk", folder / "run" / "rtk.tar", "2014-12-02-15-30-08")
    shutil.make_archive(str(folder / "run" / "more"), "zip", folder / "rtk")
    shutil.rmtree(folder / "rtk")


def _read_robotcar(path: Path) -> None:
    from urban_map_loc.bags.robotcar_run import RobotCarRun
    from urban_map_loc.bags.robotcar_tables import read_fixes, read_odometry, read_truth
    from urban_map_loc.simulation.gnss import recorded_fixes

    run = RobotCarRun(path, path)
    odometry, truth = read_odometry(run), read_truth(run)
    if odometry is not None:
        odometry.at(odometry.stamps_us)
    assert truth is None or len(truth[1])
    read_fixes(run)
    if (path / "gps" / "gps.csv").is_file():
        recorded_fixes(path / "gps" / "gps.csv")


def _kitti(folder: Path) -> None:
    source = folder / "07"
    rows = "".join(f"1 0 0 0 0 1 0 0 0 0 1 {k}\n" for k in range(3))
    texts = {
        "calib.txt": "P2: 700 0 600 45 0 700 180 -0.3 0 0 1 0\nP3: 700 0 600 -340 0 700 180 2.3 0 0 1 0\nTr: 0 -1 0 0 0 0 -1 0 1 0 0 0\n",
        "times.txt": "0.0e+00\n1.0e-01\n2.0e-01\n",
        "odometry_cam0.txt": rows,
        "truth.csv": "time_s,lat_deg,lon_deg,yaw_enu_rad\n1,49,8,0\n1.1,49,8.0001,0\n1.2,49,8.0002,0\n",
    }
    for name, content in texts.items():
        write(source / name, content.encode())
    for k in range(3):
        write(source / "velodyne" / f"{k:06d}.bin", np.ones(8, "<f4").tobytes())
        write(source / "labels" / f"{k:06d}.label", np.full(2, 50, "<u4").tobytes())
    ranges = np.zeros((3, 8), np.float32)
    with (source / "building_range.npz").open("wb") as file:
        np.savez_compressed(file, ranges_m=ranges)


def _read_kitti(path: Path) -> None:
    from urban_map_loc.bags.kitti import RANGES_FILE, _ranges
    from urban_map_loc.bags.kitti_calibration import stereo_calibration
    from urban_map_loc.bags.kitti_sequence import read_sequence
    from urban_map_loc.config import ConversionConfig

    stereo_calibration(path / "calib.txt")
    drive = read_sequence(path, "auto", None, ConversionConfig())
    for number in drive.stamps_s:
        drive.cloud(number)
    assert _ranges(path / RANGES_FILE).ndim == 2


def _kitti_raw(folder: Path) -> None:
    stamps = "".join(f"2011-09-30 12:40:25.{k}62134784\n" for k in range(3))
    for k in range(3):
        write(folder / "drive" / "velodyne_points" / "data" / f"{k:010d}.bin", np.ones(4, "<f4").tobytes())
        packet = f"49.0 {8.0 + 1e-6 * k} 100 0.01 0.02 0.5 1 1 {8 + k} 0.1 0 0 0 9.8 0 0 9.8 0 0 0.01 0 0 0.01 0.05 0.05 4 9 5 5 0"
        write(folder / "drive" / "oxts" / "data" / f"{k:010d}.txt", packet.encode())
    for name in ("velodyne_points", "oxts"):
        write(folder / "drive" / name / "timestamps.txt", stamps.encode())
    write(folder / "drive" / "calib_imu_to_velo.txt", b"calib_time: x\nR: 1 0 0 0 1 0 0 0 1\nT: -0.8 0.3 -0.8\n")


def _read_kitti_raw(path: Path) -> None:
    from urban_map_loc.bags.kitti_raw import read_raw

    drive = read_raw(path, "auto")
    for number in drive.stamps_s:
        drive.cloud(number)


ROUTE = "# a comment\ntime_s,lat_deg,lon_deg,yaw_enu_rad,more\n100.0,49.0,8.0,0.0,a\n100.5,49.0001,8.0001,3.1,b\n101.0,49.0002,8.0,-3.1,c\n"
INS = (
    "timestamp,ins_status,latitude,longitude,altitude,northing,easting,down,utm_zone,velocity_north,velocity_east,velocity_down,roll,pitch,yaw\n"
    "1417534257594785,INS_SOLUTION_GOOD,51.760594,-1.261501,113.1,5735839.5,620006.6,-113.1,30U,0,0,0,0.02,0.03,-0.47\n"
    "1417534257657285,INS_SOLUTION_GOOD,51.760595,-1.261502,113.1,5735839.6,620006.7,-113.1,30U,0,0,0,0.02,0.03,-0.48\n"
)
ZIPPED = {name: (_bag(name), "bag") for name in ("mcap in zstd chunks", "mcap of zstd messages", "mcap as zstd file")}
CUT = tuple(_storage_file(*which) for which in (("mcap", ".mcap"), ("mcap in zstd chunks", ".mcap"), ("sqlite3", ".db3")))

DRIVES = {
    "mcap bag": Target(((_bag("mcap"), "bag"),), _read_bag),
    "compressed bag": Target((*ZIPPED.values(), (_bag("sqlite3 of zstd messages"), "bag")), _read_bag),
    "sqlite bag": Target(((_bag("sqlite3"), "bag"),), _read_bag),
    "salvage": Target(CUT, _salvage),
    "route": Target((text("route.csv", ROUTE), text("ins.csv", INS)), _read_trajectory),
    "robotcar tables": Target(((_robotcar, "run"), (_robotcar_rtk, "run")), _read_robotcar),
    "kitti": Target(((_kitti, "07"),), _read_kitti),
    "kitti raw": Target(((_kitti_raw, "drive"),), _read_kitti_raw),
}  # fmt: skip
