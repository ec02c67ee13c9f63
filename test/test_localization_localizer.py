# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Localizer: finds, locks, tracks, skips with reasons, loses and finds again."""

from __future__ import annotations

import numpy as np
import pytest
from drives import Moment, labelled_cloud, straight, untrained
from towns import crossing, one_block

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.errors import ModelError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.result import LocalizationResult, State

AREA = crossing()
MODEL = untrained(AREA)
WESTERN = Pose2(-70.0, -1.0, 0.0)


def localizer() -> Localizer:
    return Localizer.of_area(AREA, MODEL, LocalizerConfig())


def feed(loc: Localizer, moment: Moment) -> LocalizationResult:
    loc.add_odometry(moment.stamp_s, moment.T_odom_base)
    return loc.add_cloud(moment.cloud)


def drive(loc: Localizer, start: Pose2, metres: float, from_s: float = 100.0) -> list[tuple[Moment, LocalizationResult]]:
    return [(m, feed(loc, m)) for m in straight(AREA, start, metres, from_s=from_s)]


def test_it_locks_on_the_right_place_and_tracks() -> None:
    loc = localizer()
    answers = drive(loc, WESTERN, 60.0)
    first, last = answers[0][1], answers[-1][1]
    assert first.state is State.INITIALIZING
    assert first.estimate is None
    assert first.reason
    assert last.state is State.LOCKED
    for moment, result in answers:
        if result.estimate:
            assert result.estimate.T_map_base.distance_to(moment.T_map_base) < 1.0
            assert result.estimate.T_map_base.heading_difference(moment.T_map_base) < 0.03
            assert np.linalg.eigvalsh(result.estimate.covariance).min() > 0.0
    moment, _ = answers[-1]
    assert loc.T_map_odom is not None
    assert (loc.T_map_odom @ moment.T_odom_base).distance_to(moment.T_map_base) < 1.0


def test_a_standing_car_does_not_lock() -> None:
    loc = localizer()
    moments = list(straight(AREA, WESTERN, 0.0)) * 1
    for k in range(40):
        standing = moments[0]
        loc.add_odometry(100.0 + 0.2 * k, standing.T_odom_base)
        result = loc.add_cloud(Cloud(100.0 + 0.2 * k, standing.cloud.points, standing.cloud.label))
    assert result.state is State.INITIALIZING
    assert "driven" in result.reason


def test_the_single_scan_answer_is_given_on_request_and_needs_no_history() -> None:
    loc = localizer()
    moment = next(iter(straight(AREA, Pose2(6.0, 1.0, 0.2), 0.0)))
    loc.add_odometry(moment.stamp_s, moment.T_odom_base)
    result = loc.add_cloud(moment.cloud, single_scan=True)
    assert result.estimate is None
    assert result.single_scan is not None
    assert result.single_scan.T_map_base.distance_to(moment.T_map_base) < 1.0
    assert {"extraction", "mapnet", "verification", "fusion"} <= result.timing_ms.keys()


def test_a_cloud_without_odometry_is_skipped_with_a_reason() -> None:
    loc = localizer()
    moment = next(iter(straight(AREA, WESTERN, 0.0)))
    result = loc.add_cloud(moment.cloud)
    assert result.skipped
    assert "no odometry yet" in result.reason


def test_odometry_that_stops_is_told() -> None:
    loc = localizer()
    moments = list(straight(AREA, WESTERN, 10.0))
    feed(loc, moments[0])
    result = loc.add_cloud(moments[-1].cloud)
    assert result.skipped
    assert "has odom stopped" in result.reason


@pytest.mark.parametrize("points", [np.zeros((0, 3), np.float32), np.ones((5, 3), np.float32) * 9.0, np.full((500, 3), 1e-3, np.float32)])
def test_clouds_that_say_nothing_are_skipped(points: np.ndarray) -> None:
    loc = localizer()
    loc.add_odometry(1.0, Pose2.identity())
    result = loc.add_cloud(Cloud(1.0, points, np.full(len(points), 50)))
    assert result.skipped
    assert "building points" in result.reason


def test_a_long_stretch_without_walls_grows_the_covariance_and_ends_the_lock() -> None:
    loc = localizer()
    moment, locked = drive(loc, WESTERN, 60.0)[-1]
    assert locked.state is State.LOCKED
    sigmas = [np.sqrt(np.trace(locked.estimate.covariance[:2, :2]))]  # type: ignore[union-attr]
    T_odom_base, stamp = moment.T_odom_base, moment.stamp_s
    for _ in range(2000):
        T_odom_base, stamp = T_odom_base @ Pose2(2.0, 0.0, 0.0), stamp + 0.2
        loc.add_odometry(stamp, T_odom_base)
        result = loc.add_cloud(labelled_cloud(stamp, np.zeros((0, 2))))
        assert result.skipped
        if result.state is State.LOST:
            break
        sigmas.append(np.sqrt(np.trace(result.estimate.covariance[:2, :2])))  # type: ignore[union-attr]
    assert result.state is State.LOST
    assert result.estimate is None
    assert (np.diff(sigmas) > 0).all()
    assert len(sigmas) > 10


def test_odometry_that_jumps_ends_the_lock_and_it_is_found_again() -> None:
    loc = localizer()
    moment, _ = drive(loc, WESTERN, 60.0)[-1]
    assert loc.state is State.LOCKED
    loc.add_odometry(moment.stamp_s + 0.1, moment.T_odom_base @ Pose2(50.0, 0.0, 1.0))
    assert loc.state is State.LOST
    assert loc.T_map_odom is None
    again = drive(loc, Pose2(1.0, -80.0, np.pi / 2), 70.0, from_s=moment.stamp_s + 1.0)
    assert again[-1][1].state is State.LOCKED
    assert again[-1][1].estimate.T_map_base.distance_to(again[-1][0].T_map_base) < 1.0  # type: ignore[union-attr]


def test_a_kidnapped_car_is_never_confidently_wrong_for_long() -> None:
    loc = localizer()
    moment, _ = drive(loc, WESTERN, 60.0)[-1]
    # Odometry goes on smoothly while the car is elsewhere: only the scans can tell.
    T_odom_here = moment.T_odom_base
    elsewhere = Pose2(1.0, -90.0, np.pi / 2)
    wrong_m, found = 0.0, False
    for k, m in enumerate(straight(AREA, elsewhere, 90.0, from_s=moment.stamp_s + 0.2)):
        loc.add_odometry(m.stamp_s, T_odom_here @ Pose2(k * 1.0, 0.0, 0.0))
        result = loc.add_cloud(m.cloud)
        if result.estimate:
            error = result.estimate.T_map_base.distance_to(m.T_map_base)
            wrong_m += error > 10.0
            found = error < 1.5
    assert found
    assert wrong_m < 60.0


def test_after_a_kidnapping_the_drive_since_then_is_kept() -> None:
    """What the car has seen since it was carried away counts when the loss is noticed; what it saw before does not."""
    loc = localizer()
    moment, _ = drive(loc, WESTERN, 60.0)[-1]
    carried_m = loc.drive.travelled_m
    for k, m in enumerate(straight(AREA, Pose2(1.0, -90.0, np.pi / 2), 90.0, from_s=moment.stamp_s + 0.2)):
        loc.add_odometry(m.stamp_s, moment.T_odom_base @ Pose2(k * 1.0, 0.0, 0.0))
        loc.add_cloud(m.cloud)
        if loc.state is State.LOST:
            break
    assert loc.state is State.LOST
    assert loc.drive.keyframes[0].travelled_m == pytest.approx(carried_m, abs=6.0)
    assert loc.drive.length_m > 3.0


def test_reset_forgets_and_says_why() -> None:
    loc = localizer()
    drive(loc, WESTERN, 60.0)
    loc.reset("asked to relocalize")
    assert loc.state is State.INITIALIZING
    assert loc.T_map_odom is None
    assert "no odometry yet" in loc.add_cloud(labelled_cloud(100.0, np.ones((50, 2)))).reason
    assert np.isinf(loc.map_odom_covariance).any()


def test_a_model_of_another_area_is_refused() -> None:
    with pytest.raises(ModelError, match=r"was trained on area"):
        Localizer.of_area(one_block(), MODEL, LocalizerConfig())
