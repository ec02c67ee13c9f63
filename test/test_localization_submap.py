# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The localizer with a submap: answers to one scan alone know nothing of it, and the drive is found as well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drives import straight, untrained
from towns import crossing

from urban_map_loc.config import LocalizerConfig, ScanEffectsConfig, SubmapConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.result import State

START = Pose2(-60.0, 1.0, 0.0)


def drive(window_m: float, trained_on_submaps: bool = False, jump: bool = False) -> tuple[Localizer, list]:
    area = crossing()
    config = replace(LocalizerConfig(), submap=SubmapConfig(window_m=window_m, minimum_scans=1))
    model = untrained(area)
    model = replace(model, config=replace(model.config, effects=ScanEffectsConfig(submaps=0.5 * trained_on_submaps)))
    localizer, results = Localizer.of_area(area, model, config), []
    for moment in straight(area, START, 14.0):
        localizer.add_odometry(moment.stamp_s, moment.T_odom_base)
        results.append(localizer.add_cloud(moment.cloud, single_scan=True))
    if jump:
        localizer.add_odometry(moment.stamp_s + 0.1, moment.T_odom_base @ Pose2(500.0, 0.0, 0.0))
    return localizer, results


@pytest.mark.parametrize("trained_on_submaps", [False, True])
def test_one_scan_alone_is_answered_as_without_a_submap(trained_on_submaps: bool) -> None:
    """And the tile shows what the model was trained on."""
    (with_submap, answers), (_, plain) = drive(40.0, trained_on_submaps), drive(0.0, trained_on_submaps)
    assert len(answers) == len(plain) > 10
    for one, other in zip(answers, plain, strict=True):
        assert one.single_scan is not None
        assert other.single_scan is not None
        assert one.single_scan.T_map_base == other.single_scan.T_map_base
    assert answers[-1].state is plain[-1].state is State.LOCKED
    assert len(with_submap.submap.points(with_submap.submap._last or START)) > 50
    assert answers[-1].tile is not None
    assert plain[-1].tile is not None
    assert (answers[-1].tile.hits.sum() > plain[-1].tile.hits.sum()) == trained_on_submaps
    assert np.array_equal(answers[-1].tile.hits, plain[-1].tile.hits) != trained_on_submaps


@pytest.mark.parametrize("how", ["jump", "reset"])
def test_a_drive_that_no_longer_hangs_together_is_forgotten(how: str) -> None:
    localizer, _ = drive(40.0, jump=how == "jump")
    if how == "reset":
        localizer.reset("asked to")
    assert len(localizer.submap.points(localizer.submap._last or Pose2.identity())) == 0
