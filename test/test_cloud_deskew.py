# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The motion of a sweep: what a moving car measured, put where a standing one would have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drives import BUILDING, T_ODOM_MAP, straight, untrained
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from towns import crossing

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.deskew import deskewed
from urban_map_loc.config import FusionConfig, LocalizerConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.odometry import OdometryBuffer

STAMP_S = 100.0


class Drive:
    """Constant speed [m/s] and turn rate [rad/s] through one pose at the stamp."""

    def __init__(self, speed: float, rate: float) -> None:
        self.speed, self.rate, self.at = speed, rate, Pose2(7.0, -3.0, 0.4)

    def pose(self, stamp_s: float) -> Pose2:
        t = stamp_s - STAMP_S
        if abs(self.rate) < 1e-9:
            return self.at @ Pose2(self.speed * t, 0.0, 0.0)
        radius = self.speed / self.rate
        return self.at @ Pose2(radius * np.sin(self.rate * t), radius * (1.0 - np.cos(self.rate * t)), self.rate * t)

    def poses(self, stamps_s: FloatArray) -> FloatArray:
        return np.array([self.pose(t).as_array() for t in stamps_s])

    def odometry(self, rate_hz: float = 50.0, until_s: float = STAMP_S) -> OdometryBuffer:
        buffer = OdometryBuffer(FusionConfig())
        for t in np.arange(STAMP_S - 1.0, until_s + 1e-9, 1.0 / rate_hz):
            buffer.add(float(t), self.pose(float(t)))
        return buffer


def swept(drive: Drive, offsets: FloatArray, seed: int = 1) -> tuple[Cloud, FloatArray]:
    """What the car measures of standing things, one at each offset from the stamp; and where they are from the stamp's pose."""
    rng = np.random.default_rng(seed)
    there = rng.uniform(-40.0, 40.0, (len(offsets), 3))  # base frame at the stamp
    in_odom = drive.pose(STAMP_S).transform(there[:, :2])
    points = np.array([drive.pose(STAMP_S + t).inverse().transform(p[None])[0] for t, p in zip(offsets, in_odom, strict=True)])
    cloud = Cloud(STAMP_S, np.column_stack([points, there[:, 2]]).astype(np.float32), offset_s=offsets.astype(np.float32))
    return cloud, there


@given(
    speed=st.floats(-5.0, 30.0),
    rate=st.floats(-1.5, 1.5),
    begin_s=st.sampled_from([0.0, -0.05, -0.1]),
    shuffled=st.booleans(),
)
def test_a_standing_world_stands_still(speed: float, rate: float, begin_s: float, shuffled: bool) -> None:
    offsets = begin_s + np.linspace(0.0, 0.1, 60)
    if shuffled:
        np.random.default_rng(3).shuffle(offsets)
    drive = Drive(speed, rate)
    cloud, there = swept(drive, offsets)
    result = deskewed(cloud, drive)
    np.testing.assert_allclose(result.points, there, atol=0.002)
    assert (result.stamp_s, result.offset_s) == (STAMP_S, None)


@pytest.mark.parametrize("begin_s", [0.0, -0.1])
@pytest.mark.parametrize("rate_hz", [10.0, 50.0])
def test_odometry_that_ends_at_the_stamp_is_continued(begin_s: float, rate_hz: float) -> None:
    drive = Drive(12.0, 0.5)
    cloud, there = swept(drive, begin_s + np.linspace(0.0, 0.1, 50))
    raw = np.abs(cloud.points - there).max()
    left = np.abs(deskewed(cloud, drive.odometry(rate_hz)).points - there).max()
    assert raw > 1.0
    assert left < 0.07


def test_what_lies_where_it_should_already_stays_untouched() -> None:
    drive = Drive(10.0, 0.0)
    cloud, _ = swept(drive, np.linspace(0.0, 0.1, 9))
    timeless = replace(cloud, offset_s=None)
    assert deskewed(timeless, drive) is timeless
    nothing_known = OdometryBuffer(FusionConfig())
    assert deskewed(cloud, nothing_known) is cloud
    nothing_known.add(STAMP_S, Pose2.identity())
    assert deskewed(cloud, nothing_known) is cloud
    old = drive.odometry(until_s=STAMP_S - 0.9)
    assert deskewed(cloud, old) is cloud
    empty = Cloud(STAMP_S, np.zeros((0, 3), np.float32), offset_s=np.zeros(0, np.float32))
    assert deskewed(empty, drive) is empty


def test_a_standing_car_moves_nothing() -> None:
    cloud, _ = swept(Drive(0.0, 0.0), np.linspace(0.0, 0.1, 30))
    np.testing.assert_allclose(deskewed(cloud, Drive(0.0, 0.0).odometry()).points, cloud.points, atol=1e-6)


def test_poses_of_odometry_between_and_beyond() -> None:
    buffer = OdometryBuffer(FusionConfig())
    for k in range(11):
        buffer.add(0.1 * k, Pose2(float(k), 0.0, np.pi - 0.05 + 0.01 * k))  # passes pi on the way
    found = buffer.poses(np.array([-0.05, 0.0, 0.25, 1.0, 1.15]))
    assert found is not None
    np.testing.assert_allclose(found[:, 0], [-0.5, 0.0, 2.5, 10.0, 11.5])
    np.testing.assert_allclose(found[:, 2], np.pi - 0.05 + 0.1 * np.array([-0.05, 0.0, 0.25, 1.0, 1.15]))
    assert buffer.poses(np.array([0.5, 1.6])) is None
    assert buffer.poses(np.array([-0.6, 0.5])) is None


def test_a_localizer_sees_the_street_as_if_it_stood() -> None:
    """A drive at 15 m/s among houses, each sweep lasting 0.1 s from its stamp on, against the same moments frozen."""
    area = crossing()
    moving, frozen = (Localizer.of_area(area, untrained(area), LocalizerConfig()) for _ in range(2))
    moments = list(straight(area, Pose2(-70.0, -1.0, 0.0), 30.0, speed=15.0, rate_hz=10.0))
    for moment in moments:
        for localizer in (moving, frozen):
            localizer.add_odometry(moment.stamp_s, moment.T_odom_base)
        points = moment.cloud.points.copy()
        offset_s = (np.arctan2(points[:, 1], points[:, 0]) / (2.0 * np.pi) + 0.5) * 0.1
        points[:, 0] -= 15.0 * offset_s  # straight ahead: what is measured later is nearer
        swept = replace(moment.cloud, points=points, offset_s=offset_s.astype(np.float32))
        seen, true = moving.add_cloud(swept), frozen.add_cloud(moment.cloud)
        raw = frozen.renderer.tile(swept.points[swept.label == BUILDING, :2]).hits
    assert seen.tile is not None
    assert true.tile is not None

    def unlike(hits: NDArray[np.uint8]) -> int:
        return int((hits != true.tile.hits).sum())

    assert unlike(raw) > 40
    assert unlike(seen.tile.hits) < 10
    assert moving.T_map_odom is not None
    assert moving.T_map_odom.distance_to(T_ODOM_MAP.inverse()) < 0.5
