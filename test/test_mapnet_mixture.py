# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The distinct places that a tile may show."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from urban_map_loc.config import MapNetConfig
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.mixture import SECTORS, Gallery, between_bins, pose_mixture
from urban_map_loc.mapnet.se2 import wrap

CELLS = np.array([[8.0, 8.0], [24.0, 8.0], [8.0, -8.0]])
STEP = 2 * pi / 16


def views(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(count, 256, generator=generator), dim=1).unflatten(1, (16, 16))


def head(sharpness: float = 20.0) -> CellsHead:
    one = CellsHead(MapNetConfig(), CELLS, np.array([[8.0, 8.0, 0.0], [9.0, 8.0, 0.5], [24.0, 8.0, 0.0], [8.0, -8.0, 1.0]]))
    one.references.copy_(views(4).flatten(1))
    with torch.no_grad():
        one.log_sharpness.fill_(float(np.log(sharpness)))
    return one


@given(reference=st.integers(0, 3), turn=st.integers(0, 15))
def test_a_view_is_its_reference_turned(reference: int, turn: int) -> None:
    sure = head(400.0)
    seen = torch.roll(views(4)[reference], -turn, dims=1)[None]
    poses, log_probability = pose_mixture(sure, seen, Gallery.of_area(sure), 2)
    pose = sure.reference_poses[reference]
    np.testing.assert_allclose(poses[0, 0, :2].detach(), pose[:2])
    assert abs(float(wrap(poses[0, 0, 2] - pose[2] - turn * STEP).detach())) < 1e-3
    assert float(log_probability[0, 0].detach()) == pytest.approx(0.0, abs=1e-4)


def test_hypotheses_are_distinct_and_together_certain() -> None:
    one = head()
    poses, log_probability = pose_mixture(one, views(5, seed=1), Gallery.of_area(one), 500)
    assert poses.shape == (5, len(CELLS) * SECTORS, 3)
    np.testing.assert_allclose(log_probability.exp().sum(dim=1).detach(), 1.0, atol=1e-5)
    assert (log_probability.diff(dim=1) <= 0).all()
    first, _ = pose_mixture(one, views(5, seed=1), Gallery.of_area(one), 3)
    torch.testing.assert_close(first, poses[:, :3])


def test_a_place_is_as_probable_as_its_references_together() -> None:
    one, seen = head(), views(2, seed=1)
    likeness = torch.log_softmax(one.likeness(seen, one.references).flatten(1), dim=1).unflatten(1, (4, 16))
    ahead = [14, 15, 0, 1]  # the sector about the reference's heading: half a sector before it, half after
    expected = torch.logsumexp(likeness[:, :2][:, :, ahead].flatten(1), dim=1)
    poses, log_probability = pose_mixture(one, seen, Gallery.of_area(one), 500)
    for tile in range(2):
        near = (poses[tile, :, 0] < 10.0) & (poses[tile, :, 1] > 0.0)
        found = log_probability[tile][near]
        assert near.sum() == SECTORS
        assert float((found - expected[tile]).abs().min().detach()) < 1e-4


def test_a_street_that_looks_alike_both_ways_is_two_hypotheses() -> None:
    one = head(200.0)
    both = views(4)[2] + torch.roll(views(4)[2], 8, dims=1)
    one.references[2] = (both / both.norm()).flatten()
    poses, log_probability = pose_mixture(one, one.references[2].view(1, 16, 16), Gallery.of_area(one), 2)
    np.testing.assert_allclose(log_probability.exp().detach(), 0.5, atol=0.01)
    assert abs(float(wrap(poses[0, 0, 2] - poses[0, 1, 2]).detach())) == pytest.approx(pi, abs=0.01)


def test_every_reference_apart_is_a_place() -> None:
    one = head()
    gallery = Gallery.apart(views(6).flatten(1), torch.rand(6, 3))
    poses, _ = pose_mixture(one, views(2), gallery, 500)
    assert poses.shape == (2, 6 * SECTORS, 3)


def test_a_heading_lies_towards_the_more_alike_side() -> None:
    best = torch.tensor([[5]])
    assert float(between_bins(torch.zeros(1, 16), best)) == 0.0
    leaning = torch.full((1, 16), -20.0)
    leaning[0, 5], leaning[0, 6] = 1.0, 1.0
    assert float(between_bins(leaning, best)) == pytest.approx(0.5, abs=1e-4)
    wrapped = torch.full((1, 16), -20.0)
    wrapped[0, 0], wrapped[0, 15] = 1.0, 1.0
    assert float(between_bins(wrapped, torch.tensor([[0]]))) == pytest.approx(-0.5, abs=1e-4)


def test_without_directions_there_is_one_sector() -> None:
    plain = CellsHead(MapNetConfig(preset="resnet34"), CELLS, np.array([[8.0, 8.0, 0.0], [24.0, 8.0, 2.0]]))
    plain.references.copy_(torch.nn.functional.normalize(torch.randn(2, 256), dim=1))
    poses, log_probability = pose_mixture(plain, plain.references[1].view(1, 256, 1), Gallery.of_area(plain), 5)
    assert poses.shape == (1, 2, 3)
    assert float(poses[0, 0, 2].detach()) == pytest.approx(2.0, abs=1e-6)
    assert float(log_probability[0, 0].exp().detach()) > 0.9
