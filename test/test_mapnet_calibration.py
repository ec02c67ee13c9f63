# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Confidence that means something: exact cases of the fits, and that a calibrated head says what comes true."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch.nn.functional import cross_entropy

from urban_map_loc.config import MapNetConfig, TileConfig
from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.mapnet.calibration import (
    LARGEST_TEMPERATURE,
    PRIOR_ERRORS,
    fit_temperature,
    heading_spread,
    in_map,
    reliability,
    residual_covariance,
)
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.mapnet.regression_head import RegressionHead
from urban_map_loc.mapnet.se2 import relative
from urban_map_loc.training.confidence import calibrate, confidence


def drawn(logits: torch.Tensor, seed: int) -> torch.Tensor:
    """Classes `(N,)` drawn as logits `(N, C)` say."""
    return torch.multinomial(torch.softmax(logits, dim=1), 1, generator=torch.Generator().manual_seed(seed))[:, 0]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_an_overconfident_classifier_gets_the_temperature_it_lacks(temperature: float) -> None:
    honest = torch.randn(4000, 12, generator=torch.Generator().manual_seed(0)) * 2.0
    truth = drawn(honest, 1)
    fitted = fit_temperature(honest * temperature, truth)
    assert fitted == pytest.approx(temperature, rel=0.08)
    best = minimize_scalar(lambda t: float(cross_entropy(honest * temperature / t, truth)), bounds=(0.05, 20.0), method="bounded")
    assert fitted == pytest.approx(best.x, rel=0.06)


def test_a_few_truths_held_for_impossible_do_not_decide_the_temperature() -> None:
    honest = torch.randn(4000, 12, generator=torch.Generator().manual_seed(0)) * 2.0
    truth = drawn(honest, 1)
    honest[torch.arange(20), truth[:20]] = -88.0
    assert fit_temperature(honest, truth) == pytest.approx(1.0, rel=0.08)


def test_temperatures_stay_within_bounds_and_say_nothing_where_there_is_nothing() -> None:
    sure = torch.eye(5) * 0.2
    assert fit_temperature(sure, torch.arange(5)) == pytest.approx(1.0 / LARGEST_TEMPERATURE, rel=1e-3)
    assert fit_temperature(sure, (torch.arange(5) + 1) % 5) == pytest.approx(LARGEST_TEMPERATURE, rel=1e-3)
    assert fit_temperature(torch.zeros(0, 5), torch.zeros(0, dtype=torch.long)) == 1.0
    assert fit_temperature(torch.ones(9, 1), torch.zeros(9, dtype=torch.long)) == 1.0


@given(st.floats(-10, 10), st.floats(-3.1, 3.1), st.floats(0.0, 2.0))
def test_covariances_turn_with_the_heading(x: float, yaw: float, spread: float) -> None:
    """An error drawn about the car is stated the same in the map: both give the same squared distance."""
    along_across = torch.diag(torch.tensor([4.0, 0.25, 0.01])) + 0.05
    turned = in_map(along_across, torch.tensor([yaw]), torch.tensor([spread]))[0].double()
    answer = torch.tensor([[3.0, -2.0, yaw]])
    truth = answer + torch.tensor([[x, 1.0, 0.1]])
    about_car = relative(answer, truth)[0].double()
    spread_about_car = along_across.double() + torch.diag(torch.tensor([0.0, 0.0, spread], dtype=torch.float64))
    in_the_map = (truth - answer)[0].double()
    assert float(in_the_map @ torch.linalg.solve(turned, in_the_map)) == pytest.approx(
        float(about_car @ torch.linalg.solve(spread_about_car, about_car)), rel=1e-3, abs=1e-4
    )


def test_few_errors_leave_the_prior_and_many_replace_it() -> None:
    prior = torch.diag(torch.tensor([20.0, 20.0, 0.1]))
    torch.testing.assert_close(residual_covariance(torch.zeros(0, 3), prior), prior)
    scale = torch.tensor([1.0, 0.5, 0.02])
    errors = torch.randn(20000, 3, generator=torch.Generator().manual_seed(3)) * scale + torch.tensor([0.5, 0.0, 0.0])
    found = residual_covariance(errors, prior)
    np.testing.assert_allclose(found.diagonal().sqrt(), [sqrt(1.0 + 0.25), 0.5, 0.02], rtol=0.03)  # a constant error counts
    one = residual_covariance(torch.zeros(1, 3), prior)
    torch.testing.assert_close(one, prior * PRIOR_ERRORS / (PRIOR_ERRORS + 1.0))


def test_headings_that_may_be_opposite_spread_by_half_a_turn() -> None:
    headings = torch.tensor([[0.0, pi / 2, pi, -pi / 2]])
    both = torch.log(torch.tensor([[0.5, 1e-9, 0.5, 1e-9]]))
    one = torch.log(torch.tensor([[0.6, 0.4, 1e-9, 1e-9]]))
    assert float(heading_spread(both, headings, torch.zeros(1))) == pytest.approx(pi**2 / 2, rel=1e-4)
    assert float(heading_spread(both, headings, torch.tensor([0.1]))) == pytest.approx((pi - 0.1) ** 2 / 2, rel=1e-4)
    assert float(heading_spread(one, headings, torch.tensor([0.7]))) == pytest.approx(0.0, abs=1e-6)  # one mode between two bins
    assert float(heading_spread(torch.zeros(1, 1), torch.zeros(1, 1), torch.tensor([3.0]))) == 0.0  # one heading: no modes


def test_reliability_compares_stated_with_true() -> None:
    stated = torch.tensor([0.95, 0.95, 0.95, 0.95, 0.15, 0.15, 1.0])
    right = torch.tensor([True, True, False, False, False, False, True])
    found = reliability(stated, right)
    assert found["bins"] == [[0.15, 0.0, 2], [0.96, 0.6, 5]]
    assert found["expected_calibration_error"] == pytest.approx((2 * 0.15 + 5 * 0.36) / 7, abs=1e-4)
    assert reliability(torch.zeros(0), torch.zeros(0)) == {"expected_calibration_error": 0.0, "bins": []}


@given(st.integers(0, 1000))
def test_honest_probabilities_are_reliable(seed: int) -> None:
    stated = torch.rand(5000, generator=torch.Generator().manual_seed(seed))
    right = torch.rand(5000, generator=torch.Generator().manual_seed(seed + 1)) < stated
    found = reliability(stated, right)
    assert found["expected_calibration_error"] < 0.03
    assert sum(row[2] for row in found["bins"]) == 5000
    assert reliability(stated**0.25, right)["expected_calibration_error"] > 0.2  # overconfident


def network_and_batch(head: str) -> tuple[MapNet, Batch]:
    """A network that has learned nothing, with a batch of noise."""
    torch.manual_seed(0)
    cells = np.array([[8.0, 8.0], [24.0, 8.0], [8.0, -8.0], [-40.0, 56.0]])
    tile = TileConfig(size_px=32)
    network = MapNet(MapNetConfig(head=head, feature_size=16), tile, cells, np.column_stack([cells, np.arange(4.0)])).eval()
    count = 40
    cell = torch.arange(count) % 4
    poses = torch.cat([torch.from_numpy(cells).float()[cell] + torch.randn(count, 2), torch.rand(count, 1) * 6.0 - 3.0], dim=1)
    tiles = (torch.rand(count, 32, 32) < 0.1).byte()
    if isinstance(network.head, CellsHead):
        with torch.no_grad():
            network.head.references.copy_(network.feature(tiles[:4]).flatten(1))
    return network, Batch(tiles, poses, cell, tiles[:0], poses[:0])


@pytest.mark.parametrize("head", ["cells", "regression"])
def test_calibration_fills_the_head_and_never_makes_its_answers_less_likely(head: str) -> None:
    network, batch = network_and_batch(head)
    before = {name: buffer.clone() for name, buffer in network.head.named_buffers()}
    calibrate(network, batch)
    assert (torch.linalg.eigvalsh(network.head.residual_covariance) > 0).all()
    assert not torch.equal(network.head.residual_covariance, before["residual_covariance"])
    torch.testing.assert_close(network.head.cells, before["cells"])
    if isinstance(network.head, CellsHead):
        with torch.no_grad():
            logits = network.head.logits(network.feature(batch.tiles))
        softened = cross_entropy(logits / network.head.temperature, batch.cells)
        assert float(softened) <= float(cross_entropy(logits, batch.cells)) + 1e-6
    else:
        assert isinstance(network.head, RegressionHead)
        assert 0.0 < float(network.head.confidence) < 1.0
    figures = confidence(network, batch)
    assert figures["after"]["expected_calibration_error"] <= figures["before"]["expected_calibration_error"] + 0.03
    assert sum(row[2] for row in figures["after"]["bins"]) == len(batch)


def test_hypotheses_state_what_was_fitted() -> None:
    network, batch = network_and_batch("cells")
    head, tile = network.head, batch.tiles[0].numpy()
    assert isinstance(head, CellsHead)
    head.residual_covariance.copy_(torch.diag(torch.tensor([9.0, 1.0, 0.04])))
    sharp = network.hypotheses(tile, 4)
    head.temperature.fill_(3.0)
    soft = network.hypotheses(tile, 4)
    np.testing.assert_array_equal(soft.poses, sharp.poses)  # the order stays
    wanted = sharp.log_probability / 3.0
    np.testing.assert_allclose(soft.log_probability, wanted - np.log(np.exp(wanted).sum()), atol=1e-5)
    for covariance, (_, _, yaw) in zip(soft.covariance, soft.poses, strict=True):
        heading = np.array([np.cos(yaw), np.sin(yaw)])
        assert heading @ covariance[:2, :2] @ heading == pytest.approx(9.0, rel=1e-4)
        assert covariance[2, 2] >= 0.04
    head.heading_temperature.fill_(1e-9)  # sure of the heading
    np.testing.assert_allclose(network.hypotheses(tile, 4).covariance[:, 2, 2], 0.04, rtol=1e-3)
    head.heading_temperature.fill_(1e9)  # knows nothing of it
    np.testing.assert_allclose(network.hypotheses(tile, 4).covariance[:, 2, 2], 0.04 + pi**2 / 3, rtol=0.1)
