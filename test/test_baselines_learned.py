# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The baselines that learn, on a tiny town: a few steps make them better than chance, and files give the same answers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from towns import crossing
from trainings import CPU, assert_identical

from urban_map_loc.baselines.cvft import Cvft
from urban_map_loc.baselines.learned import LearnedSystem
from urban_map_loc.baselines.learning import Learner, learn
from urban_map_loc.baselines.netvlad import NetVlad
from urban_map_loc.baselines.posenet import PoseNet
from urban_map_loc.baselines.retrieval import LearnedRetrieval
from urban_map_loc.baselines.system import Budget, PreviousView, Query, SharedGround
from urban_map_loc.baselines.vlocnet import VLocNet
from urban_map_loc.config import (
    BaselinesConfig,
    CvftConfig,
    NetVladConfig,
    PoseNetConfig,
    SamplerConfig,
    TileConfig,
    TrainConfig,
    TrainingConfig,
    VLocNetConfig,
)
from urban_map_loc.config.baselines import ReferencesConfig
from urban_map_loc.errors import ModelError
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, wrap_angle
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.tile.from_map import NO_EFFECTS

SETTINGS = BaselinesConfig(
    references=ReferencesConfig(spacing_m=8.0),
    posenet=PoseNetConfig(batch_size=24, learning_rate=5e-4, beta=1.0, feature_size=64, dropout=0.0),
    vlocnet=VLocNetConfig(batch_size=6, learning_rate=2e-3, width=8, feature_size=64, dropout=0.0, coarser=2),
    netvlad=NetVladConfig(batch_size=24, learning_rate=3e-3, features=32, centres=8, cluster_tiles=8, components=32),
    cvft=CvftConfig(batch_size=24, learning_rate=3e-3, features=16),
)
# Half the tile, its pixels twice as large: a quarter of the work.
CONFIG = TrainConfig(
    tile=TileConfig(size_px=48, resolution_m=2.0),
    effects=NO_EFFECTS,
    sampler=SamplerConfig(any_heading=0.0),
    training=TrainingConfig(steps=1, warmup_steps=3, average_decay=0.9),
)
STEPS: dict[type[LearnedSystem], int] = {PoseNet: 25, VLocNet: 10, NetVlad: 25, Cvft: 60}


def silent(done: float, words: str) -> None:
    assert 0.0 <= done <= 1.0
    assert words


@cache
def ground() -> SharedGround:
    return SharedGround.of(crossing(), CONFIG, SETTINGS, CPU)


def held_out(count: int) -> tuple[list[Query], FloatArray]:
    """Clean views from poses never trained on, each with the one 8 m before."""
    batches = ground().batches
    poses = batches.sampler.draw(count, np.random.default_rng(1234))
    step = Pose2(-8.0, 0.0, 0.0)
    before = np.array([(Pose2.from_array(p) @ step).as_array() for p in poses])
    tiles, earlier = (batches.tiles(p).numpy() for p in (poses, before))
    return [Query(t, np.zeros((0, 2)), PreviousView(b, step.inverse())) for t, b in zip(tiles, earlier, strict=True)], poses


def same(a: Hypotheses, b: Hypotheses) -> bool:
    return np.array_equal(a.poses, b.poses) and np.array_equal(a.log_probability, b.log_probability)


@pytest.mark.parametrize("kind", STEPS, ids=lambda kind: kind.name)
def test_a_few_steps_rank_the_truth_better_than_chance_and_a_file_answers_alike(kind: type[LearnedSystem], tmp_path: Path) -> None:
    system = kind(ground())
    system.train(Budget(steps=STEPS[kind]), tmp_path / "state", silent)
    assert system.steps == STEPS[kind]
    assert not (tmp_path / "state").exists()
    system.index(silent)
    queries, truth = held_out(40)
    answers = [system.guesses(query, 5) for query in queries]
    answered = np.array([answer.poses[0, :2] for answer in answers])
    error = np.hypot(*(answered[:, None] - truth[None, :, :2]).transpose(2, 0, 1)).diagonal()
    anywhere = np.hypot(*(truth[:, None, :2] - truth[None, :, :2]).transpose(2, 0, 1))
    if issubclass(kind, LearnedRetrieval):  # chance finds 4 %: 20 m of 480 m of road
        assert np.mean(error < 10.0) > 0.12
    else:  # regression goes to the middle first, where it is better than a place at random; see the test of knowing by heart
        assert error.mean() < 0.85 * anywhere.mean()
    again = kind(ground())
    again.load_tensors(load(save(system.tensors())))
    assert all(same(again.guesses(query, 5), answer) for query, answer in zip(queries[:5], answers[:5], strict=True))
    assert same(system.guesses(replace(queries[0], previous=None), 5), again.guesses(replace(queries[0], previous=None), 5))


def shown(system: PoseNet | VLocNet) -> tuple[list[Query], FloatArray]:
    """The tiles of a training's first step, as questions."""
    if isinstance(system, PoseNet):
        batch = system.draw(0, system.config.batch_size)
        return [Query(tile.numpy(), np.zeros((0, 2))) for tile in batch.tiles], batch.poses.numpy()
    poses, tiles = system.pairs(0)
    before, now = tiles.numpy()[0::2], tiles.numpy()[1::2]
    return [Query(n, np.zeros((0, 2)), PreviousView(b, Pose2.identity())) for b, n in zip(before, now, strict=True)], poses[1::2]


@pytest.mark.parametrize(("kind", "steps"), [(PoseNet, 80), (VLocNet, 200)], ids=["PoseNet", "VLocNet"])
def test_what_regresses_a_pose_learns_a_few_tiles_by_heart(kind: type[PoseNet] | type[VLocNet], steps: int) -> None:
    """A town takes them hours; that they come to know a few tiles shows that network, loss and answer fit together."""
    few = replace(SETTINGS, posenet=replace(SETTINGS.posenet, batch_size=6))
    system = kind(replace(ground(), settings=few))
    learner = Learner(system.network, lambda _: system.loss(0), 2e-3, CONFIG.training, Budget(steps=steps), 0, "by heart")
    for _ in range(steps):
        learner.step()
    learner.finish()
    queries, truth = shown(system)
    answered = np.array([system.guesses(query, 1).poses[0] for query in queries])
    off_m = np.median(np.hypot(*(answered - truth)[:, :2].T))
    off_rad = np.median(np.abs(wrap_angle(answered[:, 2] - truth[:, 2])))
    assert off_m < 15.0  # the middle of the town is 60 m away
    assert off_rad < 0.2


class Line(nn.Module):
    """A network that is one number, dropped out at random, and shall be 3."""

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.zeros(4))
        self.dropout = nn.Dropout(0.5)

    def loss(self, step: int) -> Tensor:
        return (self.dropout(self.number) - 3.0 - 0.01 * step).square().mean()


def learner(steps: int, seed: int = 0) -> Learner:
    line = Line()
    return Learner(line, line.loss, 0.3, CONFIG.training, Budget(steps=steps), seed, f"line {seed}")


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = learner(10)
    learn(whole, tmp_path / "none", 60.0, silent)
    whole.finish()
    half = learner(10)
    for _ in range(4):
        half.step()
    half.save_state(tmp_path / "state")
    rest = learner(10)
    learn(rest, tmp_path / "state", 60.0, silent)
    rest.finish()
    assert rest.steps == 10
    assert_identical(whole.network.state_dict(), rest.network.state_dict())
    assert list(tmp_path.iterdir()) == []


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    learner(3).save_state(tmp_path / "state")
    with pytest.raises(ModelError, match="of another area or other settings"):
        learn(learner(3, seed=1), tmp_path / "state", 60.0, silent)


def test_a_loss_that_is_not_finite_stops() -> None:
    bad = learner(3)
    bad.loss = lambda step: bad.parameters[0].sum() * torch.nan
    with pytest.raises(ModelError, match="the loss is nan and its gradient nan at step 0"):
        bad.step()
    assert bad.steps == 0
