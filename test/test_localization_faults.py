# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Odometry and clouds that go wrong: no wrong pose is claimed for long with confidence, the reason says why, and all is well afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from drives import Moment, labelled_cloud, straight, untrained
from towns import crossing

from urban_map_loc.config import FusionConfig, LocalizerConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.expectation import rays_to
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.priors import Prior
from urban_map_loc.localization.result import LocalizationResult, State
from urban_map_loc.localization.slip import Slip

AREA = crossing()
# 5 m/s, 5 clouds a second: the fault lasts from 30 to 60 m.
START, METRES, FIRST, LAST = Pose2(-95.0, -1.0, 0.0), 120.0, 30, 60
OUTSIDE = -2.0 * np.log1p(-0.9973)

Step = Callable[[Pose2], Pose2]
WRONG_STEPS: dict[str, Step] = {
    "frozen": lambda step: Pose2.identity(),
    "reversed": lambda step: Pose2(-step.x, step.y, step.yaw),
    "half as far": lambda step: Pose2(0.5 * step.x, step.y, step.yaw),
    "twice as far": lambda step: Pose2(2.0 * step.x, step.y, step.yaw),
    "turning": lambda step: Pose2(step.x, step.y, step.yaw + 0.15),
}


@cache
def moments() -> list[Moment]:
    return list(straight(AREA, START, METRES))


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return Localizer.of_area(AREA, untrained(AREA), LocalizerConfig())


def with_steps(wrong: Step, during: range = range(FIRST, LAST)) -> Iterator[Moment]:
    """The drive with steps of odometry that are wrong for a while."""
    at = moments()[0].T_odom_base
    yield moments()[0]
    for k, (before, after) in enumerate(zip(moments()[:-1], moments()[1:], strict=True), start=1):
        step = before.T_odom_base.inverse() @ after.T_odom_base
        at = at @ (wrong(step) if k in during else step)
        yield replace(after, T_odom_base=at)


def answers(loc: Localizer, drive: Iterator[Moment] | list[Moment]) -> list[tuple[Moment, LocalizationResult]]:
    out = []
    for moment in drive:
        loc.add_odometry(moment.stamp_s, moment.T_odom_base)
        out.append((moment, loc.add_cloud(moment.cloud)))
    return out


def error_m(moment: Moment, result: LocalizationResult) -> float:
    return result.estimate.T_map_base.distance_to(moment.T_map_base) if result.estimate else 0.0


def confidently_wrong(moment: Moment, result: LocalizationResult) -> bool:
    if result.estimate is None or error_m(moment, result) < 3.0:
        return False
    offset = (result.estimate.T_map_base.as_array() - moment.T_map_base.as_array())[:2]
    return float(offset @ np.linalg.solve(result.estimate.covariance[:2, :2], offset)) > OUTSIDE


@pytest.mark.parametrize("name", WRONG_STEPS)
def test_wrong_odometry_is_found_out_and_named_and_afterwards_the_place_is_found_again(localizer: Localizer, name: str) -> None:
    localizer.reset("a new drive")
    seen = answers(localizer, with_steps(WRONG_STEPS[name]))
    assert seen[FIRST - 1][1].state is State.LOCKED
    lost = [result.lost_because for _, result in seen if result.state is State.LOST]
    assert "odometry disagrees with the walls" in lost[0]
    assert "check the node that publishes odom" in lost[0]
    assert sum(confidently_wrong(*one) for one in seen) <= 5  # one second
    assert (seen[-1][1].state, seen[-1][1].lost_because) == (State.LOCKED, "")
    assert error_m(*seen[-1]) < 1.0


def test_a_slip_of_a_moment_is_found_out(localizer: Localizer) -> None:
    localizer.reset("a new drive")
    seen = answers(localizer, with_steps(lambda step: Pose2(step.x + 6.0, 0.0, 0.0), range(FIRST, FIRST + 1)))
    assert any("they show the car 6 m further back" in result.reason for _, result in seen)
    assert sum(confidently_wrong(*one) for one in seen) <= 3
    assert error_m(*seen[-1]) < 1.0


def test_a_scale_that_is_wrong_by_a_little_is_estimated(localizer: Localizer) -> None:
    localizer.reset("a new drive")
    seen = answers(localizer, with_steps(lambda step: Pose2(0.95 * step.x, 0.0, 0.0), range(1, 200)))
    assert seen[-1][1].state is State.LOCKED
    assert all(result.state is not State.LOST for _, result in seen)
    assert max(error_m(*one) for one in seen) < 1.5


def test_every_second_cloud_lost_changes_nothing_that_matters(localizer: Localizer) -> None:
    localizer.reset("a new drive")
    kept = np.random.default_rng(0).random(len(moments())) < 0.5
    seen = answers(localizer, [moment for moment, k in zip(moments(), kept, strict=True) if k])
    assert seen[-1][1].state is State.LOCKED
    assert max(error_m(*one) for one in seen) < 1.0


def test_clouds_that_come_twice_or_late_change_nothing_that_matters(localizer: Localizer) -> None:
    localizer.reset("a new drive")
    seen = []
    for k, moment in enumerate(moments()):
        localizer.add_odometry(moment.stamp_s, moment.T_odom_base)
        again = ([moments()[k - 3]] if k % 5 == 0 and k >= 3 else []) + [moment, moment]
        seen += [(one, localizer.add_cloud(one.cloud)) for one in again]
    assert seen[-1][1].state is State.LOCKED
    assert max(error_m(*one) for one in seen) < 1.0


def test_while_in_doubt_the_covariance_grows_and_while_healthy_it_does_not(localizer: Localizer) -> None:
    localizer.reset("a new drive")
    healthy = answers(localizer, moments()[:40])
    assert localizer.tracker is not None
    assert localizer.tracker.doubt == 0.0
    before = healthy[-1][1].estimate
    # Carried to the other road, driving on as smoothly as before.
    carried = straight(AREA, Pose2(1.0, -90.0, np.pi / 2), 30.0, from_s=healthy[-1][0].stamp_s + 0.2)
    T_odom_base = healthy[-1][0].T_odom_base
    offered = []
    for k, moment in enumerate(carried, start=1):
        localizer.add_odometry(moment.stamp_s, T_odom_base @ Pose2(float(k), 0.0, 0.0))
        result = localizer.add_cloud(moment.cloud)
        if result.state is State.LOST:
            break
        offered.append(np.sqrt(np.linalg.eigvalsh(result.estimate.covariance[:2, :2])[-1]))  # type: ignore[union-attr]
    assert localizer.state is State.LOST
    assert offered[-1] > 5.0 * np.sqrt(np.linalg.eigvalsh(before.covariance[:2, :2])[-1])  # type: ignore[union-attr]
    assert offered[-1] > 3.0


def test_a_stale_last_pose_is_a_hint_and_no_truth(localizer: Localizer) -> None:
    """Restarted elsewhere than where the last pose was kept: never locked there."""
    localizer.reset("restarted")
    stale = Prior(Pose2(0.0, 60.0, np.pi / 2), np.diag([26.0, 26.0, 0.1]), "last pose")
    localizer.add_odometry(moments()[0].stamp_s - 0.1, moments()[0].T_odom_base)
    assert localizer.add_prior(stale) == ""
    seen = answers(localizer, moments()[:60])
    assert seen[-1][1].state is State.LOCKED
    assert max(error_m(*one) for one in seen) < 1.0


def test_scans_beside_the_tracked_pose_say_how_odometry_slipped(localizer: Localizer) -> None:
    scan = labelled_points(moments()[50])
    truth = moments()[50].T_map_base
    slip = Slip(localizer.verifier, FusionConfig())
    for k, carried in enumerate((Pose2(-5.0, 0.0, 0.0), Pose2(-6.0, 0.0, 0.0), Pose2(-7.0, 0.0, 0.0))):
        assert slip.reason == ""
        look(slip, 0.1, truth @ carried, scan)
        assert slip.count == k + 1
        assert slip.offset.distance_to(carried.inverse()) < 0.5
    assert "they show the car 7 m further on" in slip.reason
    look(slip, 0.9, truth, scan)  # a scan that agrees with the map ends it
    assert (slip.count, slip.reason, slip.share) == (0, "", 0.0)
    look(slip, 0.1, truth @ Pose2(0.0, 0.0, 0.8), scan)
    assert slip.offset.yaw == pytest.approx(-0.8, abs=0.05)
    look(slip, 0.1, truth @ Pose2(5.0, 0.0, 0.0), scan)  # elsewhere than the one before: no second witness
    assert slip.count == 1
    look(slip, 0.1, truth, scan)  # nowhere better than where it is tracked
    assert slip.count == 0
    look(slip, 0.1, truth @ Pose2(5.0, 0.0, 0.0), scan[:10])  # too little to say anything
    assert slip.count == 0


def test_hits_that_fit_elsewhere_are_no_slip_where_what_the_map_has_in_sight_is_there(localizer: Localizer) -> None:
    """As where fences and lorries stand before walls: only what is seen fits 5 m ahead, not what should be seen."""
    scan = labelled_points(moments()[50])
    truth, slip = moments()[50].T_map_base, Slip(localizer.verifier, FusionConfig())
    ahead = np.ascontiguousarray(scan + [5.0, 0.0])
    slip.look(0.1, 0.1, truth, ahead, rays_to(ahead, np.zeros_like(ahead)))
    assert slip.count == 1
    slip.look(0.1, 0.95, truth, ahead, rays_to(scan, np.zeros_like(scan)))
    assert slip.count == 0


def look(slip: Slip, agreement: float, T_map_base: Pose2, points: np.ndarray) -> None:
    """A scan that agrees so well by what is seen and by what should be."""
    slip.look(agreement, agreement, T_map_base, points, rays_to(points, np.zeros_like(points)))


def labelled_points(moment: Moment) -> np.ndarray:
    return np.ascontiguousarray(moment.cloud.points[moment.cloud.label == 50, :2].astype(np.float64))  # type: ignore[index]


def test_blank_clouds_grow_the_covariance_until_walls_are_seen_again(localizer: Localizer) -> None:
    localizer.reset("a new drive")
    before = answers(localizer, moments()[:FIRST])[-1]
    blank = [replace(moment, cloud=labelled_cloud(moment.stamp_s, np.zeros((0, 2)))) for moment in moments()[FIRST:LAST]]
    during = answers(localizer, blank)
    assert all(result.skipped and result.estimate is not None for _, result in during)
    assert not any(confidently_wrong(*one) for one in during)
    assert during[-1][1].estimate.covariance[0, 0] > before[1].estimate.covariance[0, 0]  # type: ignore[union-attr]
    after = answers(localizer, moments()[LAST:])
    assert after[-1][1].state is State.LOCKED
    assert error_m(*after[-1]) < 1.0
