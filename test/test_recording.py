# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What `evaluate --rerun` records, exactly and without the package; and, where that is installed, the file read back."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely
from runs import CLOUDS, a_tile, objects, tiny_area, write_run

from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.cli.main import run as command_line
from urban_map_loc.config import RecordingConfig
from urban_map_loc.errors import OutputError
from urban_map_loc.evaluation.colours import ERROR_COLOURS, error_colours, rgb
from urban_map_loc.evaluation.moments import Moment
from urban_map_loc.evaluation.recording import Recording
from urban_map_loc.evaluation.recording_map import extruded
from urban_map_loc.evaluation.recording_shapes import (
    Arrows,
    Car,
    Curve,
    Dots,
    Ellipses,
    Gone,
    Line,
    Page,
    Poses,
    Record,
    Solid,
    StateChange,
    TilePicture,
)
from urban_map_loc.evaluation.run_files import read_run
from urban_map_loc.geometry.pose2 import Pose2

# The made-up run's true poses: 10 m/s east.
TRUTH = np.stack([np.arange(CLOUDS) * 1.0, np.full(CLOUDS, -10.0), np.zeros(CLOUDS)], axis=-1)
ESTIMATE_5 = (5.0, -9.0, 0.02)
SENSOR_M = 1.7
GROUND = np.array([[x, y, -SENSOR_M] for x in range(-20, 21) for y in range(-20, 21)], dtype=np.float32)
WALL = np.array([[10.0, 0.5 * y - 5.0, 0.2 * z] for y in range(20) for z in range(10)], dtype=np.float32)


def recording_of(folder: Path, config: RecordingConfig | None = None, truth: np.ndarray = TRUTH) -> Recording:
    found = [Moment(0, "start", "start"), Moment(7, "wrong", "locked wrong, up to 12 m, for 3 clouds")]
    return Recording(read_run(folder), truth, tiny_area(), found, config or RecordingConfig())


def by_path(recording: Recording) -> dict[str, list[Record]]:
    out: dict[str, list[Record]] = {}
    for record in recording.records():
        out.setdefault(record.path, []).append(record)
    return out


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose bag has clouds: ground and a wall ahead; one of them is missing, one is cut short."""
    folder = tmp_path_factory.mktemp("recorded")
    run = write_run(folder)
    with BagWriter(folder / "drive") as bag:
        for k in range(2 * CLOUDS + 2):
            bag.write_odometry(100.0 + 0.05 * k, Pose2(0.5 * k, 0.0, 0.0))
        for k in range(CLOUDS):
            if k != 10:
                label = np.repeat([40, 50], [len(GROUND), len(WALL)])
                bag.write_cloud(100.0 + 0.1 * k, np.concatenate([GROUND, WALL]), label=label)
    info = json.loads((run / "run.json").read_text())
    info["files"]["bag"] = str(folder / "drive")
    (run / "run.json").write_text(json.dumps(info))
    return run


def test_a_house_with_a_courtyard_is_closed_and_faces_outwards() -> None:
    """By the divergence theorem: faces that look outwards enclose area times height, the floor at z = 0 adding nothing."""
    house = shapely.Polygon([(0, 0), (8, 0), (8, 6), (3, 6), (3, 4), (0, 4)], [[(4, 1), (6, 1), (6, 3), (4, 3)]])
    shed = shapely.Polygon([(20, 0), (20, 2), (22, 2), (22, 0)])
    solid = extruded(objects(house, shed), np.array([0.0, 0.0]), np.array([5.0, 2.5]), "#ffffff")
    a, b, c = (solid.vertices[solid.triangles[:, k]].astype(float) for k in range(3))
    normal = solid.normals[solid.triangles[:, 0]].astype(float)
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    assert np.linalg.norm(solid.normals, axis=1) == pytest.approx(1.0)
    volume = (area * ((a + b + c) / 3.0 * normal).sum(axis=1)).sum() / 3.0
    assert volume == pytest.approx(house.area * 5.0 + shed.area * 2.5, rel=1e-6)
    walls = np.abs(normal[:, 2]) < 0.5
    perimeter = house.exterior.length + house.interiors[0].length
    assert area[walls].sum() == pytest.approx(perimeter * 5.0 + shed.length * 2.5, rel=1e-6)


def test_what_moves_is_there_while_it_is_known(run_folder: Path) -> None:
    recording = recording_of(run_folder)
    records = by_path(recording)
    poses, car = records["map/base_link"]
    assert isinstance(poses.shown, Poses)
    assert poses.shown.poses[0] == pytest.approx(ESTIMATE_5)
    assert poses.stamp_s == pytest.approx(100.5 + 0.1 * np.arange(15))
    assert isinstance(car.shown, Car)
    assert car.stamp_s == pytest.approx([100.5])
    assert len(records["map/true_base_link"][0].stamp_s) == CLOUDS
    (ellipses,) = records["map/covariance"]
    assert isinstance(ellipses.shown, Ellipses)  # variances 0.5 m2 east, 0.25 m2 north
    assert ellipses.shown.half_axes[0] == pytest.approx([2.0 * np.sqrt(0.5), 2.0 * 0.5])
    assert np.sin(ellipses.shown.yaw) == pytest.approx(0.0, abs=1e-9)
    (error,) = records["error/position_m"]
    assert isinstance(error.shown, Curve)
    assert np.isnan(error.shown.values[:5]).all()
    assert error.shown.values[5:] == pytest.approx(1.0, abs=1e-3)
    assert recording.start_s == 100.0
    assert recording.first_place == pytest.approx(TRUTH[0, :2])


def test_states_log_hypotheses_and_tiles(run_folder: Path) -> None:
    recording = recording_of(run_folder)
    records = by_path(recording)
    assert [(r.stamp_s[0], r.shown) for r in records["state"]] == [(100.0, StateChange("initializing")), (100.5, StateChange("locked"))]
    assert [r.shown for r in records["log"]] == [
        Line("initializing: only 7 building points within 50 m, 20 needed; drive on", "INFO"),
        Line("locked: clear lead", "INFO"),
        Line("locked wrong, up to 12 m, for 3 clouds", "ERROR"),
        Line(recording.clouds.summary, "WARN"),  # the bag lacks one
    ]
    assert [r.stamp_s[0] for r in records["map/hypotheses"]] == pytest.approx([100.0, 101.0])
    arrows = records["map/hypotheses"][0].shown
    assert isinstance(arrows, Arrows)
    assert arrows.vectors[0] == pytest.approx([6.0 * np.cos(3.0), 6.0 * np.sin(3.0), 0.0])
    assert len(records["tile"]) == CLOUDS // 2
    picture, tile = records["tile"][3].shown, a_tile(7)
    assert isinstance(picture, TilePicture)
    assert (picture.classes == tile.free + 2 * tile.hits).all()
    *dots, poses = records["map/tile_walls"]
    assert isinstance(poses.shown, Poses)
    assert poses.shown.poses[0] == pytest.approx(TRUTH[1])  # not locked yet
    assert poses.shown.poses[2] == pytest.approx(ESTIMATE_5)
    first = dots[3].shown
    assert isinstance(first, Dots)
    row, column = np.argwhere(tile.hits)[0]  # 96 pixels of 0.5 m
    assert first.points[0, :2] == pytest.approx([24.0 - 0.5 * (row + 0.5), 24.0 - 0.5 * (column + 0.5)])


def test_clouds_stand_on_the_plane_with_their_buildings_apart(run_folder: Path) -> None:
    recording = recording_of(run_folder, RecordingConfig(clouds=4, points=100))
    records = by_path(recording)
    (poses,) = records["map/scan"]
    assert isinstance(poses.shown, Poses)
    assert poses.stamp_s == pytest.approx([100.0, 100.5, 101.5])  # every fifth; the one at 101.0 is not in the bag
    assert poses.shown.poses == pytest.approx(np.array([TRUTH[0], ESTIMATE_5, [15.0, -9.0, 0.02]]))
    building, ground = (records[f"map/scan/{name}"][1].shown for name in ("building", "ground"))
    assert isinstance(building, Dots)
    assert isinstance(ground, Dots)
    assert building.points == pytest.approx(WALL[::4] + [0.0, 0.0, SENSOR_M], abs=0.02)
    assert len(ground.points) + len(records["map/scan/other"][1].shown.points) == 50  # type: ignore[union-attr]
    assert np.abs(ground.points[:, 2]).max() < 0.02
    assert recording.clouds.summary.startswith("3 of 20 clouds of the bag, at most 100 points each; no more, because: the others")


def test_small_clouds_are_shown_whole(run_folder: Path) -> None:
    records = by_path(recording_of(run_folder, RecordingConfig(clouds=1)))
    kinds = [records[f"map/scan/{name}"][0].shown for name in ("building", "other", "ground")]
    assert sum(len(dots.points) for dots in kinds) == len(WALL) + len(GROUND)  # type: ignore[union-attr]


def test_limits(run_folder: Path) -> None:
    records = by_path(recording_of(run_folder, RecordingConfig(clouds=0, answers=10, tiles=0)))
    assert "map/scan" not in records
    assert "tile" not in records
    assert len(records["latency/answer_ms"][0].stamp_s) == 10


def test_unknown_heights_are_drawn_apart(run_folder: Path) -> None:
    known = by_path(recording_of(run_folder))
    assert "map/buildings_of_assumed_height" not in known
    recording = recording_of(run_folder, RecordingConfig(assumed_height_m=4.0))
    recording._area.building_heights[:] = np.nan
    (record,) = by_path(recording)["map/buildings_of_assumed_height"]
    assert isinstance(record.shown, Solid)
    assert record.shown.vertices[:, 2].max() == 4.0


def test_without_bag_and_truth_the_rest_is_recorded_and_the_page_says_so(tmp_path: Path) -> None:
    recording = recording_of(write_run(tmp_path), truth=np.full((CLOUDS, 3), np.nan))
    records = by_path(recording)
    assert "map/scan" not in records
    assert "map/truth" not in records
    assert "error/position_m" not in records
    page = records["about"][0].shown
    assert isinstance(page, Page)
    assert f"0 of {CLOUDS} clouds of the bag" in page.text
    assert str(tmp_path / "bag") in page.text
    assert "there is no truth" in page.text
    assert records["log"][-1].shown == Line(recording.clouds.summary, "WARN")


def test_a_run_that_names_no_bag(run_folder: Path) -> None:
    recording = recording_of(run_folder)
    del recording._run.info["files"]["bag"]
    assert "map/scan" not in by_path(recording)
    assert "run.json names no bag" in recording.clouds.missing


def test_what_is_lost_goes(run_folder: Path) -> None:
    recording = recording_of(run_folder, truth=np.full((CLOUDS, 3), np.nan))
    recording._run.estimates.poses[12:15] = np.nan
    recording = Recording(recording._run, recording._truth, tiny_area(), [], RecordingConfig(clouds=0))
    records = by_path(recording)
    for path in ("map/base_link", "map/covariance", "map/scan", "map/tile_walls"):
        assert [r.stamp_s[0] for r in records[path] if isinstance(r.shown, Gone)] == pytest.approx([101.2])
    assert [r.stamp_s[0] for r in records["map/base_link"] if isinstance(r.shown, Car)] == pytest.approx([100.5, 101.5])


def test_error_colours() -> None:
    colours = error_colours(np.array([0.0, 2.0, 2.1, np.nan, 1.0]), 2.0)
    assert colours[:3].tolist() == [list(rgb(c)) for c in (ERROR_COLOURS[0], ERROR_COLOURS[-2], ERROR_COLOURS[-1])]
    assert colours[4].tolist() == list(rgb(ERROR_COLOURS[2]))  # the middle of the five that are not "more"
    assert len(set(colours[3].tolist())) == 1


def test_the_missing_package_is_one_line_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path)
    monkeypatch.setitem(sys.modules, "rerun", None)
    assert command_line(["evaluate", str(folder), "--rerun"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs the package rerun-sdk" in line
    assert "pip install -c constraints.txt -e '.[rerun]'" in line
    assert not (folder / "metrics.json").exists()


def test_limits_belong_to_the_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line(["evaluate", str(tmp_path), "--set", "clouds=3"])
    assert "give --rerun too" in capsys.readouterr().err
    assert command_line(["evaluate", str(tmp_path), "--rerun", "--set", "cloud=3"]) == 1
    assert "cloud is no setting of RecordingConfig; known are clouds" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")  # the package's own
def test_the_file_is_read_back_whole(run_folder: Path) -> None:
    pytest.importorskip("rerun", reason="rerun-sdk is not installed: pip install -c constraints.txt -e '.[rerun]'")
    from rerun.chunk import RrdReader

    from urban_map_loc.evaluation import rerun_file

    file = run_folder / "recording.rrd"
    assert command_line(["evaluate", str(run_folder), "--truth", str(run_folder.parent / "bag" / "truth.csv"), "--rerun"]) == 0
    rows: dict[tuple[str, bool], int] = {}
    for chunk in RrdReader(file).store().stream().to_chunks():
        where = (str(chunk.entity_path), chunk.is_static)
        rows[where] = rows.get(where, 0) + chunk.num_rows
        assert chunk.is_static or set(chunk.timeline_names) == {"drive", "stamp"}
    recording = recording_of(run_folder)
    for path, records in by_path(recording).items():
        assert rows.get((f"/{path}", True), 0) >= any(not len(r.stamp_s) for r in records)
        if path != "log":  # other moments
            assert rows.get((f"/{path}", False), 0) == sum(len(r.stamp_s) for r in records), path

    def broken() -> object:
        yield next(whole())
        raise OSError(28, "No space left on device")

    before, whole = file.read_bytes(), recording.records
    recording.records = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(OutputError, match=r"recording\.rrd cannot be written: No space left"):
        rerun_file.write_recording(recording, "a title", file)
    assert file.read_bytes() == before
    assert not list(run_folder.glob(".*part*"))
    file.with_name("cut.rrd").write_bytes(before[:-100])
    with pytest.raises(OutputError, match="was not written whole"):
        rerun_file._require_whole(file.with_name("cut.rrd"), file)
