# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc benchmark`: tables and pictures of systems side by side, going on where it stopped, whatever fails."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from drives import straight
from towns import crossing

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.baselines.questions import questions_of_drive
from urban_map_loc.baselines.ring_match import RingMatch
from urban_map_loc.cli.main import run
from urban_map_loc.config import QuestionsConfig, TileConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory

SPEED = 5.0
SMALL = ["--steps", "1", "--set", "baselines.ring_match.directions=60", "--set", "baselines.ring_match.spacing_m=4"]
COARSE = ["--set", "baselines.building_distance.directions=60", "--set", "baselines.building_distance.spacing_m=4"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An area and a drive of 24 m with its truth."""
    area = crossing()
    write_area(area, tmp_path / "area.gpkg")
    moments = list(straight(area, Pose2(-60.0, 0.0, 0.0), 24.0))
    with BagWriter(tmp_path / "drive") as bag:
        for moment in moments:
            bag.write_odometry(moment.stamp_s, moment.T_odom_base)
            bag.write_cloud(moment.stamp_s, moment.cloud.points, label=moment.cloud.label)
    geodetic = area.plane.to_geodetic(np.array([[m.T_map_base.x, m.T_map_base.y] for m in moments]))
    truth = Trajectory(np.array([m.stamp_s for m in moments]), geodetic[:, 0], geodetic[:, 1], np.zeros(len(moments)))
    truth.write_csv(tmp_path / "drive" / "truth.csv")
    return tmp_path


def command(folder: Path, *more: str) -> int:
    return run(["benchmark", str(folder / "area.gpkg"), str(folder / "drive"), "--out", str(folder / "out"), *SMALL, *COARSE, *more])


def rows_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "out" / "benchmark.csv").open(encoding="utf-8")))


def test_questions_are_the_scans_of_a_drive_with_what_was_seen_before(folder):
    area = crossing()
    found = questions_of_drive(BagReader(folder / "drive"), area, TileConfig(), QuestionsConfig(at_most=9, previous_m=7.5))
    assert len(found) == 9
    np.testing.assert_allclose(found.truth[0], (-60.0, 0.0, 0.0), atol=0.01)
    np.testing.assert_allclose(found.truth[-1], (-36.0, 0.0, 0.0), atol=0.01)
    assert found.queries[0].previous is None
    last = found.queries[-1].previous
    assert last is not None
    assert last.T_previous_base.x == pytest.approx(8.0, abs=1e-3)
    assert found.queries[0].tile.sum() > 0
    assert found.drive is not None


def test_it_compares_writes_goes_on_and_survives_one_that_fails(folder, capsys, monkeypatch):
    assert command(folder, "--systems", "fft-ring-match") == 0
    shown = capsys.readouterr().out
    assert "| FFT ring match | " in shown
    out = folder / "out"
    assert {"benchmark.csv", "benchmark.md", "recall_drive.png", "accuracy_over_time_drive.png"} <= {p.name for p in out.iterdir()}
    (row,) = rows_of(folder)
    assert (row["system"], row["drive"], row["scans"]) == ("FFT ring match", "drive", "25")
    assert float(row["within_5_m"]) >= 0.9
    # What is done is not done again; another system joins the tables, and the one that fails is a line.
    kept = (out / "fft-ring-match_0_on_drive.json").read_bytes()

    def fail(*_: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr("urban_map_loc.baselines.bags_of_words.Vlad.index", fail)
    monkeypatch.setattr(RingMatch, "index", fail)
    assert command(folder, "--systems", "fft-ring-match", "vlad", "chos-distances", "--growth", "60") == 0
    assert (out / "fft-ring-match_0_on_drive.json").read_bytes() == kept
    assert {row["system"] for row in rows_of(folder)} == {"FFT ring match", "Cho's distances"}
    text = (out / "benchmark.md").read_text(encoding="utf-8")
    assert "- VLAD, seed 0: unexpected RuntimeError: out of luck" in text
    assert (out / "growth.csv").is_file()
    assert not list(out.glob(".*"))


def test_it_fails_only_if_all_fail_and_names_why(folder, capsys, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(RingMatch, "index", fail)
    assert command(folder, "--systems", "fft-ring-match") == 1
    assert "all systems failed" in capsys.readouterr().err


def test_results_of_other_settings_are_not_mixed(folder, capsys):
    (folder / "out").mkdir()
    assert command(folder, "--systems", "fft-ring-match") == 0
    settings = json.loads((folder / "out" / "settings.json").read_text(encoding="utf-8"))
    assert settings["steps"] == 1
    assert command(folder, "--systems", "fft-ring-match", "--set", "baselines.ring_match.sigma_m=5") == 1
    assert "baselines.ring_match.sigma_m 3.0, not 5.0; choose another --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--systems", "vald"], "vald is no system"),
        (["--set", "baselines.nothing=1"], "nothing is no setting of BaselinesConfig"),
    ],
)
def test_wrong_words_are_refused_in_one_line(folder, capsys, words, reason):
    assert command(folder, *words) == 1
    error = capsys.readouterr().err.strip()
    assert reason in error
    assert len(error.splitlines()) == 1


def test_a_drive_without_truth_is_refused(folder, capsys):
    (folder / "drive" / "truth.csv").unlink()
    assert command(folder, "--systems", "fft-ring-match") == 1
    assert "has no truth.csv" in capsys.readouterr().err


def test_the_list_names_every_system(capsys):
    with pytest.raises(SystemExit) as ended:
        run(["benchmark", "--list"])
    assert ended.value.code == 0
    assert "fft-ring-match" in capsys.readouterr().out
