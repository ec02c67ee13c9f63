# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Real scans, real map, real odometry: KITTI 07 with a network that knows nothing, so that verification and fusion do the work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drives import untrained

from urban_map_loc.area.osm import read_osm
from urban_map_loc.bags.kitti import convert_kitti
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import replay
from urban_map_loc.config import FusionConfig, LocalizerConfig, VerificationConfig
from urban_map_loc.localization.localizer import Localizer

START_S, SCANS = 40.0, 80
EVERY_CELL = VerificationConfig(cells=5000)


@pytest.fixture(scope="module")
def sequence(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Localizer, BagReader]:
    source = data_dir / "kitti" / "07"
    bag = tmp_path_factory.mktemp("kitti") / "07"
    convert_kitti(source, bag)
    area = read_osm(source / "map.osm")
    # Every cell is checked: a second a search, so that it is asked seldom.
    config = LocalizerConfig(verification=EVERY_CELL, fusion=replace(FusionConfig(), search_period_s=1.5, check_period_s=60.0))
    return Localizer.of_area(area, untrained(area), config), BagReader(bag)


def test_it_locks_on_the_right_place_and_stays_there(sequence: tuple[Localizer, BagReader], monkeypatch: pytest.MonkeyPatch) -> None:
    localizer, bag = sequence
    # The answer to each cloud alone is not asked for here: only what the drive needs.
    answer = localizer.add_cloud
    monkeypatch.setattr(localizer, "add_cloud", lambda cloud, single_scan: answer(cloud))
    truth = bag.truth()
    assert truth is not None
    errors = []
    for (result, _), _ in zip(replay(bag, localizer, START_S), range(SCANS), strict=False):
        assert not result.skipped
        if result.estimate:
            pose = result.estimate.T_map_base
            true = truth.at(np.array([result.stamp_s]), localizer.area.plane)[0]
            errors.append(np.hypot(pose.x - true[0], pose.y - true[1]))
    assert len(errors) > 20
    assert max(errors) < 3.0
    assert np.mean(errors) < 1.5
