# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What fuzzing found, and what declares or unpacks to more than it is: each as small as it gets."""

from __future__ import annotations

import gzip
import json
import sqlite3
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from osm_documents import STREET, document, square, way
from runs import tiny_area, write_run

from urban_map_loc import reading
from urban_map_loc.area.atlas import ATLAS_FILE, read_atlas
from urban_map_loc.area.geopackage import read_area, write_area
from urban_map_loc.area.osm import read_osm
from urban_map_loc.bags.dataset_files import DatasetFiles
from urban_map_loc.bags.kitti import _ranges, velodyne_poses
from urban_map_loc.bags.kitti_calibration import velodyne_calibration
from urban_map_loc.bags.kitti_raw import _timestamps
from urban_map_loc.bags.robotcar_scans import lms_scan
from urban_map_loc.bags.robotcar_tables import _stamp
from urban_map_loc.cloud.camera import read_undistortion_table
from urban_map_loc.cloud.files import read_cloud_file
from urban_map_loc.cloud.stereo import PNG_BEGINS, decode_image
from urban_map_loc.config import LocalizerConfig, PriorConfig
from urban_map_loc.errors import AreaError, BagError, CloudError, ConfigurationError, UrbanMapLocError
from urban_map_loc.evaluation.frames import FORMAT, read_frames
from urban_map_loc.evaluation.run_files import read_run
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.localization.last_pose import load_last_pose
from urban_map_loc.settings import from_dict, nested

PLANE = LocalTangentPlane(GeoPoint(49.0, 8.0))
DEEP = "[" * 100_000
BOMB = 8_000_000  # zeros, which pack to almost nothing


def test_errors_are_one_line_that_no_terminal_takes_for_a_command():
    assert str(UrbanMapLocError("a\nb\r\n\x1b[31mc; d")) == "a b \ufffd[31mc; d"
    long = str(UrbanMapLocError("a" * 5000 + "; copy it again"))
    assert len(long) < 1100
    assert long.endswith("; copy it again")


# --- maps


@pytest.mark.parametrize(("old", "new"), [('lat="50.0000000"', 'lat="5:"'), ('id="900"', 'id="9x"'), ('lat="50.0000000"', 'lat="91000"')])
def test_osm_with_numbers_that_are_none(tmp_path, old, new):
    text = document(way(1, square(1, 1), building="yes") + STREET)
    (tmp_path / "map.osm").write_text(text.replace(old, new, 1))
    with pytest.raises(AreaError, match=r"map\.osm is no whole OpenStreetMap file"):
        read_osm(tmp_path / "map.osm")


def test_osm_in_no_encoding(tmp_path):
    import osmium

    path = tmp_path / "map.osm.pbf"
    (tmp_path / "map.osm").write_text(document(way(1, square(1, 1), building="yes") + STREET))
    with osmium.SimpleWriter(osmium.io.File(str(path), "pbf,pbf_compression=none,pbf_dense_nodes=false")) as out:
        for item in osmium.FileProcessor(str(tmp_path / "map.osm")):
            out.add(item)
    path.write_bytes(path.read_bytes().replace(b"residential", b"residentia\xff"))
    with pytest.raises(AreaError, match="no whole OpenStreetMap file"):
        read_osm(path)


def test_osm_whose_entities_stand_for_billions(tmp_path):
    entities = "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 12))
    (tmp_path / "map.osm").write_text(f'<?xml version="1.0"?><!DOCTYPE osm [<!ENTITY a0 "x">{entities}]><osm version="0.6">&a11;</osm>')
    with pytest.raises(AreaError, match="no whole OpenStreetMap file"):
        read_osm(tmp_path / "map.osm")


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIEW metadata AS WITH RECURSIVE n(key) AS (SELECT 1 UNION ALL SELECT key + 1 FROM n) SELECT key, key AS value FROM n",
        "CREATE TABLE metadata (key TEXT, value TEXT AS (zeroblob(1000000000)))",
        "CREATE VIRTUAL TABLE metadata USING fts5(key, value)",
    ],
)
def test_an_area_that_computes(tmp_path, sql):
    path = tmp_path / "a.gpkg"
    write_area(tiny_area(), path)
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE metadata")
        database.execute(sql)
    with pytest.raises(AreaError, match="holds 'metadata.*', which SQLite would have to compute"):
        read_area(path)


# --- tables


@pytest.mark.parametrize(
    "row",
    ["1417534257594785,51.7,-1.2,1e308,6e5,30U,0", "1417534257594785,51.7,-1.2,5e6,6e5,,0", "1417534257594785,51.7,-1.2,5e6,6e5,99Q,0"],
)
def test_no_utm(tmp_path, row):
    (tmp_path / "ins.csv").write_text(f"timestamp,latitude,longitude,northing,easting,utm_zone,yaw\n{row}\n")
    with pytest.raises(BagError, match="none of UTM"):
        Trajectory.read_csv(tmp_path / "ins.csv")


@pytest.mark.parametrize(("stamp", "yaw"), [("9" * 20, "0"), ("1417534257594785", "inf"), ("1417534257594785", "nan")])
def test_no_stamp_and_no_heading(tmp_path, stamp, yaw):
    (tmp_path / "ins.csv").write_text(f"timestamp,latitude,longitude,yaw\n{stamp},51.7,-1.2,{yaw}\n")
    with pytest.raises(BagError, match="a value or column is damaged"):
        Trajectory.read_csv(tmp_path / "ins.csv")


def test_a_pcd_that_claims_more_rows_than_can_be_counted(tmp_path):
    (tmp_path / "a.pcd").write_text(f"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS {10**30}\nDATA ascii\n1 2 3\n")
    with pytest.raises(CloudError, match="cut short"):
        read_cloud_file(tmp_path / "a.pcd")


def test_no_degrees(tmp_path):
    (tmp_path / "a.csv").write_text("time_s,lat_deg,lon_deg,yaw_enu_rad\n1,1e308,8,0\n")
    with pytest.raises(BagError, match="no degrees"):
        Trajectory.read_csv(tmp_path / "a.csv")


@pytest.mark.parametrize(("text", "stamp"), [("9" * 5000, 0), ("9" * 19, 0), ("²", 0), (" 1417534257594785 ", 1417534257594785)])
def test_stamps_of_robotcar(text, stamp):
    assert _stamp(text) == stamp


def test_numbers_beyond_float32_are_no_points(tmp_path):
    assert np.isinf(lms_scan("a", np.array([1e300, 0.0, 1.0]).tobytes()).points[0, 0])
    (tmp_path / "lut.bin").write_bytes(b"\x01\x00\x00\x00\x00\x00\xf0\x7f" + np.array([1e300]).tobytes())  # a signalling NaN
    assert not np.isfinite(read_undistortion_table(tmp_path / "lut.bin", 1, 1)).any()


@pytest.mark.parametrize("line", ["Tr: inf 0 0 0 0 1 0 0 0 0 1 0", "Tr: 0 0 0 0 0 0 0 0 0 0 0 0", "Tr: 2 0 0 0 0 1 0 0 0 0 1 0"])
def test_a_calibration_that_is_no_rotation(tmp_path, line):
    (tmp_path / "calib.txt").write_text(line)
    (tmp_path / "poses.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n")
    for read in (velodyne_calibration, lambda path: velodyne_poses(tmp_path / "poses.txt", path)):
        with pytest.raises(BagError, match="calib.txt: Tr holds"):
            read(tmp_path / "calib.txt")


def test_a_thirteenth_month(tmp_path):
    (tmp_path / "timestamps.txt").write_text("2011-13-30 12:40:25.0\n")
    with pytest.raises(BagError, match="line 1 is no time"):
        _timestamps(tmp_path / "timestamps.txt")


# --- what is kept


@pytest.mark.parametrize(
    "change",
    [
        {"lat_deg": 1e308}, {"lat_deg": 10**400}, {"lon_deg": "nan"}, {"yaw_enu_rad": 1e300},
        {"covariance": [[1, 2], [3]]}, {"covariance": np.diag([-1e6, 1, 1]).tolist()},
        {"covariance": [[1, 0, 0], [5, 1, 0], [0, 0, 1]]}, {"covariance": [[1e300] * 3] * 3},
    ],
)  # fmt: skip
def test_a_last_pose_that_is_none(tmp_path, change):
    kept = {"lat_deg": 49.0, "lon_deg": 8.0, "yaw_enu_rad": 0.5, "covariance": np.eye(3).tolist()}
    (tmp_path / "pose.json").write_text(json.dumps(kept))
    assert load_last_pose(tmp_path / "pose.json", PLANE, PriorConfig()) is not None
    (tmp_path / "pose.json").write_text(json.dumps(kept | change))
    assert load_last_pose(tmp_path / "pose.json", PLANE, PriorConfig()) is None


def test_json_nested_too_deep(tmp_path):
    (tmp_path / ATLAS_FILE).write_text(DEEP)
    with pytest.raises(AreaError, match="nested too deep"):
        read_atlas(tmp_path)
    (tmp_path / "run.json").write_text(DEEP)
    assert load_last_pose(tmp_path / "run.json", PLANE, PriorConfig()) is None
    with pytest.raises(BagError, match="nested too deep"):
        read_run(tmp_path)
    with gzip.open(tmp_path / "frames.jsonl.gz", "wt") as file:
        file.write(json.dumps({"format": FORMAT, "tile_m": 1.0}) + "\n" + DEEP)
    with pytest.raises(BagError, match="nested too deep"):
        read_frames(tmp_path / "frames.jsonl.gz")


# --- more than it is


def test_a_file_that_is_too_large_is_refused_with_the_way_out(tmp_path, small):
    (tmp_path / "a.bin").write_bytes(bytes(1_600_000))
    with pytest.raises(
        CloudError, match=r"a.bin has 1.6 MB, more than 1; give a smaller one, or set URBAN_MAP_LOC_LARGEST_CLOUD_MB if you"
    ):
        read_cloud_file(tmp_path / "a.bin")
    (tmp_path / "a.csv").write_text("time_s" + " " * 1_600_000)
    with pytest.raises(BagError, match="LARGEST_TABLE_MB"):
        Trajectory.read_csv(tmp_path / "a.csv")


def test_a_bound_that_is_no_number(tmp_path, monkeypatch):
    monkeypatch.setenv("URBAN_MAP_LOC_LARGEST_CLOUD_MB", "much")
    with pytest.raises(UrbanMapLocError, match="URBAN_MAP_LOC_LARGEST_CLOUD_MB is 'much'; give a number"):
        reading.bounds()


def test_archives_that_claim_or_unpack_to_more_than_they_are(tmp_path, small):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        header = tarfile.TarInfo("claims.csv")
        header.size = 1 << 40
        archive.fileobj.write(header.tobuf())
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("unpacks.csv", bytes(BOMB))
    files = DatasetFiles(tmp_path)
    with pytest.raises(BagError, match="cut short"):
        files.read("claims.csv")
    with pytest.raises(BagError, match="unpacks.csv in .* has 8 MB"):
        files.read("unpacks.csv")
    np.savez_compressed(tmp_path / "r.npz", ranges_m=np.zeros((1000, 1000), np.float32))
    with pytest.raises(BagError, match="r.npz, unpacked, has"):
        _ranges(tmp_path / "r.npz")
    content = bytearray((tmp_path / "r.npz").read_bytes())
    content[80:120] = b"\xff" * 40
    (tmp_path / "d.npz").write_bytes(content)
    with pytest.raises(BagError):
        _ranges(tmp_path / "d.npz")


def test_archives_of_what_has_no_name_or_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in ("", "b.csv"):
            packed.writestr(zipfile.ZipInfo(name), b"1")
    assert list(DatasetFiles(tmp_path)) == ["b.csv"]
    with zipfile.ZipFile(tmp_path / "r.npz", "w") as packed:
        packed.writestr("ranges_m.npy", b"no array")
    with pytest.raises(BagError, match="r.npz is damaged .ranges_m is no array.; copy it again"):
        _ranges(tmp_path / "r.npz")


def test_a_setting_that_is_a_value_and_holds_others():
    for given in ({"a": 1, "a.b": 2}, {"": 0, ".": None}):
        with pytest.raises(ConfigurationError, match="give one of them"):
            nested(given)


@pytest.mark.parametrize("value", [0, "label", None, {"label": 1}])
def test_a_setting_that_takes_several_and_is_given_one(value):
    with pytest.raises(ConfigurationError, match="label_fields is .*; give a list of str"):
        from_dict(LocalizerConfig, {"cloud": {"label_fields": value}})
    assert from_dict(LocalizerConfig, {"cloud": {"label_fields": ["a", "b"]}}).cloud.label_fields == ("a", "b")


def test_a_value_where_settings_belong():
    with pytest.raises(ConfigurationError, match="CloudConfig is 3, where settings by name belong"):
        from_dict(LocalizerConfig, {"cloud": 3})


@pytest.mark.parametrize(
    "change",
    ['""', "[]", {"files": ""}, {"files": {"bag": 1}}, {"latency_ms": {"total": []}}, {"latency_ms": {"total": {"mean": None}}}]
    + [{"events": [1]}, {"events": [{"stamp_s": "1", "state": "locked", "reason": ""}]}, {"skipped": 3}, {"configuration": []}]
    + [{"events": [{"stamp_s": 10**400, "state": "locked", "reason": ""}]}],
)
def test_a_run_that_says_other_things_than_runs_do(tmp_path, change):
    write_run(tmp_path)
    file = tmp_path / "run" / "run.json"
    file.write_text(change if isinstance(change, str) else json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(BagError, match=r"run.json is damaged .*; run `urban_map_loc localize` again"):
        read_run(tmp_path / "run")


def test_pictures_of_too_many_pixels_and_of_other_kinds():
    with pytest.raises(BagError, match="has 4.5036e\\+09 Mpx, more than 100"):
        decode_image(PNG_BEGINS + struct.pack(">II", 1 << 26, 1 << 26) + bytes(20), "a.png")
    for content in (b"", b"BM" + bytes(60), PNG_BEGINS, PNG_BEGINS + struct.pack(">II", 3, 3) + bytes(20)):
        with pytest.raises(BagError, match="picture"):
            decode_image(content, "a.png")


def test_frames_that_unpack_to_any_size(tmp_path, monkeypatch):
    monkeypatch.setenv("URBAN_MAP_LOC_LARGEST_FRAMES_MB", "0.02")
    head = json.dumps({"format": FORMAT, "tile_m": 1.0}).encode() + b"\n"
    for body in (b" " * BOMB, b"{}\n" * (BOMB // 20)):
        (tmp_path / "frames.jsonl.gz").write_bytes(gzip.compress(head + body, 1))
        with pytest.raises(BagError, match="LARGEST_FRAMES_MB"):
            read_frames(tmp_path / "frames.jsonl.gz")
