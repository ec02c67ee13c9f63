# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Localizing in an atlas: across borders without a jump, found without a hint, in bounded memory, never waiting for a load."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from atlases import FEW, STREET_M, errors_m, feed, long_street, shown, street_atlas
from drives import Moment, straight

from urban_map_loc.area.atlas import Atlas, read_atlas, write_index
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.cli.main import run
from urban_map_loc.config import AtlasConfig, LocalizerConfig, RegionsConfig
from urban_map_loc.errors import AreaError, ConfigurationError, ModelError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.localization.atlas.ground import AtlasGround
from urban_map_loc.localization.atlas.region import load_region
from urban_map_loc.localization.last_pose import SOURCE
from urban_map_loc.localization.loading import load_ground
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.priors import Prior
from urban_map_loc.localization.result import State
from urban_map_loc.tile.from_cloud import ScanRenderer

EASTWARD = Pose2(50.0, -1.0, 0.0)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    return street_atlas(tmp_path_factory.mktemp("atlas") / "street")


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    return list(straight(long_street(), EASTWARD, 480.0, speed=10.0))


def localizer(atlas: Atlas, config: LocalizerConfig = FEW, wait: bool = True) -> Localizer:
    return Localizer(AtlasGround(atlas, config, wait), config)


def test_a_drive_through_all_regions_is_as_in_one_area(atlas: Atlas, moments: list[Moment], tmp_path: Path) -> None:
    assert len(atlas.regions) == 7
    loc = localizer(atlas)
    tracked, in_memory, corrections = [], [], []
    answers = []
    for moment in moments:
        answers += feed(loc, [moment])
        in_memory.append(len(loc.ground._loaded) + len(loc.ground._pending))  # type: ignore[attr-defined]
        if loc.T_map_odom is not None:
            tracked.append(loc.ground.verifier.current.number)  # type: ignore[attr-defined]
            corrections.append(loc.T_map_odom)
    assert max(in_memory) <= 4
    # One region after the other, none twice.
    assert list(dict.fromkeys(tracked)) == sorted(set(tracked))
    assert len(set(tracked)) >= 4
    assert len(tracked) > 0.8 * len(moments)
    alone, whole = [], localizer(street_atlas(tmp_path / "whole", RegionsConfig(size_m=1000.0)))
    reference_corrections = []
    for moment in moments:
        alone += feed(whole, [moment])
        if whole.T_map_odom is not None:
            reference_corrections.append(whole.T_map_odom)
    steps = steps_m(corrections, moments)
    # What the map frame knows of odometry changes from scan to scan as in one area, and at borders by centimetres.
    assert max(steps) < max(steps_m(reference_corrections, moments)) + 0.05
    assert max(step for step, (a, b) in zip(steps, pairwise(tracked), strict=True) if a != b) < 0.05
    errors, reference = errors_m(answers), errors_m(alone)
    locked = np.isfinite(errors)
    assert locked[-1]
    assert not (~locked[np.argmax(locked) :]).any()
    assert np.nanmax(errors) < 0.5
    both = locked & np.isfinite(reference)
    apart = [
        a[1].estimate.T_map_base.distance_to(b[1].estimate.T_map_base)  # type: ignore[union-attr]
        for a, b, compared in zip(answers, alone, both, strict=True)
        if compared
    ]
    assert len(apart) > 150
    assert max(apart) < 0.05


def steps_m(corrections: list[Pose2], moments: list[Moment]) -> list[float]:
    """How far each correction puts the car from where the one before would have put it [m], from the first lock to the end."""
    since = moments[-len(corrections) + 1 :]
    return [(a @ m.T_odom_base).distance_to(b @ m.T_odom_base) for (a, b), m in zip(pairwise(corrections), since, strict=True)]


def test_the_car_is_found_in_a_region_that_was_not_in_memory(atlas: Atlas) -> None:
    loc = localizer(atlas)
    assert [region.number for region in loc.ground.ready.regions] == [0]  # type: ignore[attr-defined]
    answers = feed(loc, list(straight(long_street(), Pose2(640.0, 1.0, 0.0), 120.0, speed=10.0)))
    assert answers[-1][1].state is State.LOCKED
    assert errors_m(answers)[-1] < 0.5


def test_a_first_guess_loads_its_region_at_once(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AtlasGround, "_scout_newest", lambda ground: None)
    loc = localizer(atlas)
    moment = next(straight(long_street(), Pose2(700.0, 1.0, 0.0), 0.0))
    loc.add_odometry(moment.stamp_s, moment.T_odom_base)
    assert loc.add_prior(Prior(moment.T_map_base, np.diag([25.0, 25.0, 0.1]), SOURCE)) == ""
    loc.add_cloud(moment.cloud)
    (number,) = atlas.owner(np.array([[700.0, 1.0]]))
    assert number in [region.number for region in loc.ground.ready.regions]  # type: ignore[attr-defined]


class Gate:
    """Loads regions when it is opened, and says who asked in which thread."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.threads: set[int] = set()
        self.asked: list[int] = []

    def load(self, atlas, number, config, device):  # type: ignore[no-untyped-def]
        self.asked.append(number)
        if number > 1:
            self.threads.add(threading.get_ident())
            assert self.open.wait(60.0)
        return load_region(atlas, number, config, device)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


def test_no_scan_waits_for_a_load(atlas: Atlas, moments: list[Moment], gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AtlasGround, "_scout_newest", lambda ground: None)  # which would have other regions loaded
    ground = AtlasGround(atlas, FEW, load=gate.load)
    loc = Localizer(ground, FEW)
    deadline = time.monotonic() + 30.0
    while 1 not in ground._loaded:  # region 1 comes by itself, beside the first
        assert time.monotonic() < deadline
        ground.attend(np.array([[150.0, 0.0]]), locked=True)
    # To the far end of what the two maps show: region 2 is being loaded all the while, and every scan is answered.
    near = [m for m in moments if m.T_map_base.x < ground.area.regions[1].core[2] + 50.0]
    answers = feed(loc, near)
    assert not gate.open.is_set()
    assert answers[-1][1].state is State.LOCKED
    assert 2 in gate.asked
    assert gate.threads.isdisjoint({threading.get_ident()})
    assert {region.number for region in ground.ready.regions} == {0, 1}
    gate.open.set()
    while 2 not in ground._loaded:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        ground.attend(np.array([[near[-1].T_map_base.x, 0.0]]), locked=True)
    further = [m for m in moments if near[-1].T_map_base.x < m.T_map_base.x < near[-1].T_map_base.x + 60.0]
    assert errors_m(feed(loc, further)).max() < 0.5


def test_places_are_ranked_once_across_regions(atlas: Atlas) -> None:
    config = replace(FEW, atlas=AtlasConfig(regions_in_memory=7))
    ground = AtlasGround(atlas, config)
    assert len(ground.ready.regions) == 7  # all fit: no scout, no loads while driving
    moment = next(straight(long_street(), Pose2(400.0, 1.0, 0.3), 0.0))
    points = moment.cloud.points[moment.cloud.label == 50, :2].astype(np.float64)
    found = ground.network.hypotheses(ScanRenderer(ground.trained.tile).tile(points).image, 10_000)
    assert len(np.unique(found.region, axis=0)) == len(found)
    assert np.exp(found.log_probability).sum() == pytest.approx(1.0, abs=1e-3)
    assert (np.diff(found.log_probability) <= 0).all()
    assert np.hypot(*(found.poses[0, :2] - [400.0, 1.0])) < 10.0
    everywhere = shown(long_street()).network.head.cells.shape[0]
    assert len(found) == everywhere


def copied(atlas: Atlas, folder: Path) -> Atlas:
    shutil.copytree(atlas.folder, folder)
    return read_atlas(folder)


def test_a_region_whose_files_are_damaged_ends_the_lock_with_the_reason(atlas: Atlas, moments: list[Moment], tmp_path: Path) -> None:
    broken = copied(atlas, tmp_path / "street")
    for number in (3, 4):  # the maps of the regions on either side reach over one alone
        broken.regions[number].model.write_bytes(broken.regions[number].model.read_bytes()[:-100])
    ground = AtlasGround(broken, FEW, wait=True)
    answers = feed(Localizer(ground, FEW), [m for m in moments if m.T_map_base.x > 300.0])
    assert State.LOCKED in [result.state for _, result in answers]
    lost = next(result.reason for _, result in answers if result.state is State.LOST)
    assert "the map of region r00_c03 is not there: " in lost
    assert "is damaged" in lost
    assert ground.failed.keys() == {3, 4}
    assert np.nanmax(errors_m(answers)) < 1.0


def test_what_does_not_go_together_is_one_line(atlas: Atlas, tmp_path: Path) -> None:
    config = LocalizerConfig()
    with pytest.raises(ConfigurationError, match="is an atlas, which brings the models of its regions; leave out the model"):
        load_ground(atlas.folder, tmp_path / "m.safetensors", config)
    with pytest.raises(ConfigurationError, match="an area file needs its model; name the model file"):
        load_ground(atlas.regions[0].area, None, config)
    with pytest.raises(AreaError, match=r"has no atlas.json"):
        load_ground(tmp_path, None, config)
    narrow = copied(atlas, tmp_path / "narrow")
    write_index(replace(narrow, overlap_m=50.0))
    with pytest.raises(ConfigurationError, match="overlap by 50 m, the recent drive and a tile reach 110 m; build it again"):
        load_ground(narrow.folder, None, config)
    untrained = copied(atlas, tmp_path / "untrained")
    untrained.regions[2].model.unlink()
    with pytest.raises(ModelError, match=r"1 of 7 regions .* have no model, such as r00_c02; make them with `urban_map_loc train"):
        load_ground(untrained.folder, None, config)
    other = copied(atlas, tmp_path / "other")
    shutil.copy(other.regions[1].area, other.regions[0].area)
    with pytest.raises(AreaError, match="the atlas says"):
        load_ground(other.folder, None, config)


def test_leaving_the_atlas_is_told(atlas: Atlas) -> None:
    ground = AtlasGround(atlas, FEW, wait=True)
    assert ground.outside(Pose2(STREET_M + 500.0, 0.0, 0.0)) == "the car has left the area"
    assert ground.outside(Pose2(100.0, 0.0, 0.0)) == ""
    assert "the map of region r00_c05 is not there: it is being loaded" in ground.outside(Pose2(700.0, 0.0, 0.0))


def test_the_commands_take_an_atlas_in_place_of_area_and_model(atlas: Atlas, moments: list[Moment], tmp_path: Path) -> None:
    bag, out = tmp_path / "bag", tmp_path / "run"
    short = moments[:40]
    with BagWriter(bag) as writer:
        for moment in short:
            writer.write_odometry(moment.stamp_s, moment.T_odom_base)
            writer.write_cloud(moment.stamp_s, moment.cloud.points, label=moment.cloud.label)
        poses = np.array([moment.T_map_base.as_array() for moment in short])
        writer.write_truth(Trajectory.from_poses(np.array([moment.stamp_s for moment in short]), poses, atlas.plane))
    assert run(["localize", str(bag), "--area", str(atlas.folder), "--out", str(out), "--set", "atlas.regions_in_memory=4"]) == 0
    assert run(["evaluate", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["clouds_with_truth"] == 40
    assert metrics["fused"]["position_m"]["max"] < 0.5
    info = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert info["area_hash"] == atlas.content_hash
    assert "model" not in info["files"]
