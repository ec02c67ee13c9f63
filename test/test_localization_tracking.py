# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tracker by itself: what disagreement adds up to over metres and seconds, what doubt costs, and which fixes are used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from towns import one_block

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.config import LocalizerConfig, RasterConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.gnss_monitor import GnssFix
from urban_map_loc.localization.recent_drive import Keyframe, RecentDrive
from urban_map_loc.localization.tracking import LONGEST_STEP_M, Tracker

CONFIG = LocalizerConfig()
FUSION, GNSS = CONFIG.fusion, CONFIG.gnss
RASTER = BuildingRaster.from_area(one_block(), RasterConfig())
T_MAP_ODOM = Pose2(1000.0, -400.0, 0.7)  # beyond the map: no wall pulls
HITS = np.full((3, 2), 5.0)  # fewer than are looked at for a slip


def keyframe(metre: float) -> Keyframe:
    """Without hits, so far along odometry, a metre a second."""
    return Keyframe(metre, Pose2(metre, 0.0, 0.0), np.zeros((0, 2)), metre)


class SaysSo:
    """A verifier that answers what it has been told."""

    def __init__(self) -> None:
        self.answer, self.share, self.weight = 0.9, 0.9, 1.0
        self.asked: list[np.ndarray] = []

    def raster_at(self, position: np.ndarray) -> BuildingRaster:
        self.asked.append(position)
        return RASTER

    def score(self, points: object, origins: object, poses: np.ndarray) -> np.ndarray:
        return np.full(len(poses), self.answer)

    def found(self, rays: object, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full(len(poses), self.share), np.full(len(poses), self.weight)


def tracker(config: LocalizerConfig = CONFIG) -> tuple[Tracker, SaysSo]:
    """Locked after three keyframes a metre apart, at 0, 1 and 2 seconds."""
    verifier, drive = SaysSo(), RecentDrive(FUSION)
    for k in range(3):
        drive.move(keyframe(float(k)).T_odom_base)
        drive.add(float(k), keyframe(float(k)).T_odom_base, HITS)
    return Tracker(verifier, config, drive, T_MAP_ODOM), verifier  # type: ignore[arg-type]


def look(it: Tracker, stamp_s: float, travelled_m: float) -> None:
    it.compare(BuildingScan(stamp_s, HITS), Pose2(3.0, 4.0, 0.0), travelled_m, 2.0 * np.pi)


scores = st.floats(-0.7, 1.0)
found = st.one_of(scores, st.just(FUSION.lost_score))
quarters = st.integers(-2, 20).map(lambda k: k / 4.0)  # exact sums
looks = st.lists(st.tuples(quarters, quarters.map(abs), scores, found, st.floats(0.0, 1.0)), max_size=30)


@settings(deadline=None)
@given(looks)
def test_disagreement_adds_up_as_pages_test_says(steps: list[tuple[float, float, float, float, float]]) -> None:
    it, verifier = tracker()
    stamp_s, metres, disagreement, agreement, since_m = 50.0, 10.0, 0.0, 1.0, 10.0
    look(it, stamp_s, metres)  # the first tells from where on it counts
    for driven_m, passed_s, score, found, weight in steps:
        stamp_s, metres = stamp_s + passed_s, metres + driven_m
        verifier.answer, verifier.share, verifier.weight = score, found, weight
        look(it, stamp_s, metres)
        progress_m = max(driven_m, FUSION.standing_m_s * passed_s, 0.0)
        seen = max(score, found) if found > FUSION.lost_score else score
        agreement += min(1.0, progress_m / FUSION.agreement_m) * (seen - agreement)
        disagreement = max(0.0, disagreement + weight * (FUSION.lost_score - seen) * min(progress_m, LONGEST_STEP_M))
        since_m = metres if disagreement == 0.0 else since_m
    assert it.agreement == pytest.approx(agreement)
    assert it.doubted_since_m == pytest.approx(since_m)
    if min(abs(disagreement - share * FUSION.lost_disagreement_m) for share in (FUSION.doubtful_share, 1.0)) > 1e-9:
        assert it.doubtful == (disagreement > FUSION.doubtful_share * FUSION.lost_disagreement_m)
        assert bool(it.disagreement) == (disagreement > FUSION.lost_disagreement_m)
    free = FUSION.doubtful_share * FUSION.lost_disagreement_m
    assert it.doubt == pytest.approx(float(np.clip((disagreement - free) / (FUSION.lost_disagreement_m - free), 0.0, 1.0)), abs=1e-9)


def test_no_agreement_at_all_loses_the_lock_after_five_metres() -> None:
    it, verifier = tracker()
    look(it, 0.0, 0.0)
    verifier.answer = verifier.share = 0.0
    doubts = []
    for metre in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        look(it, 0.0, metre)
        doubts.append((it.doubtful, bool(it.disagreement)))
    # 0.4 a metre: doubtful beyond 0.5, lost beyond 2.
    assert doubts == [(False, False), (True, False), (True, False), (True, False), (True, False), (True, True)]
    assert it.doubted_since_m == 0.0
    assert "the scans disagree with the map (agreement 0." in it.disagreement


def test_one_scan_after_a_long_gap_counts_for_three_metres() -> None:
    it, verifier = tracker()
    look(it, 0.0, 0.0)
    verifier.answer = verifier.share = 0.0
    look(it, 0.0, 500.0)
    assert it.doubt == pytest.approx((FUSION.lost_score * 3.0 - 0.5) / 1.5)
    assert it.agreement == 0.0


def test_while_standing_time_counts_slowly() -> None:
    it, verifier = tracker()
    look(it, 0.0, 7.0)
    verifier.answer = verifier.share = 0.0
    for second in (1.0, 2.0):
        look(it, second, 7.0)
    assert it.doubt == pytest.approx((FUSION.lost_score * 2.0 * FUSION.standing_m_s - 0.5) / 1.5)
    assert it.doubted_since_m == 7.0


def test_a_slip_makes_doubt_and_is_named_first() -> None:
    it, _ = tracker()
    it.slip.offset = Pose2(4.0, 0.0, 0.0)
    for count in range(1, FUSION.slip_scans + 1):
        it.slip.count = count
        assert it.doubt == pytest.approx(count / FUSION.slip_scans)
    assert "4 m further on" in it.disagreement


@pytest.mark.parametrize("doubt", [0.0, 1.0 / 3.0, 1.0])
def test_doubt_widens_what_is_published_by_where_elsewhere_begins(doubt: float) -> None:
    it, _ = tracker()
    it.slip.count = round(doubt * FUSION.slip_scans)
    it.covariance = np.array([[4.0, 1.0, 0.1], [1.0, 9.0, 0.2], [0.1, 0.2, 0.3]])
    position, heading = doubt * FUSION.rival_distance_m**2, doubt * FUSION.rival_heading_rad**2
    wider = np.diag([FUSION.map_sigma_m**2 + position, FUSION.map_sigma_m**2 + position, FUSION.map_sigma_rad**2 + heading])
    assert it.published_covariance - it.covariance == pytest.approx(wider, abs=1e-12)


def test_a_pose_is_too_uncertain_by_its_worst_direction() -> None:
    it, _ = tracker()
    c, s = np.cos(0.6), np.sin(0.6)
    turn = np.array([[c, -s], [s, c]])
    it.covariance = np.eye(3)
    for long_m, told in ((FUSION.lost_sigma_m, ""), (FUSION.lost_sigma_m + 0.2, "position sigma 8.2 m")):
        it.covariance[:2, :2] = turn @ np.diag([1.0, (long_m - 1e-9) ** 2]) @ turn.T
        assert it.sigma_m == pytest.approx(long_m)
        assert it.uncertainty == "" if not told else told in it.uncertainty


def test_it_moves_with_odometry_and_keeps_the_frames_apart() -> None:
    it, _ = tracker()
    T_odom_base = Pose2(5.0, 0.0, 0.0)
    T_map_base = it.move(T_odom_base)
    assert T_map_base.distance_to(T_MAP_ODOM @ T_odom_base) < 0.02
    assert (it.T_map_odom @ T_odom_base).distance_to(T_map_base) < 1e-9
    assert it.covariance == pytest.approx(it.window.at(T_odom_base)[1])


def test_the_map_is_that_about_the_newest_pose() -> None:
    it, verifier = tracker()
    T_map_newest = T_MAP_ODOM @ Pose2(2.0, 0.0, 0.0)
    assert verifier.asked[0] == pytest.approx([T_map_newest.x, T_map_newest.y])
    newest = it.window.poses[-1, :2].copy()
    it.add(keyframe(3.0))
    assert verifier.asked[-1] == pytest.approx(newest)
    assert len(it.window.keyframes) == 4
    assert it.unaided is it.window


def fix(stamp_s: float, metre: float) -> GnssFix:
    there = T_MAP_ODOM @ Pose2(metre, 3.0, 0.0)  # three metres aside
    return GnssFix(stamp_s, np.array([there.x, there.y]), np.diag([1.0, 4.0]))


def used(it: Tracker) -> list[Any]:
    return [] if it.window is it.unaided else it.window._fixes


def test_one_fix_is_used_each_so_many_metres_with_a_wider_covariance() -> None:
    gnss = replace(GNSS, floor_m=3.0)
    it, _ = tracker(replace(CONFIG, gnss=gnss))
    for travelled_m, count in ((0.0, 1), (GNSS.spacing_m - 0.1, 1), (GNSS.spacing_m, 2), (2 * GNSS.spacing_m - 0.1, 2)):
        it.add_fix(fix(2.0, 2.0), Pose2(2.0, 0.0, 0.0), travelled_m)
        assert len(used(it)) == count
    variances = GNSS.inflation * (np.array([1.0, 4.0]) + 9.0)
    assert np.linalg.inv(used(it)[0].information) == pytest.approx(np.diag(variances))
    assert it.unaided._fixes == []


def test_fixes_pull_the_offered_pose_alone_and_are_forgotten_as_a_whole() -> None:
    it, _ = tracker()
    free, _ = tracker()
    for metre in range(3, 60):
        it.add_fix(fix(metre - 1.0, metre - 1.0), Pose2(metre - 1.0, 0.0, 0.0), float(metre))
        for each in (it, free):
            each.add(keyframe(float(metre)))
    T_odom_base = Pose2(59.0, 0.0, 0.0)
    pulled, unpulled = it.move(T_odom_base), free.move(T_odom_base)
    across = T_MAP_ODOM.inverse() @ pulled
    assert 0.3 < across.y < 4.0
    it.drop_fixes()
    assert it.move(T_odom_base).distance_to(unpulled) < 1e-9
