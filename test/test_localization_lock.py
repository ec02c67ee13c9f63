# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""When a place is believed: every condition alone keeps it from being so, and what single scans say counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from towns import crossing

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import FusionConfig, RasterConfig, VerificationConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.finding import DOUBTERS, Finder
from urban_map_loc.localization.lock import LockRules
from urban_map_loc.localization.result import Answer, Answers
from urban_map_loc.localization.verification import Verifier

CONFIG = FusionConfig()
RULES = LockRules(CONFIG)
HERE = Pose2.identity()
DROVE = {"length_m": 30.0, "hits": 2000}


def drive(**changed: float) -> Any:
    return SimpleNamespace(**(DROVE | changed))


def found(best: float, rival: float, support: float = 0.6) -> Any:
    """Hypotheses at two places, of which single scans support the first."""
    finder = Finder.__new__(Finder)
    finder.config = CONFIG
    finder.poses = np.array([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0]])
    finder.scores = finder.merits = np.array([best, rival])
    finder.support = lambda pose, T_odom_base: support  # type: ignore[method-assign]
    return finder


def test_a_clear_place_is_believed() -> None:
    verdict = RULES.judge(found(0.9, 0.6), drive(), HERE)
    assert verdict.believed
    assert "locked after 30 m (agreement 0.90, lead 0.30" in verdict.reason


@pytest.mark.parametrize(
    ("finder", "moved", "reason"),
    [
        (found(0.9, 0.6), drive(length_m=5.0), "only 5 m driven"),
        (found(0.9, 0.6), drive(hits=100), "only 100 wall hits"),
        (found(0.5, 0.1), drive(), "explains the drive by 0.50"),
        (found(0.9, 0.88), drive(), "two places"),
        (found(0.8, 0.72), drive(), "two places"),
    ],
)
def test_each_condition_alone_keeps_a_place_from_being_believed(finder: Any, moved: Any, reason: str) -> None:
    verdict = RULES.judge(finder, moved, HERE)
    assert not verdict.believed
    assert reason in verdict.reason


def test_without_hypotheses_there_is_nothing_to_believe() -> None:
    finder = found(0.9, 0.6)
    finder.scores = np.zeros(0)
    assert not RULES.judge(finder, drive(), HERE).believed


def test_support_by_single_scans_decides_between_equal_leads() -> None:
    lead = 0.1  # of an agreement of 0.8: the other place leaves 1.5 times as much unexplained
    assert RULES.judge(found(0.8, 0.8 - lead, support=0.9), drive(), HERE).believed
    assert not RULES.judge(found(0.8, 0.8 - lead, support=0.1), drive(), HERE).believed


@given(st.floats(0.65, 0.99), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(8.0, 60.0), st.floats(8.0, 60.0))
def test_more_support_and_a_longer_drive_never_need_more_lead(best: float, one: float, other: float, metres: float, more: float) -> None:
    low, high = sorted((one, other))
    short, long = sorted((metres, more))
    assert RULES.lead_needed(best, high, drive(length_m=long)) <= RULES.lead_needed(best, low, drive(length_m=short)) + 1e-12


@pytest.mark.parametrize(
    ("best", "rival", "support", "metres", "hits"),
    [
        # Places that were wrong, as measured; see docs/localization.md.
        (0.78, 0.685, 0.17 * 6 / 8, 21.0, 793),
        (0.80, 0.741, 0.86 * 7 / 9, 29.0, 1387),
        (0.80, 0.733, 0.75 * 4 / 6, 13.0, 768),
        (0.62, 0.475, 0.43 * 7 / 9, 21.0, 1214),
        (0.93, 0.904, 0.19 * 26 / 28, 41.0, 3095),
    ],
)
def test_places_that_were_wrong_stay_unbelieved(best: float, rival: float, support: float, metres: float, hits: int) -> None:
    assert not RULES.judge(found(best, rival, support), drive(length_m=metres, hits=hits), HERE).believed


def test_a_lock_is_overruled_by_a_far_better_place_only() -> None:
    own = np.array([500.0, 0.0, 0.0])
    assert "another place" in RULES.overruled(0.4, own, found(0.9, 0.2), drive())
    assert RULES.overruled(0.55, own, found(0.7, 0.2), drive()) == ""
    assert RULES.overruled(0.4, own, found(0.9, 0.2), drive(length_m=3.0)) == ""
    here = np.zeros(3)
    assert RULES.overruled(0.4, here, found(0.9, 0.2), drive()) == ""  # the best is this very place


@pytest.mark.parametrize(
    ("rival", "own", "overruled"),
    # By 0.2 at least, and 2.5 times as much unexplained: at 0.9 that is 0.15, at 0.8 it is 0.3.
    [(0.9, 0.69, True), (0.9, 0.71, False), (0.8, 0.49, True), (0.8, 0.51, False)],
)
def test_what_overrules_a_lock(rival: float, own: float, overruled: bool) -> None:
    assert bool(RULES.overruled(own, np.array([500.0, 0.0, 0.0]), found(rival, 0.1), drive())) == overruled


def test_a_place_that_explains_nearly_all_needs_a_lead_that_falls_with_the_metres() -> None:
    assert RULES.lead_needed(0.99, 1.0, drive(length_m=15.0)) == pytest.approx(CONFIG.lock_margin + CONFIG.lock_margin_metre / 15.0)
    ratio = CONFIG.lock_misfit_ratio + CONFIG.lock_misfit_metre / 15.0 - CONFIG.lock_support * 0.5
    assert RULES.lead_needed(0.7, 0.5, drive(length_m=15.0)) == pytest.approx((ratio - 1.0) * 0.3)


def test_support_is_asked_for_the_best_place() -> None:
    finder = found(0.9, 0.6)
    asked = []
    finder.support = lambda pose, T_odom_base: asked.append(pose) or 0.6
    RULES.judge(finder, drive(), HERE)
    assert asked == [pytest.approx(finder.poses[0])]


def finder_on_a_crossing() -> Finder:
    area = crossing()
    return Finder(Verifier(area, BuildingRaster.from_area(area, RasterConfig()), VerificationConfig()), CONFIG)


def answer(east: float, north: float, yaw: float, guess: tuple[float, float, float] = (0.0, 0.0, 0.0), probability: float = 0.0) -> Answers:
    return Answers([Answer(Pose2(east, north, yaw), np.eye(3), 0.9, 0.9)], np.array(guess), probability)


def test_mapnets_own_guess_votes_as_much_as_it_is_probable() -> None:
    finder = finder_on_a_crossing()
    finder.propose(answer(0.0, 0.0, 0.0, guess=(50.0, 0.0, 0.0), probability=0.8), HERE, 0.0)
    finder.propose(answer(0.0, 0.0, 0.0, guess=(1.0, 0.0, 0.0), probability=0.4), HERE, CONFIG.vote_m)
    weights = 2 + 0.8 + 0.4 + DOUBTERS
    assert finder.support(np.zeros(3), HERE) == pytest.approx(2.4 / weights)
    assert finder.support(np.array([50.0, 0.0, 0.0]), HERE) == pytest.approx(0.8 / weights)


def test_scans_vote_for_the_place_that_they_answered() -> None:
    finder = finder_on_a_crossing()
    T_odom_map = Pose2(20.0, -5.0, 1.0)
    for metre in range(0, 12, 2):
        wrong = metre in (4, 8)
        there = answer(50.0, 0.0, 2.0) if wrong else answer(-70.0 + metre, 0.0, 0.0)
        finder.propose(there, T_odom_map @ Pose2(-70.0 + metre, 0.0, 0.0), float(metre))
        finder.propose(answer(0.0, 0.0, 0.0), T_odom_map @ Pose2(-69.0 + metre, 0.0, 0.0), metre + 1.0)  # too soon to count
    T_odom_base = T_odom_map @ Pose2(-58.0, 0.0, 0.0)
    assert finder.support(np.array([-58.0, 0.0, 0.0]), T_odom_base) == pytest.approx(4 / (6 + DOUBTERS))
    assert finder.support(np.array([-58.0, 20.0, 0.0]), T_odom_base) == 0.0
    assert finder.support(np.array([-58.0, 0.0, 0.5]), T_odom_base) == 0.0


def test_votes_of_long_ago_are_forgotten() -> None:
    finder = finder_on_a_crossing()
    finder.propose(answer(0.0, 0.0, 0.0), HERE, 0.0)
    assert finder.support(np.zeros(3), HERE) > 0.0
    finder.propose(answer(50.0, 0.0, 0.0), HERE, CONFIG.window_m + 1.0)
    assert finder.support(np.zeros(3), HERE) == 0.0
    finder.clear()
    assert finder.support(np.zeros(3), HERE) == 0.0
