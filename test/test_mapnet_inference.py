# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Inference answers as the network does, on every device, and needs no look at values on the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from urban_map_loc.config import BUILDINGS_AND_ROADS, MapNetConfig, TileConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.inference import Inference, Ranking, choose_device, fold_batch_norms
from urban_map_loc.mapnet.network import MapNet

CELLS = np.array([[8.0, 8.0], [24.0, 8.0], [8.0, -8.0], [-40.0, 56.0]])
TILE = TileConfig(size_px=32)
NETWORKS = [(preset, head) for preset in ("small", "resnet34") for head in ("cells", "regression")]
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that this PyTorch can use")


def network(preset: str, head: str, tile: TileConfig = TILE) -> MapNet:
    """Untrained, but its batch norms have seen something, so that folding them matters."""
    torch.manual_seed(0)
    net = MapNet(MapNetConfig(preset=preset, head=head, feature_size=16), tile, CELLS, np.column_stack([CELLS, np.arange(4.0)]))
    shape = (8, tile.size_px, tile.size_px) if tile.planes == 1 else (8, tile.planes, tile.size_px, tile.size_px)
    with torch.no_grad():
        for _ in range(3):
            view = net.feature((torch.rand(shape) < 0.1).byte())
        if isinstance(net.head, CellsHead):
            net.head.references.copy_(view[:4].flatten(1))
            net.head.log_sharpness.fill_(7.0)  # as if trained: views differ clearly
    return net.eval()


def tiles(count: int, tile: TileConfig = TILE) -> np.ndarray:
    shape = (count, 32, 32) if tile.planes == 1 else (count, 2, 32, 32)
    return (np.random.default_rng(1).random(shape) < 0.15).astype(np.uint8)


def assert_alike(found: Hypotheses, wanted: Hypotheses, nats: float, metres: float) -> None:
    np.testing.assert_allclose(found.log_probability, wanted.log_probability, atol=nats)
    np.testing.assert_allclose(found.poses[0], wanted.poses[0], atol=metres)
    np.testing.assert_allclose(found.region[0], wanted.region[0], atol=metres)
    np.testing.assert_allclose(found.covariance[0], wanted.covariance[0], rtol=1e-2, atol=metres)


@pytest.mark.parametrize(("preset", "head"), NETWORKS)
@pytest.mark.parametrize("tile", [TILE, TileConfig(size_px=32, channels=BUILDINGS_AND_ROADS)], ids=["buildings", "roads"])
def test_on_the_processor_it_answers_as_the_network(preset: str, head: str, tile: TileConfig) -> None:
    net = network(preset, head, tile)
    inference = Inference(net, torch.device("cpu"))
    for seen in tiles(4, tile):
        for count in (4, 1):
            assert_alike(inference.hypotheses(seen, count), net.hypotheses(seen, count), 1e-3, 1e-3)


def test_the_network_itself_stays_as_it_was() -> None:
    net = network("small", "cells")
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    Inference(net, torch.device("cpu"))
    assert net.state_dict().keys() == before.keys()
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0.0, atol=0.0)


@pytest.mark.parametrize("preset", ["small", "resnet34"])
def test_no_batch_norm_is_left_after_folding(preset: str) -> None:
    trunk = network(preset, "cells").trunk
    assert any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in trunk.modules())
    fold_batch_norms(trunk)
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in trunk.modules())


def test_a_norm_that_follows_no_convolution_is_left_alone() -> None:
    torch.manual_seed(0)
    odd = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)).eval()
    odd[2].running_mean.fill_(0.3)
    odd[4].running_var.fill_(4.0)
    image = torch.randn(1, 1, 8, 8)
    with torch.inference_mode():
        wanted = odd(image)
        fold_batch_norms(odd)
        torch.testing.assert_close(odd(image), wanted)
    assert [isinstance(module, nn.BatchNorm2d) for module in odd] == [False, False, True, False, False]


@pytest.mark.parametrize(("preset", "head"), NETWORKS)
def test_a_trunk_in_half_precision_answers_nearly_alike(preset: str, head: str) -> None:
    """What runs on a GPU, run here: the trunk alone is of half precision, the head knows metres."""
    net = network(preset, head)
    ranking = Ranking(net, 4)
    ranking.network.trunk.half()
    with torch.inference_mode():
        for seen in tiles(3):
            found = Hypotheses.from_tensors(*ranking(torch.from_numpy(seen)[None]))
            assert_alike(found, net.hypotheses(seen, 4), 0.1, 0.2)


@pytest.mark.parametrize(("preset", "head"), NETWORKS)
def test_an_answer_needs_no_look_at_values(preset: str, head: str) -> None:
    """Tensors without values (meta) get through: nothing waits for the device, so that a CUDA graph can record it."""
    ranking = Ranking(network(preset, head), 3).to("meta")
    poses, log_probability, region, covariance = ranking(torch.zeros(1, 32, 32, dtype=torch.uint8, device="meta"))
    count = 3 if head == "cells" else 1
    assert (poses.shape, log_probability.shape, region.shape, covariance.shape) == ((count, 3), (count,), (count, 4), (count, 3, 3))


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigurationError, match="sees no GPU; use device auto or cpu"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    assert choose_device("cpu") == torch.device("cpu")


@GPU
@pytest.mark.parametrize(("preset", "head"), NETWORKS)
def test_on_a_gpu_it_answers_nearly_as_on_the_processor(preset: str, head: str) -> None:
    net = network(preset, head)
    inference = Inference(net, torch.device("cuda"))
    for seen in tiles(5):
        for count in (4, 4, 2):  # recorded, replayed, recorded anew
            assert_alike(inference.hypotheses(seen, count), net.hypotheses(seen, count), 0.1, 0.2)
