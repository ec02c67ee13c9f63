# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every system without learning of its own file tells the place on a tiny town better than chance, and again from its file."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from towns import crossing

from urban_map_loc.baselines.bags_of_words import TreeHistogram, Vlad
from urban_map_loc.baselines.building_distance import BuildingDistance
from urban_map_loc.baselines.feature_match import FeatureMatch
from urban_map_loc.baselines.figures import Answered, ask, figures
from urban_map_loc.baselines.growth import cut_out, growth
from urban_map_loc.baselines.own_mapnet import MapNetCells, MapNetPlus, MapNetRegression, PackagedMapNet, VerifiedMapNet, joined
from urban_map_loc.baselines.questions import Questions, questions_of_map
from urban_map_loc.baselines.registry import SYSTEMS, key_of, systems_named
from urban_map_loc.baselines.ring_match import RingMatch
from urban_map_loc.baselines.system import Budget, Query, SharedGround, System
from urban_map_loc.config import (
    BaselinesConfig,
    BuildingDistanceConfig,
    FeatureMatchConfig,
    MapNetPlusConfig,
    ReferencesConfig,
    RingMatchConfig,
    TileConfig,
    TrainConfig,
    TrainingConfig,
    VocabularyConfig,
)
from urban_map_loc.errors import AreaError, BagError, ConfigurationError
from urban_map_loc.tile.from_map import NO_EFFECTS
from urban_map_loc.training.batches import Drives
from urban_map_loc.training.drive_tiles import DriveTiles

WORDS = VocabularyConfig(branching=4, depth=2, tiles=24, descriptors=800)
SETTINGS = BaselinesConfig(
    references=ReferencesConfig(spacing_m=6.0),
    ring_match=RingMatchConfig(spacing_m=6.0, directions=90),
    building_distance=BuildingDistanceConfig(spacing_m=6.0, directions=120, candidates=40),
    vlad=WORDS,
    vocabulary_tree=WORDS,
    mapnet_plus=MapNetPlusConfig(drive_share=0.1),
    feature_match=FeatureMatchConfig(spacing_m=15.0, samples=20_000, checked=100),
)
ASKED = 30
SENSOR_ALONE = replace(NO_EFFECTS, range_noise_m=0.15, dropout=0.1)


def nothing(done: float, words: str) -> None:
    assert 0.0 <= done <= 1.0


@pytest.fixture(scope="module")
def ground() -> SharedGround:
    training = TrainingConfig(minutes=0.0, steps=0, batch_size=16, warmup_steps=2)
    return SharedGround.of(crossing(), TrainConfig(training=training, effects=SENSOR_ALONE), SETTINGS, torch.device("cpu"))


@pytest.fixture(scope="module")
def questions(ground: SharedGround) -> Questions:
    poses = ground.batches.drives(Drives.VALIDATION, 2 * ASKED).poses.double().numpy()
    return questions_of_map(ground, poses[:: len(poses) // ASKED][:ASKED])


@pytest.fixture(scope="module")
def indexed(ground: SharedGround) -> Callable[[type[System]], System]:
    """Each system once."""
    made: dict[type[System], System] = {}

    def get(system: type[System]) -> System:
        if system not in made:
            made[system] = system(ground)
            made[system].index(nothing)
        return made[system]

    return get


def chance(ground: SharedGround, questions: Questions) -> float:
    """Median error [m] of answers drawn from the roads."""
    drawn = ground.batches.drives(Drives.CALIBRATION, 200).poses.double().numpy()
    return float(np.median(np.hypot(*(drawn[:, None, :2] - questions.truth[None, :, :2]).transpose(2, 0, 1))))


@pytest.mark.parametrize(
    "system", [RingMatch, BuildingDistance, FeatureMatch, Vlad, TreeHistogram, PackagedMapNet, VerifiedMapNet], ids=key_of
)
def test_it_finds_places_better_than_chance_and_again_from_its_file(system, indexed, ground, questions):
    it = indexed(system)
    answered = ask(it, questions, nothing)
    assert np.median(answered.error_m) < 0.5 * chance(ground, questions)
    again = system(ground)
    again.load_tensors(it.tensors())
    for query in questions.queries[:3]:
        first, second = it.guesses(query, 5), again.guesses(query, 5)
        assert 1 <= len(first) <= 5
        np.testing.assert_allclose(first.poses[0], second.poses[0], atol=1e-6)


@pytest.mark.parametrize("system", [RingMatch, BuildingDistance, FeatureMatch, Vlad, TreeHistogram], ids=key_of)
def test_a_scan_without_walls_is_answered_without_failing(system, indexed):
    found = indexed(system).guesses(Query(np.zeros((96, 96), dtype=np.uint8), np.zeros((0, 2))), 5)
    assert np.isfinite(found.poses).all()


def test_mapnet_learns_within_steps_and_an_interrupted_training_goes_on_to_the_same(ground, questions, tmp_path):
    state = tmp_path / "mapnet.resume"
    straight = MapNetCells(ground)
    straight.train(Budget(steps=4), state, nothing)
    assert straight.steps == 4

    def interrupt(done: float, words: str) -> None:
        if done == 0.5:
            signal.raise_signal(signal.SIGINT)

    halted = MapNetCells(ground)
    with pytest.raises(KeyboardInterrupt, match="after 2 steps"):
        halted.train(Budget(steps=4), state, interrupt)
    assert state.exists()
    halted = MapNetCells(ground)
    halted.train(Budget(steps=4), state, nothing)
    assert not state.exists()
    assert halted.steps == 4
    for name, tensor in straight.network.trunk.state_dict().items():
        torch.testing.assert_close(halted.network.trunk.state_dict()[name], tensor)
    straight.index(nothing)
    assert np.median(ask(straight, questions, nothing).error_m) < chance(ground, questions)


def along_a_road(ground: SharedGround) -> DriveTiles:
    """A drive through the town with odometry."""
    poses = np.column_stack([np.linspace(-100.0, 100.0, 101), np.zeros(101), np.zeros(101)])
    return DriveTiles(ground.batches.renderer.tiles(poses), poses, poses[:, 0] + 100.0, np.full(101, 200.0))


@pytest.mark.parametrize("system", [MapNetRegression, MapNetPlus], ids=key_of)
def test_regression_learns_where_places_are(system, tmp_path):
    training = TrainingConfig(steps=1, batch_size=24, warmup_steps=3, average_decay=0.9)
    config = TrainConfig(tile=TileConfig(size_px=48, resolution_m=2.0), effects=NO_EFFECTS, training=training)
    ground = SharedGround.of(crossing(), config, SETTINGS, torch.device("cpu"))
    it = system(replace(ground, drives=[along_a_road(ground)]))
    it.train(Budget(steps=30), tmp_path / "state", nothing)
    it.index(nothing)
    assert it.steps == 30
    poses = ground.batches.drives(Drives.VALIDATION, 64).poses.double().numpy()
    asked = questions_of_map(ground, poses)
    error = ask(it, asked, nothing).error_m
    assert error.mean() < 0.85 * np.hypot(*(poses[:, None, :2] - poses[None, :, :2]).transpose(2, 0, 1)).mean()
    again = system(ground)
    again.load_tensors(it.tensors())
    np.testing.assert_allclose(again.guesses(asked.queries[0], 1).poses, it.guesses(asked.queries[0], 1).poses)


def test_mapnet_plus_needs_a_drive(ground, tmp_path):
    with pytest.raises(BagError, match="none is given"):
        MapNetPlus(ground).train(Budget(steps=1), tmp_path / "state", nothing)


def test_figures_are_what_they_say():
    answered = Answered(
        np.array([1.0, 7.0, 15.0, np.inf]), np.array([3.0, 170.0, 0.0, np.inf]), np.array([1.0, 2.0, 15.0, np.inf]), np.full(4, 8.0)
    )
    found = figures(answered)
    assert [found[f"within_{m}_m"] for m in (5, 10, 20)] == [0.25, 0.5, 0.75]
    assert found["in_best_20"] == 0.5
    assert found["median_m"] == 11.0
    assert found["heading_within_10_deg_of_those_within_10_m"] == 0.5
    assert found["query_ms"] == 8.0
    assert figures(Answered(*np.zeros((4, 0)))) == {"scans": 0}


def test_systems_have_names_of_their_own_and_are_found_by_them():
    assert len({key_of(system) for system in SYSTEMS}) == len(SYSTEMS)
    assert systems_named([]) == list(SYSTEMS)
    assert systems_named(["vlad", "fft-ring-match"]) == [RingMatch, Vlad]
    with pytest.raises(ConfigurationError, match="vald is no system; choose among fft-ring-match"):
        systems_named(["vald"])


def test_growth_measures_each_system_on_pieces_of_the_map(ground, questions):
    seen = []
    rows, failures = growth(ground, [RingMatch], questions, [60.0, 100.0], lambda row, done, words: seen.append(row))
    assert failures == []
    assert [row["radius_m"] for row in rows] == [60.0, 100.0]
    assert rows[0]["roads_km"] < rows[1]["roads_km"]
    assert 0.0 < rows[0]["size_mb"] < rows[1]["size_mb"]
    assert "FFT ring match, 60 m" in seen


def test_a_piece_of_the_map_ends_at_its_circle():
    area = crossing()
    piece = cut_out(area, (0.0, 0.0), 50.0)
    assert 190.0 < sum(road.length for road in piece.roads) < 201.0
    assert 0 < len(piece.buildings) < len(area.buildings)
    with pytest.raises(AreaError, match="choose a larger radius"):
        cut_out(area, (5000.0, 0.0), 50.0)


def test_stretches_never_go_from_one_drive_into_the_next():
    drive = DriveTiles(np.zeros((3, 4, 4), dtype=np.uint8), np.zeros((3, 3)), np.array([0.0, 5.0, 10.0]), np.full(3, 10.0))
    both = joined([drive, drive])
    assert len(both) == 6
    np.testing.assert_array_equal(both.metres, [0.0, 5.0, 10.0, 11.0, 16.0, 21.0])
    np.testing.assert_array_equal(both.part_end, [10.0] * 3 + [21.0] * 3)
