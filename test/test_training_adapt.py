# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Learning on from a drive: tiles and odometry of its stretches, the adapted model, the command."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from drives import T_ODOM_MAP, untrained
from hypothesis import given
from hypothesis import strategies as st
from towns import crossing, one_block

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.config import AdaptConfig, RasterConfig, TileConfig
from urban_map_loc.errors import BagError, ConfigurationError, ModelError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.mapnet.references import fill_references
from urban_map_loc.tile.from_map import MapRenderer
from urban_map_loc.training.adapt import Adapter
from urban_map_loc.training.drive_tiles import DriveTiles

CONFIG = AdaptConfig(minutes=0.0, steps=4, map_tiles=8, drive_tiles=8, tuple_length=4, tuple_spacing_m=5.0, warmup_steps=1)
CPU = torch.device("cpu")


@cache
def drive(metres: float = 100.0, step_m: float = 0.5, parts: int = 1) -> DriveTiles:
    """Along the crossing's road east, seen without error; each part's odometry has another frame."""
    renderer = MapRenderer(BuildingRaster.from_area(crossing(), RasterConfig()), TileConfig())
    poses = [Pose2(-50.0 + at, 0.0, 0.0) for at in np.arange(0.0, metres + 1e-6, step_m)]
    points = renderer.points(np.array([pose.as_array() for pose in poses]))
    scans = []
    for k, (pose, hits) in enumerate(zip(poses, points, strict=True)):
        part = k * parts // len(poses)
        frame = T_ODOM_MAP @ Pose2(100.0 * part, 0.0, 0.3 * part)
        scans.append((BuildingScan(float(k), hits[np.isfinite(hits[:, 0])]), frame @ pose, part))
    return DriveTiles.from_scans(scans, TileConfig(), keyframe_m=0.95)


def test_scans_near_the_last_are_left_out_and_metres_count_what_is_driven() -> None:
    seen = drive(metres=20.0)
    assert len(seen) == 21
    np.testing.assert_allclose(seen.metres, np.arange(21.0))
    np.testing.assert_allclose(seen.part_end, 20.0)
    assert seen.tiles.any(axis=(1, 2)).all()


def test_no_metres_are_driven_where_odometry_jumps() -> None:
    seen = drive(metres=39.5, parts=2)
    assert len(seen) == 40
    np.testing.assert_allclose(np.unique(seen.part_end), [19.0, 38.0])


@given(st.integers(0, 500), st.integers(2, 5), st.floats(2.0, 8.0))
def test_stretches_keep_to_one_part_and_their_spacing(seed: int, length: int, spacing: float) -> None:
    config = replace(CONFIG, tuple_length=length, tuple_spacing_m=spacing, drive_tiles=20, tuple_spacing_jitter=0.2)
    tiles, poses = drive(parts=2).draw(config, np.random.default_rng(seed))
    assert len(tiles) == len(poses) == 20 // length * length
    stretches = poses.double().numpy().reshape(-1, length, 3)
    np.testing.assert_allclose(stretches[:, 0], 0.0, atol=1e-6)
    steps = np.diff(stretches, axis=1)
    assert (np.hypot(steps[..., 0], steps[..., 1]) > 0.8 * spacing - 1.0).all()
    assert (np.hypot(steps[..., 0], steps[..., 1]) < 1.2 * spacing + 1.0).all()
    np.testing.assert_allclose(stretches[..., 1:], 0.0, atol=1e-4)  # straight ahead, though each frame of odometry is turned


def test_tiles_are_those_of_their_poses() -> None:
    tiles, poses = drive(parts=2).draw(replace(CONFIG, tuple_spacing_jitter=0.0), np.random.default_rng(0))
    first = [k for k in range(len(drive(parts=2))) if np.array_equal(drive(parts=2).tiles[k], tiles[0])]
    assert any(np.array_equal(drive(parts=2).tiles[k + round(float(poses[1, 0]))], tiles[1]) for k in first)


def test_a_drive_that_is_too_short_says_what_to_do() -> None:
    with pytest.raises(BagError, match=r"less than the \d+ m of a tuple; give a longer drive"):
        drive(metres=10.0).draw(CONFIG, np.random.default_rng(0))
    with pytest.raises(BagError, match="no scan that shows walls"):
        DriveTiles.from_scans([], TileConfig(), 1.0)


def adapter(config: AdaptConfig = CONFIG) -> Adapter:
    torch.manual_seed(0)
    model = untrained(crossing())
    fill_references(model.network, MapRenderer(BuildingRaster.from_area(crossing(), RasterConfig()), TileConfig()))
    small = replace(model.config, training=replace(model.config.training, validation_tiles=16))
    return Adapter(Checkpoint(model.network, small, model.datum, model.area_hash, {"steps": 7}), crossing(), drive(parts=2), config, CPU)


def test_steps_change_the_network_and_the_summary_says_how() -> None:
    one = adapter()
    before = one.network.state_dict()["neck.describe.weight"].clone()
    losses = []
    while one.fraction < 1.0:
        losses.append(one.step())
    assert len(losses) == 4
    assert np.isfinite(losses).all()
    adapted = one.checkpoint()
    assert not torch.equal(adapted.network.state_dict()["neck.describe.weight"], before)
    assert adapted.summary["steps"] == 7
    assert adapted.summary["adapted"]["steps"] == 4
    assert adapted.summary["adapted"]["keyframes"] == len(drive(parts=2))
    assert adapted.area_hash == crossing().content_hash


def test_the_same_seed_adapts_alike_and_without_drive_tiles_the_drive_is_not_seen() -> None:
    def losses(config: AdaptConfig) -> list[tuple[float, float]]:
        one = adapter(config)
        return [one.step() for _ in range(2)]

    assert losses(CONFIG) == pytest.approx(losses(CONFIG), rel=1e-4)
    assert all(relative == 0.0 for _, relative in losses(replace(CONFIG, drive_tiles=0)))


def test_a_drive_of_the_map_itself_raises_its_own_evidence() -> None:
    one = adapter(replace(CONFIG, steps=16, drive_tiles=16, map_tiles=16, learning_rate=1e-3, reference_steps=2))
    losses = np.array([one.step() for _ in range(16)])
    assert losses[-8:, 1].mean() < losses[:3, 1].mean() - 0.05


def test_budget_and_area_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="either minutes or steps"):
        adapter(replace(CONFIG, minutes=1.0))
    with pytest.raises(ModelError, match="was trained on area"):
        Adapter(untrained(crossing()), one_block(), drive(parts=2), CONFIG, CPU)
