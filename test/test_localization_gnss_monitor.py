# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""GnssMonitor: honest receivers are used, jumps and slow drift are not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from urban_map_loc.config import GnssConfig
from urban_map_loc.localization.gnss_monitor import GnssFix, GnssMonitor, GnssState, GnssVerdict

CONFIG = GnssConfig()
SIGMA_M, RATE_HZ = 2.5, 5.0
POSE = np.eye(2) * 0.2**2  # what map and odometry know the position to


def judged(errors: np.ndarray, sigma_m: float = SIGMA_M, monitor: GnssMonitor | None = None, from_s: float = 0.0) -> list[GnssVerdict]:
    """Verdicts on fixes that are off by `errors (N, 2)` [m], of a receiver that states `sigma_m`, along a drive east."""
    monitor = monitor or GnssMonitor(CONFIG)
    out = []
    for k, error in enumerate(errors):
        stamp_s = from_s + k / RATE_HZ
        position = np.array([8.0 * stamp_s, 0.0])
        out.append(monitor.judge(GnssFix(stamp_s, position + error, np.eye(2) * sigma_m**2), position, POSE))
    return out


def receiver(seconds: float, seed: int = 0, sigma_m: float = SIGMA_M, memory_s: float = 8.0) -> np.ndarray:
    """Errors `(N, 2)` [m] as receivers make them: they last for seconds."""
    random = np.random.default_rng(seed)
    keep = np.exp(-1.0 / RATE_HZ / memory_s)
    noise = random.normal(0.0, sigma_m * np.sqrt(1.0 - keep**2), (int(seconds * RATE_HZ), 2))
    errors = [random.normal(0.0, 0.5 * sigma_m, 2)]
    for step in noise:
        errors.append(keep * errors[-1] + step)
    return 0.6 * np.array(errors[1:])


def states(verdicts: list[GnssVerdict]) -> set[GnssState]:
    return {verdict.state for verdict in verdicts}


def test_both_tests_are_what_they_are_by_definition() -> None:
    """Fixes of changing quality; the mean is over all, an e-th as heavy after `memory_s`, of outliers only as much as is allowed."""
    config, random = GnssConfig(floor_m=3.0, memory_s=4.0), np.random.default_rng(6)
    monitor, stamps = GnssMonitor(config), np.cumsum(random.uniform(0.1, 1.5, 12)) + 100.0
    covariances = [np.array([[a, c], [c, b]]) for a, b, c in random.uniform([1.0, 2.0, -0.5], [4.0, 9.0, 0.5], (12, 3))]
    innovations, known = random.normal(0.0, 3.0, (12, 2)), np.array([[0.5, 0.1], [0.1, 0.8]])
    innovations[5] = [60.0, -20.0]
    shrunk, stated = [], [covariance + 9.0 * np.eye(2) for covariance in covariances]
    for k, stamp_s in enumerate(stamps):
        verdict = monitor.judge(GnssFix(stamp_s, innovations[k] + [7.0, 8.0], covariances[k]), np.array([7.0, 8.0]), known)
        fix_test = innovations[k] @ np.linalg.inv(stated[k] + known) @ innovations[k]
        shrunk.append(innovations[k] * min(1.0, np.sqrt(config.fix_limit / fix_test)))
        weights = np.exp(-(stamp_s - stamps[: k + 1]) / 4.0)
        information = [w * np.linalg.inv(s) for w, s in zip(weights, stated, strict=False)]
        of_mean = np.linalg.inv(sum(information))
        mean = of_mean @ sum(i @ s for i, s in zip(information, shrunk, strict=True))
        assert verdict.fix_test == pytest.approx(fix_test)
        assert verdict.mean_test == pytest.approx(mean @ np.linalg.inv(of_mean * weights.sum() + known) @ mean)


def test_agreeing_begins_anew_with_every_fix_that_is_off() -> None:
    good, off = np.zeros((int(2.0 * RATE_HZ), 2)), np.array([[15.0, 0.0]])  # less than trust_s, and far off once
    monitor = GnssMonitor(CONFIG)
    judged(good, monitor=monitor)
    (wrong,) = judged(off, monitor=monitor, from_s=2.0)
    assert wrong.fix_test > CONFIG.fix_limit
    assert wrong.mean_test < CONFIG.suspect_limit
    assert wrong.state is GnssState.SUSPECT
    assert monitor._agreed_s == 0.0


def test_before_any_fix_and_after_none_could_be_compared_nothing_is_known() -> None:
    monitor = GnssMonitor(CONFIG)
    for verdict in (monitor.verdict, monitor.unchecked(GnssFix(1.0, np.zeros(2), np.eye(2)), "not locked")):
        assert (verdict.state, verdict.fix_test, verdict.mean_test) == (GnssState.UNCHECKED, 0.0, 0.0)
    assert monitor.verdict.reason == "not locked"


def test_exactly_so_many_outliers_in_a_row_reject_a_receiver() -> None:
    verdicts = judged(np.concatenate([np.zeros((40, 2)), np.tile([14.0, 0.0], (CONFIG.outliers, 1))]))
    assert [verdict.state for verdict in verdicts[40:]] == [GnssState.SUSPECT] * (CONFIG.outliers - 1) + [GnssState.REJECTED]
    assert "3 fixes in a row are off" in verdicts[-1].reason


def test_an_honest_receiver_is_used_after_a_moment() -> None:
    verdicts = judged(receiver(120.0))
    first = verdicts[: int(CONFIG.trust_s * RATE_HZ)]
    assert states(first) == {GnssState.UNCHECKED}
    assert states(verdicts[len(first) + 1 :]) == {GnssState.CONSISTENT}
    assert all(verdict.usable == (verdict.state is GnssState.CONSISTENT) for verdict in verdicts)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(1.0, 8.0))
def test_honest_receivers_are_never_rejected(seed: int, sigma_m: float) -> None:
    assert GnssState.REJECTED not in states(judged(receiver(60.0, seed, sigma_m), sigma_m))


def test_one_jump_is_left_out_and_forgotten() -> None:
    errors = receiver(40.0)
    errors[100] += [40.0, 0.0]
    verdicts = judged(errors)
    assert verdicts[100].state is GnssState.SUSPECT
    assert not verdicts[100].usable
    assert verdicts[115].usable


def test_multipath_is_rejected_with_its_third_fix_and_used_again_later() -> None:
    errors = receiver(90.0)
    errors[100:140] += [20.0, -15.0]
    verdicts = judged(errors)
    assert not any(verdict.usable for verdict in verdicts[100:140])
    assert verdicts[102].state is GnssState.REJECTED
    again = next(k for k in range(140, len(verdicts)) if verdicts[k].usable)
    assert CONFIG.trust_again_s <= (again - 140) / RATE_HZ < CONFIG.trust_again_s + 15.0


def test_two_fixes_that_are_off_are_suspect_and_the_third_is_wrong() -> None:
    errors = receiver(40.0)
    errors[100:103] += [25.0, -20.0]
    found = [verdict.state for verdict in judged(errors)[100:103]]
    assert found == [GnssState.SUSPECT] * (CONFIG.outliers - 1) + [GnssState.REJECTED]


def test_a_receiver_that_states_nothing_is_taken_for_a_usual_one() -> None:
    assert GnssFix.stated(1.0, np.zeros(2), None, CONFIG).covariance == pytest.approx(np.diag([CONFIG.usual_m**2] * 2))
    own = np.diag([4.0, 9.0])
    assert GnssFix.stated(1.0, np.zeros(2), own, CONFIG).covariance is own


@pytest.mark.parametrize("speed", [0.1, 0.3, 1.0])
def test_slow_drift_is_rejected_before_it_is_far(speed: float) -> None:
    seconds = 20.0 / speed + 20.0
    errors = receiver(seconds + 30.0)
    drift = np.maximum(0.0, np.arange(len(errors)) / RATE_HZ - 30.0) * speed
    verdicts = judged(errors + np.column_stack([drift, np.zeros(len(drift))]))
    last_used = max(k for k, verdict in enumerate(verdicts) if verdict.usable)
    assert drift[last_used] < 9.0 + 4.0 * speed
    assert verdicts[-1].state is GnssState.REJECTED
    assert "off" in verdicts[-1].reason


def test_after_an_outage_it_is_judged_anew() -> None:
    monitor = GnssMonitor(CONFIG)
    judged(receiver(30.0), monitor=monitor)
    assert monitor.verdict.usable
    verdicts = judged(receiver(10.0, seed=1), monitor=monitor, from_s=30.0 + CONFIG.outage_s + 1.0)
    assert verdicts[0].state is GnssState.UNCHECKED
    assert verdicts[-1].state is GnssState.CONSISTENT


def test_a_pose_that_is_uncertain_itself_rejects_nothing() -> None:
    monitor = GnssMonitor(CONFIG)
    for k in range(100):
        verdict = monitor.judge(GnssFix(k / RATE_HZ, np.array([15.0, 0.0]), np.eye(2) * SIGMA_M**2), np.zeros(2), np.eye(2) * 20.0**2)
    assert verdict.state is GnssState.CONSISTENT


def test_what_cannot_be_compared_is_unchecked() -> None:
    monitor = GnssMonitor(CONFIG)
    judged(receiver(30.0), monitor=monitor)
    assert monitor.unchecked(GnssFix(31.0, np.zeros(2), np.eye(2)), "not locked").reason == "not locked"
    assert not monitor.verdict.usable


def test_repeated_fixes_say_nothing_new() -> None:
    monitor = GnssMonitor(CONFIG)
    fix = GnssFix(1.0, np.zeros(2), np.eye(2))
    assert monitor.judge(fix, np.zeros(2), POSE) is monitor.judge(fix, np.array([100.0, 0.0]), POSE)


def test_the_real_receiver_of_robotcar_is_never_rejected(data_dir: Path) -> None:
    folder = data_dir / "robotcar" / "2014-12-02-15-30-08"
    tables = []
    for name, stamp in (("gps.csv", "timestamp"), ("ins_at_images.csv", "gpstimestamp")):
        with (folder / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns = [stamp, "easting", "northing"] + (["longitude_sigma", "latitude_sigma"] if name == "gps.csv" else [])
        tables.append(np.array([[float(row[c]) for c in columns] for row in rows]))
    gps, ins = tables
    monitor = GnssMonitor(CONFIG)
    seen = set()
    for stamp, east, north, sigma_east, sigma_north in gps[::4]:
        truth = np.array([np.interp(stamp, ins[:, 0], column) for column in ins[:, 1:].T])
        fix = GnssFix(stamp * 1e-6, np.array([east, north]), np.diag([sigma_east**2, sigma_north**2]))
        seen.add(monitor.judge(fix, truth, POSE).state)
    assert seen == {GnssState.UNCHECKED, GnssState.CONSISTENT}
