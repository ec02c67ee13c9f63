# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RUN folders: written, read back, evaluated; missing and damaged ones say why."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from runs import CLOUDS, a_tile, tiny_area, write_run

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cli.main import run as command_line
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.errors import AreaError, BagError, OutputError
from urban_map_loc.evaluation.area_picture import attribution_of
from urban_map_loc.evaluation.evaluate import evaluate
from urban_map_loc.evaluation.run_files import COLUMNS, RunWriter, read_run
from urban_map_loc.geometry.geodesy import GeoPoint
from urban_map_loc.geometry.trajectory import Trajectory


def test_columns_are_the_documented_ones() -> None:
    assert ",".join(COLUMNS) == (
        "stamp_s,state,lat_deg,lon_deg,east_m,north_m,yaw_enu_rad,cov_ee_m2,cov_en_m2,cov_nn_m2,cov_yaw_rad2,latency_ms"
    )


def test_written_and_read_back(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path))
    estimates = run.estimates
    assert estimates.stamp_s == pytest.approx(100.0 + 0.1 * np.arange(CLOUDS))
    assert estimates.state.tolist() == ["initializing"] * 5 + ["locked"] * 15
    assert estimates.offered.tolist() == [False] * 5 + [True] * 15
    assert estimates.poses[5] == pytest.approx([5.0, -9.0, 0.02])
    assert estimates.covariance[5] == pytest.approx([0.5, 0.0, 0.25, 0.01])
    assert estimates.latency_ms[3] == 13.0
    assert run.single_scan is not None
    assert run.single_scan.offered.tolist() == [False, True] * 10
    info = run.info
    assert info["area_hash"] == tiny_area().content_hash
    assert info["latency_ms"]["mapnet"] == {"mean": 5.0, "p50": 5.0, "p95": 5.0, "max": 5.0, "count": 20}
    assert info["skipped"] == {"only 7 building points within 50 m, 20 needed; drive on": 1}
    assert [e["state"] for e in info["events"]] == ["initializing", "locked"]
    assert info["peak_memory_mb"] > 1.0
    assert info["seed"] == 3
    assert info["configuration"]["cloud"]["minimum_hits"] == LocalizerConfig().cloud.minimum_hits


def test_numbers_are_empty_without_an_estimate_and_geodetic_agrees(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    with (folder / "estimates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(value == "" for name, value in rows[0].items() if name not in ("stamp_s", "state", "latency_ms"))
    east, north = tiny_area().plane.to_enu(float(rows[9]["lat_deg"]), float(rows[9]["lon_deg"]))
    assert (east, north) == (pytest.approx(9.0, abs=1e-3), pytest.approx(-9.0, abs=1e-3))


def test_tum_holds_the_locked_poses(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    evaluate(folder)
    table, truth = np.loadtxt(folder / "estimates.tum"), np.loadtxt(folder / "truth.tum")
    assert table.shape == (15, 8)
    assert 2.0 * np.arctan2(table[:, 6], table[:, 7]) == pytest.approx(0.02)
    # The truth in the same frame at the same stamps: evo compares the two as they are.
    assert truth.shape == (20, 8)
    assert truth[5:, 0] == pytest.approx(table[:, 0], abs=1e-6)
    assert table[:, 2] - truth[5:, 2] == pytest.approx(1.0, abs=1e-3)


def test_frames_are_what_the_localizer_saw_and_thought(tmp_path: Path) -> None:
    frames = read_run(write_run(tmp_path)).frames
    assert frames is not None
    assert frames.tile_m == 0.5
    assert [f.skipped for f in frames.frames] == [True] + [False] * 19
    assert frames.frames[3].reason.startswith("only 7 building points")
    assert frames.frames[12].hypotheses == pytest.approx(np.array([[1.0, 2.0, 3.0, 0.9], [1.0, 0.0, 0.0, 0.5]]))
    assert [frames.frames[k].judged for k in (0, 9, 10, 19)] == [0, 0, 10, 10]  # told once, until they change
    assert frames.frames[2].tile is None
    tile, bits = a_tile(7), frames.frames[7].tile
    assert bits is not None
    assert (np.unpackbits(bits).reshape(2, *tile.hits.shape) == [tile.hits, tile.free]).all()


def test_damaged_frames_are_one_line(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    file = folder / "frames.jsonl.gz"
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"not gzip", gzip.compress(b"{}\n"), gzip.compress(gzip.decompress(whole)[:-400])):
        file.write_bytes(damaged)
        with pytest.raises(BagError, match="frames.jsonl.gz.*run `urban_map_loc localize` again"):
            read_run(folder)


def test_a_run_without_frames_is_reported_without_tiles(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    (folder / "frames.jsonl.gz").unlink()
    evaluate(folder)
    assert '"tiles":null' in (folder / "report.html").read_text()


def test_table_that_is_cut_off(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    lines = (folder / "single_scan.csv").read_text().splitlines()
    (folder / "single_scan.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(BagError, match="is of 19 clouds, estimates.csv of 20"):
        read_run(folder)


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), RunWriter(tmp_path / "run", tiny_area(), LocalizerConfig(), files={}):
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_another_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"no run\.json"), RunWriter(tmp_path, tiny_area(), LocalizerConfig(), files={}):
        pass
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("single_scan", [True, False])
def test_evaluate_writes_three_files(tmp_path: Path, single_scan: bool) -> None:
    folder = write_run(tmp_path, single_scan=single_scan)
    metrics = evaluate(folder)
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    assert metrics["fused"]["position_m"]["median"] == pytest.approx(1.0, abs=1e-3)
    assert metrics["lock"]["first_lock_s"] == pytest.approx(0.5)
    assert ("single_scan" in metrics) == single_scan
    assert (folder / "map.png").read_bytes()[:4] == b"\x89PNG"
    report = (folder / "report.html").read_text()
    assert "://" not in report.replace("file://", "")  # nothing to fetch
    assert "minimum_hits" in report
    assert 'data-cloud="5"' in report  # the table of states leads to the lock


def test_truth_given_by_hand(tmp_path: Path) -> None:
    folder = write_run(tmp_path, truth=False)
    with pytest.raises(BagError, match="--truth"):
        evaluate(folder)
    late = Trajectory.from_poses(np.array([900.0, 901.0]), np.zeros((2, 3)), tiny_area().plane)
    late.write_csv(tmp_path / "late.csv")
    with pytest.raises(BagError, match="covers none"):
        evaluate(folder, tmp_path / "late.csv")


def test_without_truth_the_estimates_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path, truth=False)
    assert command_line(["evaluate", str(folder), "--without-truth"]) == 0
    out = capsys.readouterr().out
    assert "75.0 % of the clouds" in out
    assert "position error" not in out
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["truth"] is None
    assert metrics["fused"]["position_m"]["median"] is None
    assert (folder / "map.png").is_file()
    assert (folder / "truth.tum").read_text() == ""


def test_several_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", single_scan=False)]
    out = tmp_path / "here" / "compared"
    assert command_line(["evaluate", *map(str, runs), "--out", str(out)]) == 0
    assert "a/run" in capsys.readouterr().out
    with (out / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["a/run", "b/run"]
    assert [row["single_scan_within_1_m"] for row in rows] == ["0.5", ""]
    assert float(rows[1]["position_median_m"]) == pytest.approx(1.0, abs=1e-3)
    markdown = (out / "comparison.md").read_text().splitlines()
    assert markdown[0] == "|  | a/run | b/run |"
    assert "| alone ≤ 1 m | 50.0 % | – |" in markdown
    links = re.findall(r'href="([^"#]*report\.html)"', (out / "comparison.html").read_text())
    assert [(out / link).resolve() for link in links] == [run / "report.html" for run in runs]
    assert all((run / "report.html").is_file() for run in runs)


def test_comparison_that_cannot_be_written_is_known_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path)
    (tmp_path / "taken").write_text("")
    assert command_line(["evaluate", str(folder), "--out", str(tmp_path / "taken")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert not (folder / "metrics.json").exists()


def test_area_that_has_changed(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    write_area(tiny_area(GeoPoint(49.0, 8.5)), tmp_path / "area.gpkg")
    with pytest.raises(AreaError, match="the run was made with"):
        evaluate(folder)


def test_bad_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["evaluate", str(tmp_path)]) == 1
    assert "is no RUN folder" in capsys.readouterr().err
    folder = write_run(tmp_path)
    (folder / "estimates.csv").write_text("stamp_s,state\n1.0,locked\n")
    with pytest.raises(BagError, match="damaged"):
        read_run(folder)
    (folder / "run.json").write_text("{")
    with pytest.raises(BagError, match=r"run\.json is damaged"):
        read_run(folder)


def test_command_prints_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["evaluate", str(write_run(tmp_path))]) == 0
    assert "first lock after" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "expected"), [("OpenStreetMap file x.osm", "OpenStreetMap contributors, ODbL"), ("generated town, seed 1", "no real place")]
)
def test_attribution(source: str, expected: str) -> None:
    area = tiny_area()
    named = AreaMap(area.datum, area.buildings_wgs84, area.building_heights, area.building_ids, area.roads_wgs84, area.road_classes, source)
    assert expected in attribution_of(named)
