# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""First guesses: looked at first, carried by odometry, soon forgotten, and overruled where they are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drives import T_ODOM_MAP, Moment, straight, untrained
from towns import crossing

from urban_map_loc.config import LocalizerConfig, PriorConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.gnss_monitor import GnssFix, GnssState
from urban_map_loc.localization.last_pose import load_last_pose, save_last_pose
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.priors import Prior, Priors
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate, State

CONFIG = PriorConfig()
AREA = crossing()
MODEL = untrained(AREA)
WESTERN = Pose2(-70.0, -1.0, 0.0)


def guess(pose: Pose2, sigma_m: float = 3.0, sigma_rad: float = 0.2, source: str = "initialpose") -> Prior:
    return Prior(pose, np.diag([sigma_m**2, sigma_m**2, sigma_rad**2]), source)


def fix(stamp_s: float, at: Pose2, sigma_m: float = 3.0) -> GnssFix:
    return GnssFix(stamp_s, np.array([at.x, at.y]), np.eye(2) * sigma_m**2)


def box_of(priors: Priors, T_odom_base: Pose2, travelled_m: float) -> np.ndarray:
    regions = priors.regions(T_odom_base, travelled_m).region
    assert len(regions) == 1
    return np.asarray(regions[0])


def test_a_guess_with_a_heading_is_carried_by_odometry() -> None:
    priors = Priors(CONFIG)
    priors.add(guess(Pose2(100.0, 50.0, np.pi / 2), sigma_m=4.0), Pose2(7.0, 7.0, 0.0), 0.0)
    west, south, east, north = box_of(priors, Pose2(27.0, 7.0, 0.0), 20.0)
    assert (west <= 88.0, south <= 58.0, east >= 112.0, north >= 82.0) == (True,) * 4
    assert max(east - west, north - south) <= 24.0 + 8.0
    advantage = priors.advantage(np.array([[100, 70, np.pi / 2], [100, 70, -np.pi / 2], [140, 70, np.pi / 2]]), Pose2(27.0, 7.0, 0.0), 20.0)
    assert advantage == pytest.approx([CONFIG.advantage, 0.0, 0.0])


def test_a_guess_without_a_heading_grows_with_the_distance() -> None:
    priors = Priors(CONFIG)
    priors.add(Prior.of_fix(fix(0.0, Pose2(10.0, 20.0, 0.0))), Pose2.identity(), 5.0)
    near, far = box_of(priors, Pose2.identity(), 5.0), box_of(priors, Pose2(30.0, 0.0, 0.0), 35.0)
    assert far[2] - far[0] == pytest.approx(near[2] - near[0] + 60.0, abs=8.0)
    assert far[0] < 10.0 - 35.0
    assert far[2] > 10.0 + 35.0
    backwards = np.array([[10.0 - 30.0, 20.0, 3.0]])
    assert priors.advantage(backwards, Pose2(30.0, 0.0, 0.0), 35.0)[0] == CONFIG.advantage


def test_guesses_are_bounded_renewed_and_forgotten() -> None:
    priors = Priors(CONFIG)
    priors.add(guess(Pose2(0.0, 0.0, 0.0), sigma_m=500.0), Pose2.identity(), 0.0)
    box = box_of(priors, Pose2.identity(), 0.0)
    assert box[2] - box[0] <= 2.0 * CONFIG.largest_reach_m + 8.0
    priors.add(guess(Pose2(300.0, 0.0, 0.0), sigma_m=0.01), Pose2.identity(), 1.0)
    box = box_of(priors, Pose2.identity(), 1.0)
    assert box[0] > 200.0
    assert box[2] - box[0] >= 2.0 * CONFIG.smallest_reach_m
    assert len(priors.regions(Pose2.identity(), 1.0 + CONFIG.lifetime_m + 0.1)) == 0
    assert priors.any
    priors.clear()
    assert not priors.any


def test_the_last_pose_is_kept_over_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "last_pose.json"
    estimate = PoseEstimate(Pose2(12.0, -7.0, 1.2), np.diag([0.1, 0.2, 0.001]), 0.9)
    save_last_pose(file, 5.0, estimate, AREA.plane)
    prior = load_last_pose(file, AREA.plane, CONFIG)
    assert prior is not None
    assert prior.T_map_base.as_array() == pytest.approx([12.0, -7.0, 1.2], abs=0.001)
    assert np.diag(prior.covariance) == pytest.approx([0.1 + CONFIG.moved_m**2, 0.2 + CONFIG.moved_m**2, 0.001 + CONFIG.moved_rad**2])


@pytest.mark.parametrize("text", ["", "{", '{"lat_deg": 1.0}', '{"lat_deg": NaN, "lon_deg": 1, "yaw_enu_rad": 0, "covariance": [[1]]}'])
def test_a_damaged_last_pose_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "last_pose.json"
    assert load_last_pose(file, AREA.plane, CONFIG) is None
    file.write_text(text)
    assert load_last_pose(file, AREA.plane, CONFIG) is None


def localizer() -> Localizer:
    return Localizer.of_area(AREA, MODEL, LocalizerConfig())


def feed(loc: Localizer, moment: Moment) -> LocalizationResult:
    loc.add_odometry(moment.stamp_s, moment.T_odom_base)
    return loc.add_cloud(moment.cloud)


def test_a_guess_needs_odometry() -> None:
    loc = localizer()
    assert "no odometry yet" in loc.add_prior(guess(WESTERN))
    loc.add_odometry(1.0, Pose2.identity())
    assert loc.add_prior(guess(WESTERN)) == ""
    assert "odometry reaches back" in loc.add_prior(guess(WESTERN), stamp_s=-100.0)


@pytest.mark.parametrize("wrong", [Pose2(70.0, 1.0, np.pi), Pose2(-20.0, -1.0, 0.0), Pose2(-70.0, -1.0, np.pi)])
def test_a_wrong_guess_is_overruled_within_seconds(wrong: Pose2) -> None:
    loc = localizer()
    first_right = None
    for k, moment in enumerate(straight(AREA, WESTERN, 40.0)):
        loc.add_odometry(moment.stamp_s, moment.T_odom_base)
        if k == 0:
            assert loc.add_prior(guess(wrong)) == ""
        result = loc.add_cloud(moment.cloud)
        if result.estimate:
            assert result.estimate.T_map_base.distance_to(moment.T_map_base) < 2.0
            first_right = first_right or moment.stamp_s - 100.0
    assert first_right is not None
    assert first_right < 6.0


def test_a_wrong_guess_while_locked_changes_nothing() -> None:
    loc = localizer()
    moments = list(straight(AREA, WESTERN, 60.0))
    for moment in moments[:40]:
        feed(loc, moment)
    assert loc.state is State.LOCKED
    loc.add_prior(guess(Pose2(70.0, 1.0, np.pi)))
    for moment in moments[40:]:
        result = feed(loc, moment)
        assert result.estimate is not None
        assert result.estimate.T_map_base.distance_to(moment.T_map_base) < 1.0


def with_receiver(loc: Localizer, metres: float, error_of: dict[str, float]) -> list[tuple[Moment, LocalizationResult]]:
    """A drive whose receiver is off by `error_of["north"]` once `error_of["from_m"]` have been driven; its fixes come late."""
    out, late = [], []
    for moment in straight(AREA, WESTERN, metres):
        off = error_of["north"] if moment.T_map_base.x - WESTERN.x >= error_of["from_m"] else 0.0
        late.append(fix(moment.stamp_s, moment.T_map_base @ Pose2(0.0, off, 0.0), sigma_m=2.0))
        if len(late) > 2:
            loc.add_gnss(late.pop(0))
        out.append((moment, feed(loc, moment)))
    return out


def test_an_honest_receiver_is_consistent_and_pulls_nothing_away() -> None:
    answers = with_receiver(localizer(), 80.0, {"north": 0.0, "from_m": 0.0})
    assert answers[0][1].gnss.state is GnssState.UNCHECKED
    assert answers[-1][1].gnss.state is GnssState.CONSISTENT
    for moment, result in answers:
        if result.estimate:
            assert result.estimate.T_map_base.distance_to(moment.T_map_base) < 1.0


def test_a_receiver_that_is_off_is_rejected_and_pulls_nothing() -> None:
    true, false = (with_receiver(localizer(), 80.0, {"north": north, "from_m": 30.0}) for north in (0.0, 25.0))
    assert false[-1][1].gnss.state is GnssState.REJECTED
    assert "off" in false[-1][1].gnss.reason
    for (_, right), (_, wrong) in zip(true, false, strict=True):
        if right.estimate and wrong.estimate:
            assert wrong.estimate.T_map_base.distance_to(right.estimate.T_map_base) < 0.3
    assert false[-1][1].state is State.LOCKED


def test_a_fix_without_odometry_of_its_time_is_harmless() -> None:
    loc = localizer()
    for k in range(200):
        loc.add_gnss(fix(100.0 + k, WESTERN))
    loc.add_odometry(1.0, T_ODOM_MAP)
    loc.add_odometry(1000.0, T_ODOM_MAP)
    assert loc.aids.gnss.verdict.state is GnssState.UNCHECKED
