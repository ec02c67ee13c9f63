# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`cloud extract` and `cloud show`: files and bags in, arrays and pictures out, one line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from towns import one_block

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.cli.main import run
from urban_map_loc.evaluation.cloud_picture import WALL_COLOUR
from urban_map_loc.geometry.geodesy import LocalTangentPlane
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory

GROUND = np.stack(np.meshgrid(np.arange(-30.0, 30.0, 0.4), np.arange(-20.0, 20.0, 0.4), [0.0]), axis=-1).reshape(-1, 3)
WALL = np.stack(np.meshgrid([10.0], np.arange(-10.0, 10.0, 0.15), np.arange(0.0, 5.0, 0.15)), axis=-1).reshape(-1, 3)
POINTS = np.concatenate([GROUND, [[np.nan] * 3, [5.0, np.inf, 0.0]], WALL]).astype(np.float32)
LABEL = np.concatenate([np.full(len(GROUND), 40), [50, 50], np.full(len(WALL), 50)]).astype("<u4")
IS_WALL = np.arange(len(POINTS)) >= len(GROUND) + 2


def kitti(folder: Path, points: NDArray = POINTS) -> Path:
    path = folder / "a.bin"
    path.write_bytes(np.column_stack([points, np.zeros(len(points))]).astype("<f4").tobytes())
    return path


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Two clouds with labels, 1 s apart: ground, then ground and wall; the car stands at the datum of `one_block` and heads east."""
    plane, path = LocalTangentPlane(one_block().datum), tmp_path / "drive"
    with BagWriter(path) as writer:
        for stamp_s, points, label in ((10.0, GROUND, None), (11.0, POINTS, LABEL)):
            writer.write_odometry(stamp_s, Pose2.identity())
            writer.write_cloud(stamp_s, points, label=label)
        writer.write_truth(Trajectory.from_poses([10.0, 10.5, 11.0], np.zeros((3, 3)), plane))
    return path


def extracted(*arguments: str | Path) -> dict[str, NDArray]:
    out = Path(arguments[0]).parent / "out.npz"
    assert run(["cloud", "extract", *map(str, arguments), "--out", str(out)]) == 0
    with np.load(out, allow_pickle=False) as arrays:
        return dict(arrays)


def test_every_point_of_a_file_in_its_order(tmp_path, capsys):
    out = extracted(kitti(tmp_path), "--kind", "geometric")
    np.testing.assert_array_equal(out["points"], POINTS)
    assert (out["points"].dtype, out["building"].dtype, out["road"].dtype) == (np.float32, bool, bool)
    assert out["building"].shape == out["road"].shape == (len(POINTS),)
    assert out["building"][IS_WALL & (POINTS[:, 2] > 0.5)].mean() > 0.95
    assert not out["building"][~IS_WALL].any()
    assert f"{len(POINTS)} points, 2 not finite" in capsys.readouterr().out


def test_labels_beside_a_file(tmp_path):
    (tmp_path / "a.label").write_bytes((LABEL | 3 << 16).astype("<u4").tobytes())
    out = extracted(kitti(tmp_path), "--labels", tmp_path / "a.label", "--kind", "labels")
    assert out["building"].tolist() == IS_WALL.tolist()
    out = extracted(kitti(tmp_path), "--labels", tmp_path / "a.label", "--set", "building_labels=[40]")
    assert out["building"].tolist() == [True] * len(GROUND) + [False] * (2 + len(WALL))


def test_pcd(tmp_path):
    header = "VERSION 0.7\nFIELDS z label x y\nSIZE 4 4 4 4\nTYPE F U F F\nWIDTH {n}\nHEIGHT 1\nPOINTS {n}\nDATA binary\n"
    table = np.zeros(len(POINTS), [("z", "<f4"), ("label", "<u4"), ("x", "<f4"), ("y", "<f4")])
    table["x"], table["y"], table["z"], table["label"] = *POINTS.T, LABEL
    (tmp_path / "a.pcd").write_bytes(header.format(n=len(POINTS)).encode() + table.tobytes())
    out = extracted(tmp_path / "a.pcd")
    np.testing.assert_array_equal(out["points"], POINTS)
    assert out["building"].tolist() == IS_WALL.tolist()


def test_a_cloud_of_a_bag(bag):
    assert len(extracted(bag)["points"]) == len(GROUND)
    out = extracted(bag, "--at", "0.5")
    np.testing.assert_array_equal(out["points"], POINTS)
    assert out["building"].tolist() == IS_WALL.tolist()


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.full((4, 3), np.nan), np.array([[3.0, 4.0, 0.0]])])
def test_clouds_that_show_nothing(tmp_path, points):
    out = extracted(kitti(tmp_path, points))
    assert out["points"].shape == points.shape
    assert not out["building"].any()
    assert run(["cloud", "show", str(tmp_path / "a.bin"), "--out", str(tmp_path / "a.png")]) == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["missing.bin"], "does not exist"),
        (["missing"], "does not exist"),
        (["a.txt"], "no known kind of cloud"),
        (["a.bin", "--kind", "labels"], "no field label"),
        (["a.bin", "--set", "building_label=[1]"], "no setting of CloudConfig"),
        (["drive", "--at", "5"], "no cloud from 5.0 s on"),
    ],
)
@pytest.mark.parametrize("command", ["extract", "show"])
def test_what_is_wrong_is_one_line_and_nothing_is_written(tmp_path, bag, monkeypatch, capsys, command, arguments, reason):
    kitti(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    there = sorted(tmp_path.iterdir())
    assert run(["cloud", command, *arguments, "--out", "out.npz"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert reason in error
    assert sorted(tmp_path.iterdir()) == there


@pytest.mark.parametrize(
    "arguments", [["a.bin", "--at", "1"], ["drive", "--labels", "a.label"], ["drive", "--at", "-1"], ["drive", "--kind", "x"]]
)
def test_wrong_usage(tmp_path, bag, monkeypatch, arguments):
    kitti(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        run(["cloud", "extract", *arguments, "--out", "out.npz"])
    assert end.value.code == 2


def picture(path: Path) -> NDArray:
    from matplotlib.image import imread

    return (imread(path)[..., :3] * 255.0).round().astype(int)


def test_show_draws_points_tile_and_map(tmp_path, bag, capsys):
    from matplotlib.colors import to_rgb

    area = tmp_path / "area.gpkg"
    write_area(one_block(), area)
    assert run(["cloud", "show", str(bag), "--at", "1", "--out", str(tmp_path / "plain.png")]) == 0
    assert run(["cloud", "show", str(bag), "--at", "1", "--area", str(area), "--out", str(tmp_path / "map.png")]) == 0
    assert f"{IS_WALL.sum()} on buildings" in capsys.readouterr().out
    plain, with_map = picture(tmp_path / "plain.png"), picture(tmp_path / "map.png")
    assert with_map.shape[1] > plain.shape[1]
    walls = np.abs(with_map - np.round(np.array(to_rgb(WALL_COLOUR)) * 255.0)).max(axis=-1) < 30
    panels = np.array_split(walls[len(walls) // 5 : int(0.7 * len(walls))], 3, axis=1)  # without the legends
    assert all(panel.sum() > 200 for panel in panels)
    # The wall is across the way ahead: level in the first two panels; upright in the third, north up, as the car heads east.
    level = [np.ptp(np.nonzero(panel)[1]) > 3 * np.ptp(np.nonzero(panel)[0]) for panel in panels]
    assert level == [True, True, False]


def test_the_map_needs_the_truth(tmp_path, bag, capsys):
    area = tmp_path / "area.gpkg"
    write_area(one_block(), area)
    (bag / "truth.csv").unlink()
    for source in (bag, kitti(tmp_path)):
        assert run(["cloud", "show", str(source), "--area", str(area), "--out", str(tmp_path / "a.png")]) == 1
        assert "leave out --area" in capsys.readouterr().err


def test_a_real_scan(data_dir, tmp_path):
    source = data_dir / "kitti_raw" / "07" / "velodyne" / "000000.bin"
    out = tmp_path / "out.npz"
    assert run(["cloud", "extract", str(source), "--out", str(out)]) == 0
    label = np.fromfile(source.parent.parent / "labels" / "000000.label", np.uint32) & 0xFFFF
    with np.load(out, allow_pickle=False) as arrays:
        assert len(arrays["points"]) == len(label)
        assert (label[arrays["building"]] == 50).mean() > 0.8
