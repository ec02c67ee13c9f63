# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is trained on and what is held out; how processes share a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
import torch
from towns import area_of, crossing
from trainings import CONFIG, TRAINING

from urban_map_loc.config import BUILDINGS_AND_ROADS, SamplerConfig, TileConfig, TrainConfig
from urban_map_loc.errors import AreaError, ConfigurationError
from urban_map_loc.mapnet.cells import PositionCells
from urban_map_loc.training.batches import Drives, TileBatches

FIELDS = ("tiles", "poses", "cells", "references", "reference_poses")


def batches(**settings: object) -> TileBatches:
    return TileBatches(crossing(), replace(CONFIG, **settings))


@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("channels", ["buildings", BUILDINGS_AND_ROADS])
def test_shares_make_up_the_batch_of_one_process(length: int, channels: str) -> None:
    source = batches(
        tile=TileConfig(channels=channels), sampler=SamplerConfig(tuple_length=length), training=replace(TRAINING, batch_size=12)
    )
    whole = source.share(7, 5, 0, 1)
    assert len(whole) == source.tiles_per_step == 12
    assert whole.tuple_length == length
    for processes in (2, 4):
        shares = [source.share(7, 5, rank, processes) for rank in range(processes)]
        for name in FIELDS:
            assert torch.equal(torch.cat([getattr(share, name) for share in shares]), getattr(whole, name)), name


def test_a_batch_that_cannot_be_shared_equally_is_refused() -> None:
    source = batches(sampler=SamplerConfig(tuple_length=3), training=replace(TRAINING, batch_size=10))
    assert source.tiles_per_step == 9
    with pytest.raises(ConfigurationError, match="2 processes cannot share the 3 stretches"):
        source.share(0, 0, 0, 2)


def test_every_step_and_seed_draws_other_tiles_and_the_same_again() -> None:
    source = batches()
    first = source.share(0, 0, 0, 1)
    assert torch.equal(first.poses, source.share(0, 0, 0, 1).poses)
    for other in (source.share(0, 1, 0, 1), source.share(1, 0, 0, 1)):
        assert not torch.isin(other.poses[:, 0], first.poses[:, 0]).any()


def test_held_out_drives_are_drives_and_no_pose_of_theirs_is_trained_on() -> None:
    source = batches(training=replace(TRAINING, drive_tiles=8, drive_spacing_m=5.0))
    held_out = {whose: source.drives(whose, 33) for whose in (Drives.VALIDATION, Drives.CALIBRATION)}
    trained = np.concatenate([source.share(seed, step, 0, 1).poses.numpy() for seed in range(4) for step in range(40)])
    for batch in held_out.values():
        assert len(batch) == 32
        assert batch.tuple_length == 8
        drives = batch.poses.unflatten(0, (-1, 8)).double().numpy()
        apart = np.hypot(*np.moveaxis(np.diff(drives[..., :2], axis=1), -1, 0))
        assert (apart < 5.0 * (1.0 + SamplerConfig().tuple_spacing_jitter) + 3.0).all()
        assert apart.mean() > 3.0
        assert not np.isin(trained[:, 0], batch.poses[:, 0]).any()
    validation, calibration = (held_out[w].poses for w in held_out)
    assert not torch.isin(validation[:, 0], calibration[:, 0]).any()


def test_held_out_drives_are_the_same_for_every_seed_of_training() -> None:
    drives = [TileBatches(crossing(), TrainConfig(seed=seed)).drives(Drives.VALIDATION, 16) for seed in (0, 1)]
    for name in FIELDS:
        assert torch.equal(getattr(drives[0], name), getattr(drives[1], name))


def test_an_area_that_no_model_holds_is_refused_before_its_memory_is_taken() -> None:
    far = 50_000.0
    roads = [shapely.LineString([(0.0, 0.0), (100.0, 0.0)]), shapely.LineString([(far, far), (far + 100.0, far)])]
    with pytest.raises(AreaError, match="50 km by 50 km, too large for one model; split it with .* --region-size"):
        TileBatches(area_of([shapely.box(0.0, 8.0, 9.0, 16.0)], roads), TrainConfig())


@pytest.mark.parametrize("far", [1e30, 1e8])
def test_cells_spread_over_more_than_an_area(far: float) -> None:
    with pytest.raises(ValueError, match="cells are spread over"):
        PositionCells(np.array([[0.0, 0.0], [far, far]]), 16.0)
    cells = PositionCells(np.array([[8.0, 8.0], [24.0, 8.0]]), 16.0)
    assert cells.of(np.array([[far, 0.0], [-far, 1.0], [17.0, 3.0]])).tolist() == [-1, -1, 1]
