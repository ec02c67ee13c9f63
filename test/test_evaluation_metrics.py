"""Metrics of tiny runs whose numbers are known."""

from __future__ import annotations

import json
from math import pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from urban_map_loc.evaluation.metrics import coverage, evaluate_arrays, fused_metrics, map_offset, pose_errors, single_scan_metrics
from urban_map_loc.evaluation.run_files import Estimates
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
