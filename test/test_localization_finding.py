# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Finder and RecentDrive: hypotheses and hits move with odometry, and nothing is made of an empty drive."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.finding import Finder
from urban_map_loc.localization.recent_drive import RecentDrive
from urban_map_loc.localization.result import Answer, Answers

CONFIG = FusionConfig()
HITS = np.array([[1.0, 0.0], [0.0, 2.0], [-3.0, 1.0]])
poses = st.builds(Pose2, st.floats(-50.0, 50.0), st.floats(-50.0, 50.0), st.floats(-3.1, 3.1))


def believing(scores: dict[float, float]) -> Any:
    """A verifier that leaves poses where they are and scores them by their easting."""

    def score(points: object, origins: object, there: np.ndarray, aligned: object = None) -> np.ndarray:
        return np.array([scores.get(round(float(east)), 0.5) for east in there[:, 0]])

    return SimpleNamespace(score=score, agreement=score, refine=lambda points, origins, there: (there, None))


def answers(*places: Pose2) -> Answers:
    return Answers([Answer(place, np.eye(3), 0.9, -float(k)) for k, place in enumerate(places)], np.zeros(3), 0.0)


@given(poses, poses, poses)
def test_hypotheses_move_with_odometry(place: Pose2, then: Pose2, now: Pose2) -> None:
    finder = Finder(believing({}), CONFIG)
    finder.propose(answers(place), then, 0.0)
    finder.judge(now, HITS, np.zeros_like(HITS))
    expected = place @ then.inverse() @ now
    assert len(finder.poses) == len(finder.scores) == len(finder.merits) == 1
    assert Pose2.from_array(finder.poses[0]).distance_to(expected) < 1e-9
    assert Pose2.from_array(finder.poses[0]).heading_difference(expected) < 1e-9


def test_the_best_comes_first_and_the_same_place_once() -> None:
    finder = Finder(believing({0: 0.4, 100: 0.9, 200: 0.6}), CONFIG)
    finder.propose(answers(*(Pose2(east, 0.0, 0.0) for east in (0.0, 100.0, 200.0, 100.2))), Pose2.identity(), 0.0)
    finder.judge(Pose2.identity(), HITS, np.zeros_like(HITS))
    assert np.round(finder.poses[:, 0]) == pytest.approx([100.0, 200.0, 0.0])
    assert finder.scores == pytest.approx([0.9, 0.6, 0.4])
    assert finder.other_place(finder.poses[0]) == 1
    assert finder.best_other_place(finder.poses[0]) == pytest.approx(0.6)


def test_without_hypotheses_or_hits_there_is_nothing() -> None:
    finder = Finder(believing({}), CONFIG)
    for empty in (HITS, HITS[:0]):
        finder.judge(Pose2.identity(), empty, np.zeros_like(empty))
        assert (finder.poses.shape, finder.scores.shape, finder.merits.shape) == ((0, 3), (0,), (0,))
        assert finder.best_other_place(np.zeros(3)) == -1.0
        finder.propose(answers(Pose2.identity()), Pose2.identity(), 0.0)
    finder.clear()
    assert (finder.poses.shape, finder.scores.shape, finder.merits.shape) == ((0, 3), (0,), (0,))


def drove(*places: Pose2) -> RecentDrive:
    drive = RecentDrive(CONFIG)
    for k, place in enumerate(places):
        drive.move(place)
        drive.add(float(k), place, HITS)
    return drive


@given(poses, poses)
def test_hits_of_the_drive_come_with_where_their_rays_began(first: Pose2, now: Pose2) -> None:
    second = first @ Pose2(2.0, 0.0, 0.5)
    points, origins = drove(first, second).points(now)
    for k, place in enumerate((first, second)):
        there = now.inverse() @ place
        assert points[3 * k : 3 * k + 3] == pytest.approx(there.transform(HITS), abs=1e-9)
        assert origins[3 * k : 3 * k + 3] == pytest.approx(np.tile([there.x, there.y], (3, 1)), abs=1e-9)


def test_an_empty_drive_has_no_hits_and_no_length() -> None:
    drive = drove(Pose2.identity(), Pose2(2.0, 0.0, 0.0), Pose2(4.0, 0.0, 0.0))
    assert (len(drive), drive.hits, drive.length_m) == (3, 9, 4.0)
    drive.forget_before(3.0)
    assert (len(drive), drive.hits, drive.length_m) == (1, 3, 0.0)
    drive.forget_before(5.0)
    assert (len(drive), drive.hits, drive.length_m) == (0, 0, 0.0)
    assert [part.shape for part in drive.points(Pose2.identity())] == [(0, 2), (0, 2)]


@pytest.mark.parametrize(("apart", "count"), [((1.4, 0.0, 0.0), 1), ((0.0, 1.6, 0.0), 2), ((0.0, 0.0, 0.09), 1), ((0.0, 0.0, 0.11), 2)])
def test_poses_a_metre_and_a_half_or_six_degrees_apart_are_two(apart: tuple[float, float, float], count: int) -> None:
    finder = Finder(believing({}), CONFIG)
    finder.propose(answers(Pose2.identity(), Pose2(*apart)), Pose2.identity(), 0.0)
    finder.judge(Pose2.identity(), HITS, np.zeros_like(HITS))
    assert len(finder.poses) == count


def test_an_advantage_decides_between_places_alike() -> None:
    finder = Finder(believing({0: 0.7, 100: 0.71}), CONFIG)
    finder.propose(answers(Pose2.identity(), Pose2(100.0, 0.0, 0.0)), Pose2.identity(), 0.0)
    finder.judge(Pose2.identity(), HITS, np.zeros_like(HITS), lambda poses: np.where(poses[:, 0] < 50.0, 0.04, 0.0))
    assert finder.poses[:, 0] == pytest.approx([0.0, 100.0])
    assert finder.scores == pytest.approx([0.7, 0.71])
    assert finder.merits == pytest.approx([0.74, 0.71])


@pytest.mark.parametrize(
    ("apart", "other"),
    [
        ((9.9, 0.0, 0.0), None),
        ((0.0, 10.1, 0.0), 1),
        ((10.1, 0.0, 0.0), 1),
        ((7.2, 7.2, 0.0), 1),
        ((0.0, 0.0, 0.69), None),
        ((0.0, 0.0, -0.71), 1),
    ],
)
def test_another_place_is_ten_metres_off_or_heads_elsewhere(apart: tuple[float, float, float], other: int | None) -> None:
    finder = Finder(believing({}), CONFIG)
    finder.poses, finder.merits = np.array([[3.0, 4.0, 3.0], [3.0, 4.0, 3.0] + np.array(apart)]), np.array([0.9, 0.8])
    assert finder.other_place(finder.poses[0]) == other
    assert finder.best_other_place(finder.poses[0]) == (-1.0 if other is None else 0.8)


def test_a_scan_votes_with_its_best_answer_and_three_of_three_are_three_of_five() -> None:
    finder = Finder(believing({}), CONFIG)
    for metre in (0.0, 2.0, 4.0):
        finder.propose(answers(Pose2(50.0 + metre, 0.0, 0.0), Pose2(-80.0, 0.0, 0.0)), Pose2(metre, 0.0, 0.0), metre)
    here = Pose2(4.0, 0.0, 0.0)
    assert finder.support(np.array([54.0, 0.0, 0.0]), here) == pytest.approx(3.0 / 5.0)
    assert finder.support(np.array([-80.0, 0.0, 0.0]), here) == 0.0


@pytest.mark.parametrize(
    ("apart", "counts"), [((3.9, 0.0, 0.0), True), ((0.0, 4.1, 0.0), False), ((0.0, 0.0, 0.19), True), ((0.0, 0.0, -0.21), False)]
)
def test_a_scan_votes_for_what_is_within_four_metres_and_eleven_degrees(apart: tuple[float, float, float], counts: bool) -> None:
    finder = Finder(believing({}), CONFIG)
    finder.propose(answers(Pose2(50.0, 60.0, 1.0)), Pose2.identity(), 0.0)
    assert (finder.support(np.array([50.0, 60.0, 1.0]) + np.array(apart), Pose2.identity()) > 0.0) == counts


def test_half_a_vote_is_of_the_answer_that_is_best_by_hits() -> None:
    finder = Finder(believing({}), CONFIG)
    here, there = (Answer(Pose2(east, 0.0, 0.0), np.eye(3), 0.9, by_hits) for east, by_hits in ((0.0, 0.7), (90.0, 0.8)))
    finder.propose(Answers([here, there], np.zeros(3), 0.0), Pose2.identity(), 0.0)
    for east in (0.0, 90.0):
        assert finder.support(np.array([east, 0.0, 0.0]), Pose2.identity()) == pytest.approx(0.5 / 3.0)


def test_a_drive_begins_with_nothing_driven_and_thins_its_hits_evenly() -> None:
    drive = RecentDrive(CONFIG)
    assert drive.move(Pose2(5.0, 5.0, 0.0)) == 0.0
    assert drive.move(Pose2(5.0, 8.0, 0.0)) == drive.travelled_m == 3.0
    rays = CONFIG.window_rays
    for count, kept in ((rays, rays), (rays + 1, (rays + 2) // 2), (3 * rays, rays)):
        points = np.column_stack([np.arange(count), np.zeros(count)]).astype(float)
        drive.move(Pose2(5.0, 8.0 + drive.travelled_m, 0.0))
        keyframe = drive.add(0.0, Pose2.identity(), points)
        assert keyframe is not None
        assert keyframe.points == pytest.approx(points[:: -(-count // rays)])
        assert len(keyframe.points) == kept


def test_keyframes_are_a_metre_apart() -> None:
    drive = RecentDrive(CONFIG)
    for k in range(9):
        drive.move(Pose2(0.4 * k, 0.0, 0.0))
        kept = drive.add(float(k), Pose2(0.4 * k, 0.0, 0.0), HITS)
        assert (kept is not None) == (k % 3 == 0)


def test_so_many_hits_are_judged_of_a_long_drive() -> None:
    drive, per_scan = RecentDrive(CONFIG), CONFIG.window_rays
    for k in range(CONFIG.judged_hits // per_scan + 1):
        drive.move(Pose2(2.0 * k, 0.0, 0.0))
        drive.add(float(k), Pose2(2.0 * k, 0.0, 0.0), np.column_stack([np.arange(per_scan), np.full(per_scan, k)]).astype(float))
    assert CONFIG.judged_hits < drive.hits < 2 * CONFIG.judged_hits
    points, _ = drive.points(Pose2.identity())
    assert len(points) == drive.hits // 2
    first, second = points[points[:, 1] == 0.0], points[points[:, 1] == 1.0]
    assert first[:, 0] == pytest.approx(np.arange(0, per_scan, 2))
    assert second[:, 0] - 2.0 == pytest.approx(np.arange(1, per_scan, 2))
