# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Metrics of tiny runs whose numbers are known."""

from __future__ import annotations

import json
from math import pi

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from urban_map_loc.config import ReportConfig
from urban_map_loc.evaluation.extent import rms_spread, roads_rms_spread, share_of_extent
from urban_map_loc.evaluation.metrics import coverage, evaluate_arrays, fused_metrics, map_offset, single_scan_metrics
from urban_map_loc.evaluation.pose_errors import pose_errors, recall, travelled
from urban_map_loc.evaluation.run_files import Estimates
from urban_map_loc.evaluation.stretches import stretches
from urban_map_loc.evaluation.summary import summary_rows

NAN3 = [np.nan] * 3


def run_of(poses: list[list[float]], states: list[str], step_s: float = 0.1) -> Estimates:
    n = len(poses)
    return Estimates(
        np.arange(n) * step_s, np.array(states), np.array(poses, float), np.tile([1.0, 0.0, 1.0, 0.01], (n, 1)), np.full(n, 20.0)
    )


def test_errors_along_and_across() -> None:
    error = pose_errors(np.array([[3.0, 4.0, 0.1]]), np.array([[0.0, 0.0, pi / 2]]))
    assert error["position"] == pytest.approx([5.0])
    assert error["longitudinal"] == pytest.approx([4.0])
    assert error["lateral"] == pytest.approx([-3.0])
    assert error["heading"] == pytest.approx([0.1 - pi / 2])


@settings(max_examples=50)
@given(st.tuples(*[st.floats(-100, 100)] * 6))
def test_parts_make_the_whole(values: tuple[float, ...]) -> None:
    error = pose_errors(np.array([values[:3]]), np.array([values[3:]]))
    assert np.hypot(error["longitudinal"], error["lateral"]) == pytest.approx(error["position"])
    assert -pi < error["heading"][0] <= pi


def test_heading_error_turns_the_short_way() -> None:
    assert pose_errors(np.array([[0, 0, pi - 0.01]]), np.array([[0, 0, -pi + 0.01]]))["heading"] == pytest.approx([-0.02])


def test_recall_counts_every_cloud() -> None:
    truth = np.zeros((4, 3))
    answers = np.array([[0.5, 0, 0], [4.0, 0, pi], [20.0, 0, 0], NAN3])
    metrics = single_scan_metrics(answers, truth)
    assert [metrics[f"within_{d}_m"] for d in (1, 3, 5, 10)] == [0.25, 0.25, 0.5, 0.5]
    assert metrics["heading_within_5_deg_of_those_within_5_m"] == 0.5
    assert metrics["position_median_m"] == 12.0
    assert metrics["answered"] == 0.75


def test_median_is_unknown_when_most_clouds_have_no_answer() -> None:
    assert single_scan_metrics(np.array([[0.0, 0, 0], NAN3, NAN3]), np.zeros((3, 3)))["position_median_m"] is None


def test_lock_and_loss() -> None:
    truth = np.array([[10.0 * k, 0, 0] for k in range(5)])
    run = run_of([NAN3, [10, 1, 0], [20, 11, 0], NAN3, [40, 0, 0]], ["initializing", "locked", "locked", "lost", "locked"])
    metrics = evaluate_arrays(run, None, truth)
    lock = metrics["lock"]
    assert lock["first_lock_s"] == pytest.approx(0.1)
    assert lock["first_lock_after_m"] == 10.0
    assert lock["first_lock_error_m"] == 1.0
    assert lock["availability"] == 0.6
    assert lock["times_lost"] == 1
    assert lock["locked_wrong_over_10_m"] == 1
    assert metrics["fused"]["position_m"] == {"mean": 4.0, "rms": 6.377, "median": 1.0, "p95": 10.0, "max": 11.0}
    assert "single_scan" not in metrics


def test_clouds_without_truth_are_not_judged() -> None:
    truth = np.array([[0.0, 0, 0], NAN3])
    metrics = evaluate_arrays(run_of([[1, 0, 0], [500, 0, 0]], ["locked", "locked"]), None, truth)
    assert metrics["clouds_with_truth"] == 1
    assert metrics["fused"]["position_m"]["max"] == 1.0
    assert metrics["lock"]["locked_wrong_over_10_m"] == 0


def test_coverage_of_honest_normal_errors() -> None:
    rng = np.random.default_rng(1)
    sigma = np.array([[4.0, 1.0, 0], [1.0, 2.0, 0], [0, 0, 0.01]])
    errors = rng.multivariate_normal(np.zeros(3), sigma, 20000)
    stated = np.tile([4.0, 1.0, 2.0, 0.01], (20000, 1))
    result = coverage(errors, stated, np.zeros((20000, 3)))
    for k in (1, 2, 3):
        row = result[f"{k}_sigma"]
        assert row["position"] == pytest.approx(row["expected"], abs=0.01)
        assert row["heading"] == pytest.approx(row["expected"], abs=0.01)


def test_offset_is_reported_and_not_removed() -> None:
    truth = np.zeros((50, 3))
    poses = np.tile([1.0, -2.0, 0.0], (50, 1))
    assert map_offset(poses, truth) == {"clouds": 50, "east_m": 1.0, "north_m": -2.0, "position_median_without_it_m": 0.0}
    assert fused_metrics(poses, truth)["position_m"]["median"] == pytest.approx(5**0.5, abs=1e-4)


def test_never_locked_gives_plain_json_and_a_table() -> None:
    run = run_of([NAN3] * 3, ["initializing"] * 3)
    metrics = evaluate_arrays(run, run, np.zeros((3, 3)))
    json.dumps(metrics, allow_nan=False)
    assert metrics["lock"]["first_lock_s"] is None
    assert all(rows for rows in summary_rows(metrics).values())


def test_recall_of_heading_and_of_both() -> None:
    answers = np.array([[0.5, 0, np.radians(2.0)], [2.0, 0, np.radians(-0.5)], [50.0, 0, 0], NAN3])
    shares = recall(answers, np.zeros((4, 3)))
    assert [shares[f"within_{a}_deg"] for a in (1, 3, 5)] == [0.5, 0.75, 0.75]
    assert shares["within_1_m_and_1_deg"] == 0.0  # each has one of them
    assert shares["within_1_m_and_3_deg"] == 0.25
    assert shares["within_3_m_and_3_deg"] == 0.5
    assert recall(np.zeros((0, 3)), np.zeros((0, 3)))["within_1_m"] is None


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20), st.floats(-0.2, 0.2)), min_size=1, max_size=20))
def test_recall_grows_with_what_is_allowed(poses: list[tuple[float, float, float]]) -> None:
    shares = recall(np.array(poses), np.zeros((len(poses), 3)))
    for small, large in zip((1, 3, 5), (3, 5, 10), strict=True):
        assert shares[f"within_{small}_m"] <= shares[f"within_{large}_m"]
        assert shares[f"within_{small}_m_and_5_deg"] <= min(shares[f"within_{small}_m"], shares["within_5_deg"])


def test_off_the_map_nothing_is_missed() -> None:
    """Where the car is off the map it cannot be found: such clouds are no misses, and a lock there is told."""
    truth = np.array([[0.0, 0, 0], [5.0, 0, 0], [500.0, 0, 0], [505.0, 0, 0], [6.0, 0, 0]])
    run = run_of([[0, 1, 0], [5, 1, 0], [5, 1, 0], NAN3, NAN3], ["locked", "locked", "locked", "lost", "lost"])
    metrics = evaluate_arrays(run, run, truth, (-10.0, -10.0, 10.0, 10.0))
    assert metrics["clouds_on_the_map"] == 3
    assert metrics["single_scan"]["within_1_m"] == pytest.approx(0.6667)
    assert metrics["fused"]["recall_of_all_clouds"]["within_1_m"] == pytest.approx(0.6667)
    lock = metrics["lock"]
    assert (lock["availability"], lock["availability_on_the_map"]) == (0.6, pytest.approx(0.6667))
    assert (lock["locked_off_the_map"], lock["locked_wrong_over_10_m"], lock["locked_wrong_times"]) == (1, 1, 1)


def test_time_until_locked_again() -> None:
    states = ["initializing", "locked", "lost", "lost", "locked", "lost", "locked", "lost"]
    run = run_of([[0, 0, 0] if state == "locked" else NAN3 for state in states], states)
    lock = evaluate_arrays(run, None, np.zeros((8, 3)))["lock"]
    assert lock["locked_again_after_s"] == {"count": 2, "mean": pytest.approx(0.25), "max": pytest.approx(0.3)}
    assert lock["times_lost"] == 3


def test_stretches_and_sections() -> None:
    """40 m on the map, off it for 3 s, back on it for 25 m; locked from 10 m on."""
    east = np.concatenate([np.arange(0.0, 41.0, 1.0), np.full(30, 900.0), np.arange(100.0, 126.0, 1.0)])
    truth = np.stack([east, np.zeros(len(east)), np.zeros(len(east))], axis=-1)
    inside = east < 500.0
    locked = inside & (np.arange(len(east)) >= 10)
    poses = np.where(locked[:, None], truth + [0.0, 2.0, 0.0], np.nan)
    run = run_of(poses.tolist(), np.where(locked, "locked", "initializing").tolist())
    first, second = stretches(run, run, truth, inside, ReportConfig(section_m=20.0))
    assert (first["begin_s"], first["length_m"], first["first_lock_s"], first["first_lock_after_m"]) == (0.0, 40.0, 1.0, 10.0)
    assert (second["begin_s"], second["end_s"], second["length_m"]) == (pytest.approx(7.1), pytest.approx(9.6), 25.0)
    assert second["first_lock_s"] == 0.0
    assert [s["name"] for s in first["sections"]] == ["1.1", "1.2", "1.3"]
    assert [s["clouds"] for s in first["sections"]] == [20, 20, 1]
    assert [s["availability"] for s in first["sections"]] == [0.5, 1.0, 1.0]
    assert first["sections"][0]["single_scan_within_5_m"] == 0.5
    assert first["lateral_m"]["mean"] == 2.0
    assert first["longitudinal_m"]["mean"] == 0.0


def test_a_short_gap_does_not_end_a_stretch() -> None:
    truth = np.zeros((30, 3))
    inside = np.ones(30, bool)
    inside[10:15] = False
    run = run_of([[0, 0, 0]] * 30, ["locked"] * 30)
    assert len(stretches(run, None, truth, inside)) == 1
    assert stretches(run, None, truth, ~np.ones(30, bool)) == []


def test_spread_of_points_and_of_roads() -> None:
    corners = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert rms_spread(corners) == pytest.approx(2**0.5)
    assert np.isnan(rms_spread(np.zeros((0, 2))))
    line = shapely.LineString([(0.0, 0), (12.0, 0)])
    assert roads_rms_spread(np.array([line])) == pytest.approx(12.0 / 12**0.5)  # a uniform distribution's standard deviation
    cut = np.array([shapely.LineString([(0.0, 0), (5.0, 0)]), shapely.LineString([(5.0, 0), (7.0, 0), (12.0, 0)])])
    assert roads_rms_spread(cut) == pytest.approx(12.0 / 12**0.5)
    assert np.isnan(roads_rms_spread(cut[:0]))


def test_error_as_a_share_of_the_spread() -> None:
    truth = np.array([[10.0, 0, 0], [-10.0, 0, 0]])
    fused = np.array([[10.0, 1, 0], NAN3])
    shares = share_of_extent(fused, None, truth, 40.0)
    assert shares == {"truth_rms_spread_m": 10.0, "roads_rms_spread_m": 40.0, "fused": {"of_truth": 0.1, "of_roads": 0.025}}


def test_way_through_gaps() -> None:
    assert travelled(np.array([NAN3, [0, 0, 0], NAN3, [3, 4, 0]])).tolist() == [0.0, 0.0, 0.0, 5.0]
    assert np.isnan(travelled(np.array([NAN3, [0, 0, 0]]))).all()
