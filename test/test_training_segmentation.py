# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training of the segmentation: samples, turns, and that it learns a street."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from towns import crossing

from urban_map_loc.cli.main import run
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.fcn_file import load_fcn
from urban_map_loc.config import FcnConfig, FcnGridConfig, FcnTrainingConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.simulation.classes import BUILDING, FENCE, PERSON, POLE, ROAD, TRUNK, VEGETATION, VEHICLE
from urban_map_loc.simulation.labelled import labelled_clouds, with_rows
from urban_map_loc.simulation.solids import Mesh
from urban_map_loc.simulation.world import World
from urban_map_loc.training.segmentation import ColumnSample, cropped, one_cycle, train_fcn, turned

GRID = FcnGridConfig(range_m=20.0)
CLASSES = {VEHICLE, PERSON, ROAD, BUILDING, FENCE, VEGETATION, TRUNK, POLE}


def wall_and_bush(number: int) -> Cloud:
    """Flat ground, a wall at some place and a bush at another."""
    rng = np.random.default_rng(number)
    ground = np.column_stack([rng.uniform(-19, 19, (3000, 2)), np.zeros(3000)])
    t, side = rng.uniform(-6, 6, 800), rng.choice([-1.0, 1.0])
    wall = np.column_stack([t, np.full(800, side * rng.uniform(5, 12)), rng.uniform(0.4, 5.0, 800)])
    bush = rng.uniform(-1.5, 1.5, (800, 3)) + [rng.uniform(-5, 5), -side * rng.uniform(6, 12), 2.0]
    label = np.repeat([ROAD, BUILDING, VEGETATION], [3000, 800, 800])
    return Cloud(0.0, np.concatenate([ground, wall, bush]).astype(np.float32), label)


def test_a_sample_holds_what_the_cloud_says():
    sample = ColumnSample.of_cloud(wall_and_bush(0), BUILDING, GRID)
    features, building, weight = sample.dense()
    assert features.shape[1:] == building.shape[1:] == weight.shape[1:] == (80, 80)
    assert weight.max() == pytest.approx(np.sqrt((weight**2).max().round()), rel=1e-3)
    assert (weight**2).sum() == pytest.approx(1600, rel=0.01)
    assert (building * weight**2).sum() == pytest.approx(800, rel=0.01)
    assert not building[weight == 0.0].any()


def test_without_labels_nothing_is_learnt():
    with pytest.raises(CloudError, match="no field label"):
        ColumnSample.of_cloud(Cloud(0.0, np.zeros((4, 3), np.float32)), BUILDING, GRID)


class Chosen:
    """A random generator that mirrors and swaps as told."""

    def __init__(self, *choices: bool) -> None:
        self.choices = np.where(choices, 0.0, 1.0)

    def random(self, count: int) -> np.ndarray:
        return self.choices[:count]


@settings(max_examples=24)
@given(st.booleans(), st.booleans(), st.booleans(), st.integers(0, 50))
def test_turned_features_are_those_of_the_turned_cloud(mirror_x, mirror_y, swap, number):
    cloud = wall_and_bush(number)
    points = cloud.points * np.where([mirror_x, mirror_y, False], -1.0, 1.0).astype(np.float32)
    if swap:
        points = points[:, [1, 0, 2]]
    expected = ColumnSample.of_cloud(Cloud(0.0, points, cloud.label), BUILDING, GRID).dense()
    found = turned(ColumnSample.of_cloud(cloud, BUILDING, GRID).dense(), Chosen(mirror_x, mirror_y, swap))
    for a, b in zip(found, expected, strict=True):
        assert (np.abs(a - b) > 4e-3).mean() < 1e-3  # a point on a column's very edge may change sides


@given(st.integers(4, 40), st.integers(0, 1000))
def test_crops_fit_each_other_and_seek_what_counts(side, number):
    rng = np.random.default_rng(number)
    grid = np.arange(24.0 * 24.0, dtype=np.float32).reshape(1, 24, 24)
    weight = np.zeros((2, 24, 24), np.float32)
    weight[:, 10:14, 10:14] = 1.0
    first, second = cropped((grid, weight), side, rng)
    assert first.shape[1:] == second.shape[1:] == (min(side, 24), min(side, 24))
    row, column = divmod(int(first[0, 0, 0]), 24)
    np.testing.assert_array_equal(second, weight[:, row : row + side, column : column + side])


def test_the_rate_goes_up_and_down():
    rates = [one_cycle(s) for s in np.linspace(0.0, 1.0, 101)]
    assert max(rates) == pytest.approx(1.0)
    assert int(np.argmax(rates)) == 10
    assert rates[0] < 0.05
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)


def test_it_learns_walls_from_bushes():
    training = FcnTrainingConfig(clouds=16, validation_clouds=4, steps=30, batch_size=4, learning_rate=1e-2)
    seen = []
    fcn = train_fcn(map(wall_and_bush, range(100)), BUILDING, FcnConfig(GRID, training), lambda *p: seen.append(p))
    assert [name for name, done, _ in seen if done == 1.0] == ["clouds", "training"]
    assert seen[-1][2] < 0.5 * next(loss for name, _, loss in seen if name == "training")
    assert fcn.summary["validation"]["precision"] > 0.95
    assert fcn.summary["validation"]["recall"] > 0.95
    new = wall_and_bush(1000)
    mask = fcn.building_mask(new.points, 20.0, 0.5)
    assert mask[new.label == BUILDING].mean() > 0.95
    assert mask[new.label == VEGETATION].mean() < 0.05


def test_same_seed_same_segmentation():
    training = FcnTrainingConfig(clouds=8, validation_clouds=2, steps=3, batch_size=2)
    first, second, other = (
        train_fcn(map(wall_and_bush, range(10)), BUILDING, FcnConfig(GRID, training, seed)).network.state_dict() for seed in (0, 0, 1)
    )
    assert all(torch_equal(first[name], second[name]) for name in first)
    assert not all(torch_equal(first[name], other[name]) for name in first)


def torch_equal(a, b) -> bool:
    return bool((a == b).all())


def test_too_few_clouds():
    with pytest.raises(CloudError, match="only 3 clouds"):
        train_fcn(map(wall_and_bush, range(3)), BUILDING, FcnConfig(GRID))


@pytest.mark.parametrize("seed", range(12))
def test_rows_run_along_the_road_and_leave_it_free(seed):
    road = shapely.LineString([(0, 0), (60, 0), (75, 20), (75, 80)])
    nothing = Mesh.joined([])
    world = with_rows(World(nothing, nothing, nothing, nothing, {POLE: nothing}), road, np.random.default_rng(seed))
    assert set(world.others) == {POLE, FENCE}
    corners = np.concatenate([world.leaves.vertices, world.others[FENCE].vertices])[:, :2]
    beside = shapely.distance(shapely.points(corners), road)
    assert beside.min(initial=9.0) > 1.5
    assert beside.max(initial=0.0) < 17.0


def test_some_rows_are_long():
    """As long as rows of houses, and as high; walls are lower than hedges."""
    road, nothing = shapely.LineString([(0, 0), (200, 0)]), Mesh.joined([])
    bare = World(nothing, nothing, nothing, nothing)
    worlds = [with_rows(bare, road, np.random.default_rng(seed)) for seed in range(20)]
    hedges, walls = [w.leaves.vertices for w in worlds], [w.others[FENCE].vertices for w in worlds]
    assert max(np.ptp(v[:, 0]) for v in hedges if len(v)) > 40.0
    assert 3.0 < max(v[:, 2].max(initial=0.0) for v in hedges) <= 5.0
    assert 1.5 < max(v[:, 2].max(initial=0.0) for v in walls) <= 2.2


def test_simulated_clouds_are_labelled_and_all_different():
    clouds = list(islice(labelled_clouds([crossing()], 0), 17))
    again = list(islice(labelled_clouds([crossing()], 0), 2))
    np.testing.assert_array_equal(clouds[1].points, again[1].points)
    assert len({len(c.points) for c in clouds}) == 17
    for cloud in clouds:
        assert len(cloud.points) == len(cloud.label)
        assert set(cloud.label.tolist()) <= CLASSES
        assert np.isfinite(cloud.points).all()
    ground = [c.points[(c.label == ROAD) & (np.hypot(*c.points[:, :2].T) < 15.0)] for c in clouds]
    assert max(np.abs(g[:, 2]).max(initial=0.0) for g in ground) < 3.0
    assert any((c.label == BUILDING).any() for c in clouds)


def test_the_command(tmp_path, capsys):
    out = tmp_path / "fcn.safetensors"
    words = ["train-fcn", "--out", str(out), "--clouds", "8", "--steps", "2", "--seed", "5"]
    assignments = ["training.validation_clouds=1", "training.batch_size=2", "training.towns=1", "grid.range_m=20"]
    assert run([*words, *(w for s in assignments for w in ("--set", s))]) == 0
    assert "2 steps on 8 clouds" in capsys.readouterr().out
    fcn = load_fcn(out)
    assert (fcn.config.seed, fcn.config.grid.range_m) == (5, 20.0)
    assert run([*words, "--set", "training.what=1"]) == 1
    assert "what is no setting" in capsys.readouterr().err
