"""RUN folders: written, read back, evaluated; missing and damaged ones say why."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from shapely import LineString, Polygon

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cli.main import run as command_line
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.errors import AreaError, BagError, OutputError
from urban_map_loc.evaluation.area_picture import attribution_of
from urban_map_loc.evaluation.evaluate import evaluate
from urban_map_loc.evaluation.run_files import COLUMNS, RunWriter, read_run
from urban_map_loc.geometry.geodesy import GeoPoint
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate, State

CLOUDS = 20
DATUM = GeoPoint(49.0, 8.0)


def objects(*values: object) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def tiny_area(datum: GeoPoint = DATUM) -> AreaMap:
    lat, lon = datum.lat_deg, datum.lon_deg
    house = Polygon(
        [(lon, lat), (lon + 2e-4, lat), (lon + 2e-4, lat + 1e-4), (lon, lat + 1e-4)],
        [[(lon + 1e-4, lat + 2e-5), (lon + 15e-5, lat + 2e-5), (lon + 1e-4, lat + 5e-5)]],
    )
    road = LineString([(lon - 1e-3, lat - 1e-4), (lon + 1e-3, lat - 1e-4)])
    return AreaMap(datum, objects(house), np.array([6.0]), objects("way/1"), objects(road), objects("residential"), "a test")


def write_run(folder: Path, *, single_scan: bool = True, truth: bool = True) -> Path:
    """A run of 20 clouds at 10 Hz and 10 m/s east, locked from the sixth on, 1 m north of the truth; cloud 0 is skipped."""
    area = tiny_area()
    write_area(area, folder / "area.gpkg")
    bag = folder / "bag"
    bag.mkdir()
    times = 100.0 + 0.1 * np.arange(CLOUDS)
    poses = np.stack([np.arange(CLOUDS) * 1.0, np.full(CLOUDS, -10.0), np.zeros(CLOUDS)], axis=-1)
    if truth:
        Trajectory.from_poses(times, poses, area.plane).write_csv(bag / "truth.csv")
    with RunWriter(
        folder / "run", area, LocalizerConfig(), files={"area": folder / "area.gpkg", "bag": bag}, single_scan=single_scan
    ) as writer:
        writer.note(seed=3)
        for k, stamp in enumerate(times):
            state = State.LOCKED if k >= 5 else State.INITIALIZING
            pose = PoseEstimate(Pose2(poses[k, 0], poses[k, 1] + 1.0, 0.02), np.diag([0.5, 0.25, 0.01]), 0.7)
            result = LocalizationResult(
                stamp,
                state,
                "clear lead" if k >= 5 else "only 7 building points within 50 m, 20 needed; drive on",
                skipped=k == 0,
                estimate=pose if k >= 5 else None,
                single_scan=pose if k % 2 else None,
                timing_ms={"mapnet": 5.0, "fusion": 1.0},
            )
            writer.add(result, latency_ms=10.0 + k)
    return folder / "run"


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
    table = np.loadtxt(write_run(tmp_path) / "estimates.tum")
    assert table.shape == (15, 8)
    assert 2.0 * np.arctan2(table[:, 6], table[:, 7]) == pytest.approx(0.02)


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


def test_truth_given_by_hand(tmp_path: Path) -> None:
    folder = write_run(tmp_path, truth=False)
    with pytest.raises(BagError, match="--truth"):
        evaluate(folder)
    late = Trajectory.from_poses(np.array([900.0, 901.0]), np.zeros((2, 3)), tiny_area().plane)
    late.write_csv(tmp_path / "late.csv")
    with pytest.raises(BagError, match="covers none"):
        evaluate(folder, tmp_path / "late.csv")


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
