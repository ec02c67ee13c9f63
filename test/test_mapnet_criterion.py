# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The criterion on exact cases: nothing to lose at the truth, relative poses composed, evidence by hand, gradients."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, pi

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from urban_map_loc.config import CriterionConfig, MapNetConfig, TileConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.mapnet import se2
from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.criterion import CellsCriterion, RegressionCriterion, Scales, criterion_for
from urban_map_loc.mapnet.drive_evidence import drive_evidence, log_laplace
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.mapnet.regression_head import RegressionHead

CELLS = np.array([[8.0, 8.0], [24.0, 8.0], [8.0, -8.0], [-40.0, 56.0]])
PLAIN = CriterionConfig(weights="fixed", beta=1.0)
poses = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-3.0, 3.0))


def regression_head(**settings: object) -> RegressionHead:
    torch.manual_seed(0)
    return RegressionHead(MapNetConfig(feature_size=16, head="regression", **settings), CELLS)  # type: ignore[arg-type]


def cells_head() -> CellsHead:
    torch.manual_seed(0)
    return CellsHead(MapNetConfig(), CELLS, np.column_stack([CELLS, np.zeros(len(CELLS))]))


def batch(poses: Tensor, tuple_length: int = 1, reference_poses: Tensor | None = None) -> Batch:
    """Poses without pictures: the criterion is given features."""
    nothing = torch.zeros(0)
    return Batch(nothing, poses, nothing, nothing, poses if reference_poses is None else reference_poses, tuple_length)


def views(count: int) -> Tensor:
    """Random views, all different."""
    torch.manual_seed(0)
    return torch.nn.functional.normalize(torch.randn(count, 256), dim=1).unflatten(1, (16, 16))


def tensor(*rows: Pose2) -> Tensor:
    return torch.tensor(np.array([row.as_array() for row in rows]))


def number(value: Tensor) -> float:
    return float(value.detach())


class Answers(torch.nn.Module):
    """A head that answers the poses it is given as features, as a regression head would."""

    position_mean, position_deviation = torch.zeros(2), torch.full((2,), 10.0)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        return self.normalised(feature[:, :2]), feature[:, 2:]

    def poses(self, feature: Tensor) -> Tensor:
        return feature

    def normalised(self, position: Tensor) -> Tensor:
        return position / 10.0

    def rotation_error(self, rotation: Tensor, yaw: Tensor) -> Tensor:
        return se2.wrap(rotation[:, 0] - yaw).abs()


@given(poses, poses)
def test_poses_compose_as_in_geometry(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    T_m_a, T_m_b = Pose2(*a), Pose2(*b)
    T_a_b = T_m_a.inverse() @ T_m_b
    np.testing.assert_allclose(se2.relative(tensor(T_m_a), tensor(T_m_b))[0], T_a_b.as_array(), atol=1e-9)
    np.testing.assert_allclose(se2.compose(tensor(T_m_a), tensor(T_a_b))[0, :2], T_m_b.as_array()[:2], atol=1e-9)
    assert abs(float(se2.wrap(se2.compose(tensor(T_m_a), tensor(T_a_b))[0, 2] - T_m_b.yaw))) < 1e-9


def test_a_relative_pose_is_seen_from_the_first_and_not_a_difference() -> None:
    north = Pose2(5.0, 5.0, pi / 2)
    ahead = Pose2(5.0, 7.0, pi / 2)
    np.testing.assert_allclose(se2.relative(tensor(north), tensor(ahead))[0], [2.0, 0.0, 0.0], atol=1e-12)


def test_scales_weigh_as_in_the_paper_and_fixed_ones_by_beta() -> None:
    translation, rotation = torch.tensor([1.0, 3.0]), torch.tensor([0.5])
    learned = Scales(CriterionConfig())
    assert number(learned(translation, rotation)) == pytest.approx(2.0 + 0.0 + 0.5 * exp(3.0) - 3.0, rel=1e-5)
    assert learned.log_scales.requires_grad
    fixed = Scales(CriterionConfig(weights="fixed", beta=4.0))
    assert number(fixed(translation, rotation) - fixed(0 * translation, 0 * rotation)) == pytest.approx(2.0 + 4.0 * 0.5, rel=1e-5)
    assert not fixed.log_scales.requires_grad


@given(st.lists(poses, min_size=3, max_size=3), poses)
def test_regression_loses_nothing_at_the_truth_and_its_relative_term_nothing_in_another_frame(
    drive: list[tuple[float, ...]], frame: tuple[float, ...]
) -> None:
    criterion, head = RegressionCriterion(PLAIN), Answers()
    truth = tensor(*(Pose2(*pose) for pose in drive)).float()
    assert number(criterion(head, truth, batch(truth, 3))) == pytest.approx(0.0, abs=1e-3)
    moved = se2.compose(torch.tensor([frame]), truth)
    assert number(criterion.relative(head, truth, moved, 3)) == pytest.approx(0.0, abs=1e-3)


def test_the_relative_term_of_regression_by_hand() -> None:
    criterion, head = RegressionCriterion(PLAIN), Answers()
    drive = tensor(Pose2(0, 0, 0), Pose2(8, 0, 0))
    answers = tensor(Pose2(3, 4, pi / 2), Pose2(3, 10, pi / 2 + 0.1))  # 6 m and 0.1 rad on, where 8 m and none were driven
    assert number(criterion.relative(head, answers, drive, 2)) == pytest.approx(2.0 / 10.0 + 0.1, rel=1e-6)
    absolute = number(criterion(head, answers, batch(drive)))
    assert number(criterion(head, answers, batch(drive, 2))) == pytest.approx(absolute + 0.3, rel=1e-6)
    without = RegressionCriterion(replace(PLAIN, relative_weight=0.0))
    assert number(without(head, answers, batch(drive, 2))) == pytest.approx(absolute, rel=1e-6)


def test_tuples_do_not_mix() -> None:
    criterion, head = RegressionCriterion(PLAIN), Answers()
    one = tensor(Pose2(0, 0, 0), Pose2(8, 0, 0))
    far = se2.compose(tensor(Pose2(30, -40, 2.0)), one)
    assert number(criterion.relative(head, torch.cat([one, far]), torch.cat([one, one]), 2)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("rotation", ["yaw", "log_quaternion"])
@given(yaw=st.floats(-3.1, 3.1), error=st.floats(-0.2, 0.2))
def test_both_rotations_give_back_the_heading(rotation: str, yaw: float, error: float) -> None:
    head = regression_head(rotation=rotation)
    with torch.no_grad():
        head.rotation.weight.zero_()
        given_yaw = torch.tensor([yaw + error])
        head.rotation.bias.copy_(given_yaw / 2 if head.log_quaternion else torch.cat([given_yaw.cos(), given_yaw.sin()]))
        answer = head.poses(torch.ones(1, 16))
        lost = head.rotation_error(head(torch.ones(1, 16))[1], torch.tensor([yaw]))
    assert abs(float(se2.wrap(answer[0, 2] - yaw - error))) < 1e-5
    expected = abs(error) / 2 if head.log_quaternion else abs(np.cos(yaw + error) - np.cos(yaw)) + abs(np.sin(yaw + error) - np.sin(yaw))
    assert float(lost) == pytest.approx(expected, abs=1e-5)


def test_a_heading_west_costs_a_log_quaternion_no_turn() -> None:
    head = regression_head(rotation="log_quaternion")
    assert number(head.rotation_error(torch.tensor([[pi / 2 - 0.01]]), torch.tensor([-pi + 0.02]))) == pytest.approx(0.02, abs=1e-5)


def test_positions_are_normalised_by_the_area_and_the_model_keeps_by_what() -> None:
    head = regression_head()
    np.testing.assert_allclose(head.position_mean, CELLS.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(head.position_deviation, CELLS.std(axis=0) + 16.0 / np.sqrt(12.0), rtol=1e-5)
    assert {"position_mean", "position_deviation"} <= set(head.state_dict())
    feature = torch.rand(5, 16)
    np.testing.assert_allclose(head.normalised(head.poses(feature)[:, :2]).detach(), head(feature)[0].detach(), atol=1e-5)


def test_posenet_is_a_configuration() -> None:
    config, network = CriterionConfig(weights="fixed", beta=2.0), MapNetConfig(head="regression")
    net = MapNet(network, TileConfig(), CELLS)
    criterion = criterion_for(net, config)
    assert isinstance(criterion, RegressionCriterion)
    assert not any(p.requires_grad for p in criterion.parameters())
    feature, truth = torch.rand(4, network.feature_size), torch.rand(4, 3)
    translation, rotation = net.head(feature)  # type: ignore[operator]
    expected = (translation - net.head.normalised(truth[:, :2])).abs().sum(1) + 2.0 * net.head.rotation_error(rotation, truth[:, 2])  # type: ignore
    assert number(criterion(net.head, feature, batch(truth))) == pytest.approx(number(expected.mean()) - log(2.0), rel=1e-4)


def test_the_cells_criterion_of_an_uninformed_network_is_the_entropy() -> None:
    head, same = cells_head(), torch.full((2 * 3, 16, 16), 1.0 / 16.0)  # views that do not differ
    loss = CellsCriterion(CriterionConfig())(head, same, batch(torch.rand(3, 3)))
    assert number(loss) == pytest.approx(log(3 * head.headings), abs=1e-4)


def test_the_cells_criterion_is_least_where_each_view_is_its_references_turned() -> None:
    head, criterion, references = cells_head(), CellsCriterion(CriterionConfig()), views(4)
    step = 2 * pi / head.headings
    facing = torch.tensor([[0.0, 0.0, 1.0], [5.0, 0.0, -2.0], [0.0, 9.0, 3.0], [7.0, 7.0, 0.0]])
    turns = torch.tensor([0, 3, 9, 15])
    seen = torch.stack([torch.roll(view, -int(k), dims=1) for view, k in zip(references, turns, strict=True)])
    poses = facing.clone()
    poses[:, 2] = se2.wrap(facing[:, 2] + turns * step)
    right = number(criterion(head, torch.cat([seen, references]), batch(poses, reference_poses=facing)))
    assert criterion.recall == 1.0
    assert right < 0.01
    wrong = number(criterion(head, torch.cat([seen, references]), batch(facing, reference_poses=facing)))
    assert wrong > 1.0
    # A heading half way between two bins counts for both.
    half = poses + torch.tensor([0.0, 0.0, step / 2])
    assert right < number(criterion(head, torch.cat([seen, references]), batch(half, reference_poses=facing))) < wrong


@pytest.mark.parametrize("log_scales", [(0.0, -3.0), (1.5, -0.5)])
def test_the_density_of_errors_is_one(log_scales: tuple[float, float]) -> None:
    scales = torch.tensor(log_scales, dtype=torch.float64)
    x, r = (torch.linspace(-12, 12, 97, dtype=torch.float64) * float(s.exp()) for s in scales)
    everywhere = torch.stack(torch.meshgrid(x, x, r, indexing="ij"), dim=-1)
    volume = float((x[1] - x[0]) ** 2 * (r[1] - r[0]))
    assert float(log_laplace(everywhere, scales).exp().sum()) * volume == pytest.approx(1.0, rel=0.03)


def test_the_evidence_of_one_hypothesis_is_minus_the_l1_of_the_relative_pose() -> None:
    drive = tensor(Pose2(0, 0, 0), Pose2(8, 0, 0))[None]
    answers = tensor(Pose2(3, 4, pi / 2), Pose2(3.5, 10, pi / 2 + 0.1))[None, :, None]
    found = drive_evidence(answers, torch.zeros(1, 2, 1, dtype=torch.float64), drive, torch.zeros(2), 1e-6, 1e12)
    # 6 m ahead and 0.5 m to the right, turned by 0.1 rad, where 8 m ahead were driven.
    assert float(found[0, 0]) == pytest.approx(-2.0 - 0.5 - 0.1 - log(8.0), abs=1e-4)


def evidence_by_hand(
    hypotheses: list[list[Pose2]], p: list[list[float]], drive: list[Pose2], scales: Tensor, o: float, area: float
) -> list[float]:
    out = []
    for r in range(len(drive)):
        total = 0.0
        for a, p_a in zip(hypotheses[r], p[r], strict=True):
            product = p_a
            for k in range(len(drive)):
                if k != r:
                    there = a @ (drive[r].inverse() @ drive[k])
                    errors = [(there.inverse() @ b).as_array() for b in hypotheses[k]]
                    f = [exp(float(log_laplace(torch.tensor(e), scales))) for e in errors]
                    product *= (1 - o) * sum(x * y for x, y in zip(p[k], f, strict=True)) + o / (2 * pi * area)
            total += product
        out.append(log(total))
    return out


@given(st.integers(0, 1000), st.integers(1, 4), st.integers(2, 4))
def test_evidence_is_what_its_equation_says(seed: int, hypotheses: int, tiles: int) -> None:
    random = np.random.default_rng(seed)
    found = [[Pose2(*random.normal(0, 3, 3)) for _ in range(hypotheses)] for _ in range(tiles)]
    probability = random.dirichlet(np.ones(hypotheses + 1), tiles)[:, :hypotheses]
    drive = [Pose2(*random.normal(0, 3, 3)) for _ in range(tiles)]
    scales = torch.tensor([0.3, -0.5], dtype=torch.float64)
    got = drive_evidence(
        torch.stack([tensor(*row) for row in found])[None], torch.tensor(probability).log()[None], tensor(*drive)[None], scales, 0.2, 400.0
    )
    np.testing.assert_allclose(got[0], evidence_by_hand(found, probability.tolist(), drive, scales, 0.2, 400.0), rtol=1e-6)


def test_evidence_does_not_depend_on_the_drives_frame() -> None:
    random = np.random.default_rng(0)
    found, drive = torch.tensor(random.normal(0, 3, (2, 3, 5, 3))), torch.tensor(random.normal(0, 3, (2, 3, 3)))
    p = torch.log_softmax(torch.tensor(random.normal(size=(2, 3, 5))), dim=2)
    moved = se2.compose(torch.tensor([4.0, -7.0, 2.5], dtype=torch.float64), drive)
    args = torch.zeros(2), 0.1, 1000.0
    torch.testing.assert_close(drive_evidence(found, p, drive, *args), drive_evidence(found, p, moved, *args))


def test_evidence_raises_the_hypothesis_on_which_the_drive_agrees() -> None:
    """Each tile alone cannot tell two places apart; only one of them continues as driven."""
    drive = tensor(Pose2(0, 0, 0), Pose2(8, 0, 0))[None]
    found = torch.stack([tensor(Pose2(10, 0, 0), Pose2(200, 0, 0)), tensor(Pose2(18, 0, 0), Pose2(200, 50, 1))])[None]
    logits = torch.zeros(1, 2, 2, dtype=torch.float64, requires_grad=True)
    log_probability = torch.log_softmax(logits, dim=2)
    drive_evidence(found, log_probability, drive, torch.tensor([0.0, -3.0]), 0.1, 1e5).sum().backward()
    assert logits.grad is not None
    assert (logits.grad[0, :, 0] > 0.4).all()
    assert (logits.grad[0, :, 1] < -0.4).all()


def test_a_drive_that_agrees_with_nothing_teaches_little() -> None:
    drive = tensor(Pose2(0, 0, 0), Pose2(8, 0, 0))[None]
    found = torch.stack([tensor(Pose2(10, 0, 0), Pose2(200, 0, 0)), tensor(Pose2(-90, 30, 2), Pose2(200, 50, 1))])[None]
    found.requires_grad_()
    logits = torch.zeros(1, 2, 2, dtype=torch.float64, requires_grad=True)
    drive_evidence(found, torch.log_softmax(logits, dim=2), drive, torch.tensor([0.0, -3.0]), 0.1, 1e5).sum().backward()
    assert logits.grad is not None
    assert found.grad is not None
    assert float(logits.grad.abs().max()) < 1e-6
    assert float(found.grad.abs().max()) < 1e-6


@pytest.mark.parametrize("head_kind", ["cells", "regression"])
def test_the_relative_term_reaches_every_tile_and_its_scales(head_kind: str) -> None:
    torch.manual_seed(0)
    net = MapNet(MapNetConfig(head=head_kind, feature_size=32), TileConfig(), CELLS)
    criterion = criterion_for(net, CriterionConfig())
    drive = torch.tensor([[0.0, 0.0, 0.0], [8.0, 0.0, 0.1], [16.0, 1.0, 0.2]]).repeat(2, 1)
    feature = (torch.rand(6, 32) if head_kind == "regression" else views(12)).requires_grad_()
    plain = criterion(net.head, feature, batch(drive))  # type: ignore[arg-type]
    loss = criterion(net.head, feature, batch(drive, 3)) - plain  # type: ignore[arg-type]
    loss.backward()
    assert torch.isfinite(loss)
    assert feature.grad is not None
    assert (feature.grad[:6].flatten(1).abs().sum(dim=1) > 0).all()
    assert criterion.relative_scales.log_scales.grad is not None
