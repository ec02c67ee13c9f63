# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The fully convolutional segmentation: features by hand, turns, files, and what it makes of a street."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from test_cloud_extraction import street

from urban_map_loc.cloud import fcn_kernels as k
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.columns import coarser, flatness, gather, wall_lean
from urban_map_loc.cloud.extraction import building_mask
from urban_map_loc.cloud.fcn import Fcn, FcnNetwork
from urban_map_loc.cloud.fcn_file import FORMAT, load_fcn, save_fcn
from urban_map_loc.cloud.fcn_grid import FLAT_M, CloudGrid
from urban_map_loc.cloud.walls import needed_heights
from urban_map_loc.config import CloudConfig, FcnConfig, FcnGridConfig
from urban_map_loc.errors import ModelError
from urban_map_loc.mapnet.checkpoint import METADATA_SUM, sum_of_metadata

LEVEL, NO_GROUND = np.zeros(3), np.zeros((50, 50), np.float32)
AT = (LEVEL, NO_GROUND, 50.0, 0.5, 2.5, 0.3)


def grid_of(points: np.ndarray) -> CloudGrid:
    """On ground at height 0, whatever the points say."""
    return CloudGrid(np.ascontiguousarray(points, np.float32).reshape(-1, 3), FcnGridConfig(), AT)


def features(points: list[tuple[float, float, float]]) -> np.ndarray:
    return grid_of(np.array(points)).features()


def test_features_of_one_column_by_hand():
    """Column (121, 100) spans x 10.5 to 11 and y 0 to 0.5; its middle is (10.75, 0.25)."""
    f = features([(10.85, 0.15, 1.0), (10.85, 0.35, 2.0), (10.65, 0.15, 2.1), (10.65, 0.35, 5.0), (10.75, 0.25, 0.1)])
    assert f.shape == (k.FEATURES, 200, 200)
    (a, b), c = (121, 100), f[:, 121, 100]
    assert np.argwhere(f.any(axis=0)).tolist() == [[a, b]]
    assert c[: k.BANDS] == pytest.approx([0.0, np.log(2) / 4, np.log(3) / 4, 0.0, np.log(2) / 4, 0.0])
    assert c[k.ON_GROUND] == pytest.approx(np.log(2) / 4)
    assert c[k.HIGHEST] == pytest.approx(5.0 / 6.0)
    assert c[k.LOWEST] == pytest.approx(1.0 / 6.0)
    assert c[[k.MEAN_X, k.MEAN_Y]] == pytest.approx([0.0, 0.0], abs=1e-4)
    assert c[[k.SPREAD_XX, k.SPREAD_XY, k.SPREAD_YY]] == pytest.approx([0.24, 0.0, 0.24], abs=1e-4)
    assert c[k.DISTANCE] == pytest.approx(np.hypot(10.75, 0.25) / 50.0)
    assert c[[k.FLAT_FINE, k.FLAT, k.FLAT_COARSE]].tolist() == [0.0, 0.0, 0.0]  # too few points to tell
    assert c[k.VIEW] == pytest.approx(5.0 / 6.0)


def test_a_wall_is_flat_whatever_its_direction():
    along = np.linspace(-1.0, 1.0, 40)
    for angle in (0.0, 0.4, 1.0, 2.0):
        wall = [(12.25 + t * np.cos(angle), 3.25 + t * np.sin(angle), z) for t in along for z in (1.0, 2.0)]
        assert (features(wall)[[k.FLAT_FINE, k.FLAT, k.FLAT_COARSE], 124, 106] > 0.85).all()
    rng = np.random.default_rng(0)
    bush = np.column_stack([rng.uniform([11.0, 2.0], [13.5, 4.5], (400, 2)), rng.uniform(0.5, 3.0, 400)])
    assert (features(bush.tolist())[[k.FLAT_FINE, k.FLAT, k.FLAT_COARSE], 124, 106] < -0.25).all()


def test_flatness_and_view_of_a_column_are_those_of_the_walls():
    """What `columns` and `walls` say of one column, in sizes of 0.25, 0.5 and 1 m."""
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform([10.0, 0.0], [13.0, 2.0], (500, 2)), rng.uniform(0.5, 3.0, 500)]).astype(np.float32)
    f = grid_of(points).features()
    fine = gather(points, *AT[:3], 0.25, *AT[4:])
    own = coarser(fine, 0.25)
    coarse = coarser(own, 0.5)
    lean = wall_lean(own, 0.5)
    thin, wide = flatness(fine, 0.25, lean, FLAT_M[0]), flatness(coarse, 1.0, lean, FLAT_M[2])
    a, b = 123, 102
    assert f[k.FLAT, a, b] == pytest.approx(flatness(own, 0.5, lean, FLAT_M[1])[own.slots[a, b]])
    assert f[k.FLAT_COARSE, a, b] == pytest.approx(wide[coarse.slots[a // 2, b // 2]])
    inside = fine.slots[2 * a : 2 * a + 2, 2 * b : 2 * b + 2].ravel()
    assert f[k.FLAT_FINE, a, b] == pytest.approx(np.nanmax(thin[inside[inside >= 0]]))
    assert f[k.VIEW, a, b] == pytest.approx(needed_heights(own, 0.5, 9.0)[1][own.slots[a, b]] / 6.0)


def test_walls_are_those_of_the_extraction_by_shape():
    cloud, _ = street()
    grid = CloudGrid.of(cloud.points, FcnGridConfig(), 50.0)
    walls = np.repeat(grid.features()[k.WALL][None] > 0.0, k.BANDS, axis=0)
    by_shape = building_mask(cloud, CloudConfig(kind="geometric"))
    assert by_shape.sum() > 1000
    np.testing.assert_array_equal(grid.points_of(walls), by_shape)


def test_what_lies_outside_or_on_the_car_is_not_seen():
    assert not features([(1.0, 1.0, 1.0), (50.5, 0.0, 1.0), (0.0, -51.0, 1.0)]).any()


@given(
    st.lists(st.tuples(st.floats(-49.9, 49.9), st.floats(-49.9, 49.9), st.floats(-3.0, 30.0)), max_size=60),
    st.floats(0.0, 3.0),
)
def test_features_stay_small_and_counts_agree(points, height):
    cloud = np.array(points, np.float32).reshape(-1, 3)
    grid = CloudGrid(cloud, FcnGridConfig(), (LEVEL, NO_GROUND - np.float32(height), *AT[2:]))
    f = grid.features()
    assert np.isfinite(f).all()
    assert np.abs(f).max(initial=0.0) < 2.5
    chosen = cloud[:, 2] > 1.0
    counts, seen = grid.counts(chosen), grid.points_of(np.ones((k.BANDS, 200, 200), bool))
    assert counts[0].sum() == seen.sum()
    assert counts[1].sum() == (seen & chosen).sum()
    assert ((counts[0] > 0) == (f[: k.BANDS] > 0)).all()


def test_points_take_the_answer_of_their_band_and_column():
    points = np.array([(10.7, 0.2, 1.0), (10.7, 0.2, 3.0), (10.7, 0.7, 1.0), (10.7, 0.2, 0.1)])
    columns = np.zeros((k.BANDS, 200, 200), bool)
    columns[1, 121, 100] = True
    assert grid_of(points).points_of(columns).tolist() == [True, False, False, False]


@pytest.mark.parametrize("range_m", [10.0, 33.3, 50.0])
def test_heights_count_from_the_ground_however_askew(range_m):
    """On a plane that leans, points keep the bands of the level one."""
    rng = np.random.default_rng(0)
    flat = np.column_stack([rng.uniform(-45, 45, (20000, 2)), np.zeros(20000)])
    walls = np.column_stack([np.repeat([6.0, 8.0], 300), rng.uniform(-5, 5, 600), np.tile([1.1, 1.9, 2.9], 200)])
    level = np.concatenate([flat, walls]).astype(np.float32)
    askew = level + np.column_stack([np.zeros((len(level), 2)), 0.06 * level[:, 0] - 0.04 * level[:, 1] - 1.7]).astype(np.float32)
    a, b = (CloudGrid.of(points, FcnGridConfig(), range_m) for points in (level, askew))
    everything = np.ones(len(level), bool)
    np.testing.assert_array_equal(a.counts(everything), b.counts(everything))


@pytest.mark.parametrize("side", [200, 97, 16, 1])
def test_any_grid_gets_answers_of_its_size(side):
    answer = FcnNetwork().eval()(torch.zeros(2, k.FEATURES, side, side))
    assert answer.shape == (2, k.BANDS, side, side)


def test_every_scale_reaches_the_answer():
    """The gradient of one column's answer with respect to the input: far cells through coarse layers, the column itself directly."""
    torch.manual_seed(0)
    network = FcnNetwork().eval()
    image = torch.randn(1, k.FEATURES, 96, 96, requires_grad=True)
    network(image)[0, 0, 48, 48].backward()
    reached = image.grad.abs().sum(dim=(0, 1)) > 0.0
    assert reached[48, 48]
    assert reached.sum() > 40 * 40


@pytest.fixture
def segmentation(tmp_path) -> Path:
    torch.manual_seed(1)
    path = tmp_path / "fcn.safetensors"
    save_fcn(Fcn(FcnNetwork().eval(), FcnConfig(grid=FcnGridConfig(ground_clearance_m=0.4), seed=3), {"steps": 7}), path)
    return path


def test_a_file_rebuilds_the_segmentation(segmentation):
    fcn = load_fcn(segmentation)
    assert fcn.config == FcnConfig(grid=FcnGridConfig(ground_clearance_m=0.4), seed=3)
    assert fcn.summary == {"steps": 7}
    torch.manual_seed(1)
    image = torch.randn(1, k.FEATURES, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(fcn.network(image), FcnNetwork().eval()(image))


def changed(path: Path, **metadata: str) -> Path:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        header = {**file.metadata(), **metadata}
    header[METADATA_SUM] = sum_of_metadata(header)
    out = path.with_name("changed.safetensors")
    save_file(load_file(path), out, header)
    return out


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"format": "urban_map_loc MapNet"}, "is no segmentation"),
        ({"format_version": "99"}, "has format 99"),
        ({"config": json.dumps({"grid": {"what": 1}})}, "what is no setting"),
        ({"config": "{"}, "does not fit"),
    ],
)
def test_files_of_another_kind(segmentation, metadata, reason):
    with pytest.raises(ModelError, match=reason) as caught:
        load_fcn(changed(segmentation, **metadata))
    assert "\n" not in str(caught.value)
    assert FORMAT


def test_a_file_must_be_named():
    cloud = Cloud(0.0, np.zeros((4, 3), np.float32))
    with pytest.raises(ModelError, match=r"cloud.fcn_model names no file; make one with `urban_map_loc train-fcn"):
        building_mask(cloud, CloudConfig(kind="fcn"))


def test_damaged_and_missing_files(segmentation, tmp_path):
    content = bytearray(segmentation.read_bytes())
    cut, flipped = tmp_path / "cut.safetensors", tmp_path / "flipped.safetensors"
    cut.write_bytes(content[:1000])
    content[-5] ^= 1
    flipped.write_bytes(content)
    for path, reason in ((cut, "damaged"), (flipped, "SHA-256"), (tmp_path / "none.safetensors", "no such file")):
        with pytest.raises(ModelError, match=reason):
            load_fcn(path)


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.zeros((1, 3)), np.full((5, 3), 1e30)])
def test_clouds_without_anything(segmentation, points):
    cloud = Cloud(0.0, points.astype(np.float32))
    assert not building_mask(cloud, CloudConfig(kind="fcn", fcn_model=str(segmentation))).any()


def test_probability_one_keeps_nothing_and_zero_all_above_the_ground(segmentation):
    rng = np.random.default_rng(0)
    ground = np.column_stack([rng.uniform(-45, 45, (20000, 2)), np.zeros(20000)])
    above = np.column_stack([rng.uniform(-45, 45, (500, 2)), rng.uniform(1, 6, 500)])
    cloud = Cloud(0.0, np.concatenate([ground, above]).astype(np.float32))
    config = CloudConfig(kind="fcn", fcn_model=str(segmentation), fcn_probability=1.0)
    assert not building_mask(cloud, config).any()
    kept = building_mask(cloud, replace(config, fcn_probability=0.0))
    assert kept[20000:].mean() > 0.95
    assert not kept[:20000].any()
    near = building_mask(cloud, replace(config, fcn_probability=0.0), range_m=20.0)
    assert not near[np.abs(cloud.points[:, :2]).max(axis=1) > 20.0].any()
