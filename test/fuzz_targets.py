# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed as files: for each target tiny whole inputs, made by the writers of the formats, and the reading to its end.

A new file format gets a line in `TARGETS`; `test_fuzz_files.py` does the rest. Imports wait inside the functions: the process that
reads loads only what its cases need.
"""

from __future__ import annotations

import bz2
import gzip
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Make = Callable[[Path], None]


@dataclass(frozen=True)
class Target:
    """`seeds`: functions that fill a folder, with the name of what is then read in it. `read`: reads it to its end."""

    seeds: tuple[tuple[Make, str], ...]
    read: Callable[[Path], object]


def _text(name: str, content: str) -> tuple[Make, str]:
    return (lambda folder: _write(folder / name, content.encode()), name)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


# --- clouds ---------------------------------------------------------------------------------------------------------------------------


def _scan(folder: Path) -> None:
    points = np.random.default_rng(0).normal(0.0, 10.0, (12, 4)).astype("<f4")
    _write(folder / "a.bin", points.tobytes())
    _write(folder / "a.label", np.full(12, 50, "<u4").tobytes())


def _pcd(data: str) -> Make:
    def make(folder: Path) -> None:
        from test_cloud_files import pcd, xyz

        columns = xyz() | {"label": np.arange(len(xyz()["x"])).astype("<u2")}
        _write(folder / "a.pcd", pcd(columns, data))

    return make


def _read_cloud(path: Path) -> None:
    from urban_map_loc.cloud.files import read_cloud_file

    labels = path.with_suffix(".label")
    cloud = read_cloud_file(path, labels if labels.is_file() else None)
    assert cloud.cloud.points.shape[1] == 3


def _picture(folder: Path) -> None:
    from robotcar_files import png

    _write(folder / "velodyne_left.png", png(np.random.default_rng(0).integers(0, 255, (106, 8), np.uint8)))


def _robotcar_scan(sensor: str, kind: str) -> tuple[Make, str]:
    return (lambda folder: _write(folder / f"{sensor}.bin", np.linspace(1.0, 9.0, 12).astype(kind).tobytes()), f"{sensor}.bin")


def _read_robotcar_scan(path: Path) -> None:
    from urban_map_loc.bags.robotcar_scans import read_scan

    read_scan(path.stem, path.name, path.read_bytes())


def _undistortion(folder: Path) -> None:
    _write(folder / "lut.bin", np.linspace(0.0, 3.0, 2 * 4 * 4).astype("<f8").tobytes())
    _write(folder / "camera.txt", ("400 400 2 2\n" + "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n").encode())


def _read_camera(folder: Path) -> None:
    from urban_map_loc.cloud.camera import read_robotcar_camera, read_undistortion_table, undistort_image

    read_robotcar_camera(folder / "camera.txt")
    undistort_image(np.zeros((4, 4), np.uint8), read_undistortion_table(folder / "lut.bin", 4, 4))


# --- maps -----------------------------------------------------------------------------------------------------------------------------


def _osm_text() -> str:
    from osm_documents import STREET, document, relation, square, way

    ways = way(1, square(1, 1), building="yes", height="7.5 m") + way(2, square(4, 4, 3)) + way(3, square(5, 5)) + STREET
    ways += (
        way(4, [(0, 0), (5, 0)], barrier="wall") + way(5, square(7, 1), building__part="yes") + way(6, [(0, 8), (9, 8)], highway="service")
    )
    return document(
        ways, relation(7, [(2, "outer"), (3, "inner")], building="yes"), '<bounds minlat="50" minlon="8" maxlat="50.01" maxlon="8.01"/>'
    )


def _osm_xml(folder: Path) -> None:
    _write(folder / "map.osm", _osm_text().encode())


def _osm_packed(suffix: str) -> Make:
    return lambda folder: _write(folder / f"map.osm.{suffix}", {"gz": gzip, "bz2": bz2}[suffix].compress(_osm_text().encode()))


def _osm_pbf(compression: str) -> Make:
    def make(folder: Path) -> None:
        import osmium

        _osm_xml(folder)
        with osmium.SimpleWriter(osmium.io.File(str(folder / "map.osm.pbf"), f"pbf,pbf_compression={compression}")) as out:
            for item in osmium.FileProcessor(str(folder / "map.osm")):
                out.add(item)
        (folder / "map.osm").unlink()

    return make


def _read_osm(path: Path) -> None:
    from urban_map_loc.area.osm import read_osm

    _use_area(read_osm(path))


def _use_area(area: Any) -> None:
    assert len(area.content_hash) == 64
    assert len(area.bounds) == 4
    assert len(area.tunnel_lines) == len(area.tunnels)
    assert len(area.barrier_lines) == len(area.barriers)


def _geopackage(folder: Path) -> None:
    from runs import tiny_area

    from urban_map_loc.area.geopackage import write_area

    write_area(tiny_area(), folder / "area.gpkg")


def _read_geopackage(path: Path) -> None:
    from urban_map_loc.area.geopackage import read_area

    _use_area(read_area(path))


# --- models ---------------------------------------------------------------------------------------------------------------------------


def _checkpoint(folder: Path) -> None:
    from test_mapnet_checkpoint import checkpoint

    from urban_map_loc.mapnet.checkpoint import save_checkpoint

    save_checkpoint(checkpoint(rings=4, headings=4, view_size=16), folder / "m.safetensors")


def _read_checkpoint(path: Path) -> None:
    from urban_map_loc.mapnet.checkpoint import load_checkpoint

    load_checkpoint(path).network.hypotheses(np.zeros((96, 96), np.uint8), 2)


def _segmentation(folder: Path) -> None:
    import torch

    from urban_map_loc.cloud.fcn import Fcn, FcnNetwork
    from urban_map_loc.cloud.fcn_file import save_fcn
    from urban_map_loc.config import FcnConfig

    torch.manual_seed(0)
    save_fcn(Fcn(FcnNetwork(), FcnConfig()), folder / "fcn.safetensors")


def _read_segmentation(path: Path) -> None:
    from urban_map_loc.cloud.fcn_file import load_fcn

    load_fcn.cache_clear()
    load_fcn(path)


def _training_parts() -> tuple[Any, Any]:
    import torch

    module = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return module, optimizer


def _training_state(folder: Path) -> None:
    from urban_map_loc.training.state import save_state

    module, optimizer = _training_parts()
    save_state(folder / "m.resume", {"network": module}, optimizer, {"identity": "a", "step": "3"})


def _read_training_state(path: Path) -> None:
    from urban_map_loc.training.state import load_state

    module, optimizer = _training_parts()
    load_state(path, {"network": module}, optimizer, "a")


# --- bags -----------------------------------------------------------------------------------------------------------------------------


def _bag(storage: str) -> Make:
    def make(folder: Path) -> None:
        from test_bags_damaged import write

        from urban_map_loc.bags.messages import CLOUD_TYPE, FIX_TYPE, ODOMETRY_TYPE, cloud_message, fix_message, odometry_message
        from urban_map_loc.geometry.pose2 import Pose2

        points = np.random.default_rng(0).normal(0.0, 10.0, (6, 3)).astype(np.float32)
        messages: list[tuple[float, str, str, Any]] = []
        for at in (100.0, 100.1, 100.2):
            messages.append((at, "/odom", ODOMETRY_TYPE, odometry_message(at, Pose2(at, 0.0, 0.0), (1.0, 0.0))))
            messages.append((at, "/points", CLOUD_TYPE, cloud_message(at, points, None, np.full(6, 50), "base_link")))
            messages.append((at, "/gnss/fix", FIX_TYPE, fix_message(at, 49.0, 8.0, np.eye(2), "gnss")))
        write(folder / "bag", storage, messages)
        if storage == "mcap":
            _write(folder / "bag" / "truth.csv", b"time_s,lat_deg,lon_deg,yaw_enu_rad\n100,49,8,0\n100.2,49,8.0001,0.1\n")

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
    _write(folder / "run" / "lms_front" / f"{stamps[0]}.bin", b"\0" * 24)


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
        _write(source / name, content.encode())
    for k in range(3):
        _write(source / "velodyne" / f"{k:06d}.bin", np.ones(8, "<f4").tobytes())
        _write(source / "labels" / f"{k:06d}.label", np.full(2, 50, "<u4").tobytes())
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
        _write(folder / "drive" / "velodyne_points" / "data" / f"{k:010d}.bin", np.ones(4, "<f4").tobytes())
        packet = f"49.0 {8.0 + 1e-6 * k} 100 0.01 0.02 0.5 1 1 {8 + k} 0.1 0 0 0 9.8 0 0 9.8 0 0 0.01 0 0 0.01 0.05 0.05 4 9 5 5 0"
        _write(folder / "drive" / "oxts" / "data" / f"{k:010d}.txt", packet.encode())
    for name in ("velodyne_points", "oxts"):
        _write(folder / "drive" / name / "timestamps.txt", stamps.encode())
    _write(folder / "drive" / "calib_imu_to_velo.txt", b"calib_time: x\nR: 1 0 0 0 1 0 0 0 1\nT: -0.8 0.3 -0.8\n")


def _read_kitti_raw(path: Path) -> None:
    from urban_map_loc.bags.kitti_raw import read_raw

    drive = read_raw(path, "auto")
    for number in drive.stamps_s:
        drive.cloud(number)


# --- what the project keeps for itself --------------------------------------------------------------------------------------------------


def _run(folder: Path) -> None:
    from runs import write_run

    write_run(folder)
    for name in ("area.gpkg", "bag", "area.gpkg.raster"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).unlink(missing_ok=True)


def _read_run(path: Path) -> None:
    from urban_map_loc.evaluation.run_files import read_run

    run = read_run(path)
    assert run.title
    assert run.estimates.offered.shape == run.estimates.stamp_s.shape


def _last_pose(folder: Path) -> None:
    kept = {"stamp_s": 1.0, "lat_deg": 49.0, "lon_deg": 8.0, "yaw_enu_rad": 0.5, "covariance": np.eye(3).tolist()}
    _write(folder / "pose.json", json.dumps(kept).encode())


def _read_last_pose(path: Path) -> None:
    from urban_map_loc.config import PriorConfig
    from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
    from urban_map_loc.localization.last_pose import load_last_pose

    prior = load_last_pose(path, LocalTangentPlane(GeoPoint(49.0, 8.0)), PriorConfig())
    assert prior is None or np.linalg.eigvalsh(prior.covariance)[0] > 0.0


ROUTE = "# a comment\ntime_s,lat_deg,lon_deg,yaw_enu_rad,more\n100.0,49.0,8.0,0.0,a\n100.5,49.0001,8.0001,3.1,b\n101.0,49.0002,8.0,-3.1,c\n"
INS = (
    "timestamp,ins_status,latitude,longitude,altitude,northing,easting,down,utm_zone,velocity_north,velocity_east,velocity_down,roll,pitch,yaw\n"
    "1417534257594785,INS_SOLUTION_GOOD,51.760594,-1.261501,113.1,5735839.5,620006.6,-113.1,30U,0,0,0,0.02,0.03,-0.47\n"
    "1417534257657285,INS_SOLUTION_GOOD,51.760595,-1.261502,113.1,5735839.6,620006.7,-113.1,30U,0,0,0,0.02,0.03,-0.48\n"
)
ZIPPED = {name: (_bag(name), "bag") for name in ("mcap in zstd chunks", "mcap of zstd messages", "mcap as zstd file")}
SCANS = tuple(_robotcar_scan(sensor, kind) for sensor, kind in (("lms_front", "<f8"), ("ldmrs", "<f8"), ("velodyne_left", "<f4")))
CUT = tuple(_storage_file(*which) for which in (("mcap", ".mcap"), ("mcap in zstd chunks", ".mcap"), ("sqlite3", ".db3")))

TARGETS = {
    "scan": Target(((_scan, "a.bin"),), _read_cloud),
    "pcd": Target(tuple((_pcd(data), "a.pcd") for data in ("ascii", "binary", "binary_compressed")), _read_cloud),
    "robotcar scan": Target((*SCANS, (_picture, "velodyne_left.png")), _read_robotcar_scan),
    "robotcar camera": Target(((_undistortion, "."),), _read_camera),
    "osm": Target(((_osm_xml, "map.osm"), (_osm_packed("gz"), "map.osm.gz"), (_osm_packed("bz2"), "map.osm.bz2")), _read_osm),
    "pbf": Target(((_osm_pbf("none"), "map.osm.pbf"), (_osm_pbf("zlib"), "map.osm.pbf")), _read_osm),
    "geopackage": Target(((_geopackage, "area.gpkg"),), _read_geopackage),
    "checkpoint": Target(((_checkpoint, "m.safetensors"),), _read_checkpoint),
    "segmentation": Target(((_segmentation, "fcn.safetensors"),), _read_segmentation),
    "training state": Target(((_training_state, "m.resume"),), _read_training_state),
    "mcap bag": Target(((_bag("mcap"), "bag"),), _read_bag),
    "compressed bag": Target((*ZIPPED.values(), (_bag("sqlite3 of zstd messages"), "bag")), _read_bag),
    "sqlite bag": Target(((_bag("sqlite3"), "bag"),), _read_bag),
    "salvage": Target(CUT, _salvage),
    "route": Target((_text("route.csv", ROUTE), _text("ins.csv", INS)), _read_trajectory),
    "robotcar tables": Target(((_robotcar, "run"), (_robotcar_rtk, "run")), _read_robotcar),
    "kitti": Target(((_kitti, "07"),), _read_kitti),
    "kitti raw": Target(((_kitti_raw, "drive"),), _read_kitti_raw),
    "run": Target(((_run, "run"),), _read_run),
    "last pose": Target(((_last_pose, "pose.json"),), _read_last_pose),
}  # fmt: skip
