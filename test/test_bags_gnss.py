# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""GNSS fixes in bags: written, read, and fed to the localizer by its stamp."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from drives import straight, untrained
from towns import crossing

from urban_map_loc.bags.messages import fix_of
from urban_map_loc.bags.reader import BagReader, FixRecord
from urban_map_loc.bags.replay import replay
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.config import GnssConfig, LocalizerConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.gnss_monitor import GnssState
from urban_map_loc.localization.localizer import Localizer

AREA = crossing()
COVARIANCE = np.array([[4.0, 0.5], [0.5, 9.0]])


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("gnss") / "bag"
    with BagWriter(path) as writer:
        for moment in straight(AREA, Pose2(-70.0, -1.0, 0.0), 60.0):
            writer.write_odometry(moment.stamp_s, moment.T_odom_base)
            lat_deg, lon_deg = AREA.plane.to_geodetic(np.array([moment.T_map_base.x, moment.T_map_base.y]))
            writer.write_fix(moment.stamp_s, lat_deg, lon_deg, COVARIANCE)
            writer.write_cloud(moment.stamp_s, moment.cloud.points, label=moment.cloud.label)
    return path


def test_fixes_come_back_as_they_were_written(bag: Path) -> None:
    fixes = [record for record in BagReader(bag).records() if isinstance(record, FixRecord)]
    assert len(fixes) == 61
    first = next(iter(straight(AREA, Pose2(-70.0, -1.0, 0.0), 0.0)))
    assert fixes[0].stamp_s == pytest.approx(first.stamp_s)
    assert AREA.plane.to_enu(fixes[0].lat_deg, fixes[0].lon_deg) == pytest.approx([-70.0, -1.0], abs=0.001)
    assert fixes[0].covariance == pytest.approx(COVARIANCE)


@pytest.mark.parametrize(("use", "state"), [(True, GnssState.CONSISTENT), (False, GnssState.UNCHECKED)])
def test_replay_feeds_them_where_they_are_wanted(bag: Path, use: bool, state: GnssState) -> None:
    localizer = Localizer.of_area(AREA, untrained(AREA), LocalizerConfig(gnss=GnssConfig(use=use)))
    results = [result for result, _ in replay(BagReader(bag), localizer)]
    assert results[-1].gnss.state is state


def message(lat_deg: float = 47.0, status: int = 0, kind: int = 2, covariance: float = 4.0) -> SimpleNamespace:
    return SimpleNamespace(
        latitude=lat_deg,
        longitude=15.0,
        status=SimpleNamespace(status=status),
        position_covariance=(np.eye(3) * covariance).ravel(),
        position_covariance_type=kind,
    )


def test_what_is_no_fix_is_left_out() -> None:
    assert fix_of(message(status=-1)) is None
    assert fix_of(message(lat_deg=float("nan"))) is None


def test_a_covariance_that_is_not_stated_is_none() -> None:
    for unstated in (message(kind=0), message(covariance=0.0), message(covariance=float("nan"))):
        fix = fix_of(unstated)
        assert fix is not None
        assert fix[2] is None
    stated = fix_of(message())
    assert stated is not None
    assert stated[2] == pytest.approx(np.eye(2) * 4.0)
