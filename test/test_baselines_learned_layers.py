# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The layers and losses of the baselines that learn, against cases small enough to work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize
from towns import one_block

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.baselines import resnet50
from urban_map_loc.baselines.googlenet import PoseGoogLeNet
from urban_map_loc.baselines.netvlad_layer import NetVladLayer
from urban_map_loc.baselines.pose_vector import PoseVector
from urban_map_loc.baselines.posenet import beta_loss
from urban_map_loc.baselines.quaternions import conjugate, product, quaternion_of_yaw, rotated, same_side, yaw_of_quaternion
from urban_map_loc.baselines.semantics import BUILDING, FREE, ROAD, AreaSemantics
from urban_map_loc.baselines.sinkhorn import sinkhorn
from urban_map_loc.baselines.triplets import elsewhere, ranking_loss, soft_margin_loss, squared_distances
from urban_map_loc.baselines.vlocnet import motion_between
from urban_map_loc.baselines.vlocnet_network import VLocNetwork
from urban_map_loc.config import RasterConfig, RetrievalConfig, RoadConfig, TileConfig, VLocNetConfig
from urban_map_loc.geometry.pose2 import quaternion_of_yaw as reference_quaternion
from urban_map_loc.mapnet.se2 import relative

ANGLES = st.floats(-3.1, 3.1)


@settings(max_examples=20)
@given(ANGLES, ANGLES)
def test_quaternions_turn_as_angles_do(a: float, b: float) -> None:
    first, second = (quaternion_of_yaw(torch.tensor(yaw, dtype=torch.float64)) for yaw in (a, b))
    x, y, z, w = reference_quaternion(a)
    torch.testing.assert_close(first, torch.tensor([w, x, y, z], dtype=torch.float64))
    both = float(yaw_of_quaternion(3.0 * product(first, second)))  # of whatever length
    assert math.cos(both - a - b) == pytest.approx(1.0)
    torch.testing.assert_close(product(first, conjugate(first)), torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64))
    turned = rotated(torch.tensor([2.0, 0.0, 5.0], dtype=torch.float64), first)
    torch.testing.assert_close(turned, torch.tensor([2.0 * math.cos(a), 2.0 * math.sin(a), 5.0], dtype=torch.float64))


def test_of_two_quaternions_that_mean_one_rotation_the_nearer_is_taken() -> None:
    q = quaternion_of_yaw(torch.tensor([0.5, -2.0]))
    torch.testing.assert_close(same_side(torch.stack([-q[0], q[1]]), q), q)


def test_a_pose_becomes_a_vector_and_comes_back() -> None:
    vector = PoseVector(np.array([[0.0, 0.0], [0.0, 200.0], [200.0, 0.0], [200.0, 200.0]]))
    assert vector.mean.tolist() == [100.0, 100.0]
    assert float(vector.spread_m) == pytest.approx(100.0)
    poses = torch.tensor([[150.0, -20.0, 3.0], [100.0, 100.0, -1.0]])
    position, quaternion = vector.of(poses)
    torch.testing.assert_close(position, torch.tensor([[0.5, -1.2, 0.0], [0.0, 0.0, 0.0]]))
    torch.testing.assert_close(vector.poses(position, 2.0 * quaternion), poses)


def test_motion_between_two_answers_is_that_between_their_poses() -> None:
    vector = PoseVector(np.array([[0.0, 0.0], [300.0, 100.0]]))
    before, now = torch.tensor([[10.0, 20.0, 2.5], [50.0, 60.0, -0.3]]), torch.tensor([[14.0, 26.0, -2.9], [57.0, 60.0, 0.1]])
    position, quaternion = motion_between(vector.of(before), vector.of(now))
    wanted_position, wanted_quaternion = vector.of_motion(relative(before, now))
    torch.testing.assert_close(position, wanted_position, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(same_side(quaternion, wanted_quaternion), wanted_quaternion, atol=1e-5, rtol=1e-4)


def test_the_beta_loss_by_hand() -> None:
    truth = torch.zeros(2, 3), torch.tensor([[1.0, 0.0, 0.0, 0.0]] * 2)
    answers = torch.tensor([[3.0, 4.0, 0.0, 5.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1]])
    # 5 m off and turned by nothing; at the place and turned by half a turn: quaternions of length 1 are then sqrt 2 apart.
    assert float(beta_loss(answers, *truth, beta=10.0)) == pytest.approx((5.0 + 10.0 * math.sqrt(2.0)) / 2.0)


def test_transport_is_doubly_stochastic_and_finds_what_is_cheap() -> None:
    cost = torch.rand(3, 7, 7, generator=torch.Generator().manual_seed(0)) * 3.0
    plan = sinkhorn(cost, sharpness=2.0, iterations=200)
    torch.testing.assert_close(plan.sum(dim=1), torch.ones(3, 7), atol=1e-3, rtol=0.0)
    torch.testing.assert_close(plan.sum(dim=2), torch.ones(3, 7), atol=1e-3, rtol=0.0)
    assert bool((plan >= 0.0).all())
    order = torch.tensor([2, 0, 1])
    cheap = torch.ones(1, 3, 3).index_put((torch.zeros(3, dtype=torch.long), torch.arange(3), order), torch.zeros(3))
    torch.testing.assert_close(sinkhorn(cheap, 100.0, 20)[0], torch.eye(3)[order])
    torch.testing.assert_close(sinkhorn(torch.full((1, 4, 4), 9.0), 1.0, 1)[0], torch.full((4, 4), 0.25))


def test_the_gradient_of_transport_is_right() -> None:
    cost = torch.rand(2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: sinkhorn(c, 5.0, 10), (cost,))


def test_netvlad_shares_each_feature_among_the_centres() -> None:
    torch.manual_seed(0)
    layer = NetVladLayer(features=5, centres=4)
    features = normalize(torch.randn(2, 5, 3, 3), dim=1)
    torch.testing.assert_close(layer.assignment(features).sum(dim=1), torch.ones(2, 9))
    torch.testing.assert_close(torch.linalg.vector_norm(layer(features), dim=1), torch.ones(2))


def test_netvlad_with_hard_assignments_is_vlad() -> None:
    layer = NetVladLayer(features=2, centres=2)
    centres = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    features = torch.tensor([[0.8, 0.6], [0.6, 0.8], [0.28, 0.96]])
    layer.start_at(centres, features)
    with torch.no_grad():  # alpha a hundred times as large: softer than nothing
        layer.assign.weight *= 100.0
        layer.assign.bias *= 100.0  # type: ignore[operator]
    # The first feature is the first centre's, the others the second's: residuals (-0.2, 0.6) and (0.6 + 0.28, -0.2 - 0.04).
    wanted = torch.cat([normalize(torch.tensor([[-0.2, 0.6]])), normalize(torch.tensor([[0.88, -0.24]]))], dim=1) / math.sqrt(2.0)
    torch.testing.assert_close(layer(features.T[None, :, :, None]), wanted)


def test_netvlad_begins_with_the_preference_of_its_paper() -> None:
    layer = NetVladLayer(features=1, centres=2)
    features = torch.tensor([[0.25]])
    layer.start_at(torch.tensor([[0.0], [1.0]]), features)
    share = layer.assignment(features[:, :, None, None]).flatten()
    assert float((share[0] / share[1]).detach()) == pytest.approx(100.0, rel=1e-4)


def test_negatives_are_far_away_or_turned() -> None:
    here = torch.zeros(1, 3)
    others = torch.tensor([[0.0, 5.0, 0.1], [0.0, 30.0, 0.0], [1.0, 0.0, math.pi], [1.0, 1.0, 2.0 * math.pi]])
    assert elsewhere(here, others, RetrievalConfig()).tolist() == [[False, True, True, False]]


def test_the_ranking_loss_by_hand() -> None:
    distances = torch.tensor([[0.5, 0.55, 0.3, 2.0], [1.0, 0.1, 1.0, 0.15], [0.0, 0.0, 0.0, 0.0], [3.0, 3.0, 3.0, 0.0]])
    negative = ~torch.eye(4, dtype=torch.bool)
    negative[2] = False  # has no negatives, and costs nothing
    first = (0.5 + 0.1 - 0.3) + (0.5 + 0.1 - 0.55)
    second = 0.1 + 0.1 - 0.15
    assert float(ranking_loss(distances, negative, margin=0.1, hardest=2)) == pytest.approx((first + second) / 4.0)
    assert float(ranking_loss(distances, negative, margin=0.1, hardest=1)) == pytest.approx((0.3 + second) / 4.0)


def test_the_soft_margin_loss_by_hand() -> None:
    distances = torch.tensor([[0.1, 0.5], [0.4, 0.2]])

    def soft(own: float, other: float) -> float:
        return math.log1p(math.exp(10.0 * (own - other)))

    wanted = (soft(0.1, 0.5) + soft(0.2, 0.4) + soft(0.1, 0.4) + soft(0.2, 0.5)) / 4.0
    negative = ~torch.eye(2, dtype=torch.bool)
    assert float(soft_margin_loss(distances, negative, 10.0)) == pytest.approx(wanted)
    assert float(soft_margin_loss(distances, negative & False, 10.0)) == 0.0
    torch.testing.assert_close(squared_distances(torch.eye(2), torch.eye(2)), torch.tensor([[0.0, 2.0], [2.0, 0.0]]))


def test_labels_are_the_map_under_the_tile() -> None:
    area = one_block()  # a block 10 to 18 m east of a road along north
    tile = TileConfig(size_px=64)
    buildings, roads = BuildingRaster.from_area(area, RasterConfig()), RoadRaster.from_area(area, RasterConfig(), RoadConfig())
    semantics = AreaSemantics(buildings, roads, tile, 2)
    labels = semantics.labels(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, np.pi / 2], [500.0, 0.0, 0.0]]))
    assert labels.shape == (3, 32, 32)
    # Facing east: 14 m ahead is the block, the road crosses under the car from left to right. A pixel is 2 m, row 0 the farthest ahead.
    assert labels[0, 16 - 7, 16] == BUILDING
    assert (labels[0, 16, [2, 16, 29]] == ROAD).all()
    assert labels[0, 16 + 7, 16] == FREE
    # Facing north: the block is to the right, and the road lies ahead.
    assert labels[1, 16, 16 + 7] == BUILDING
    assert (labels[1, [2, 16, 29], 16] == ROAD).all()
    assert (labels[2] == FREE).all()  # off the map


def test_googlenet_asks_its_auxiliary_regressors_in_training_only() -> None:
    network = PoseGoogLeNet(1, 32, 0.0)
    tiles = torch.zeros(2, 32, 32, dtype=torch.uint8)
    assert [a.shape for a in network.train()(tiles)] == [(2, 7)] * 3
    assert [a.shape for a in network.eval()(tiles)] == [(2, 7)]


def test_resnet50_has_fifty_layers_and_their_widths() -> None:
    stages = [resnet50.first_stage(1, 64), *(resnet50.stage(number, 64) for number in (2, 3, 4, 5))]
    weighted = [m for s in stages for n, m in s.named_modules() if isinstance(m, torch.nn.Conv2d) and "shortcut" not in n]
    assert len(weighted) + 1 == 50  # and the last, which classifies
    picture = torch.zeros(1, 1, 64, 64)
    shapes = []
    for stage in stages:
        picture = stage.eval()(picture)
        shapes.append(tuple(picture.shape[1:]))
    assert shapes == [(64, 16, 16), (256, 16, 16), (512, 8, 8), (1024, 4, 4), (2048, 2, 2)]
    assert not any(isinstance(m, torch.nn.ReLU) for s in stages for m in s.modules())


def test_vlocnet_labels_every_pixel_of_its_picture() -> None:
    network = VLocNetwork(1, VLocNetConfig(feature_size=16, width=8)).eval()
    seen = network.see(torch.zeros(1, 96, 96, dtype=torch.uint8))
    assert network.semantics(seen).shape == (1, 3, 48, 48)
    assert [t.shape[1] for t in (*network.locate(seen.stage4, seen.stage4), *network.moved(seen.stage3, seen.stage3))] == [3, 4, 3, 4]
