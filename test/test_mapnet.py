# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""MapNet: shapes, heads, criterion on exact cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from towns import crossing

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.config import MapNetConfig, RasterConfig, TileConfig
from urban_map_loc.geometry.pose2 import wrap_angle
from urban_map_loc.mapnet.cells import NO_CELL, PositionCells, drivable_cells
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.mapnet.polar import polar_bins
from urban_map_loc.mapnet.references import fill_references, reference_poses
from urban_map_loc.tile.from_map import MapRenderer

CELLS = np.array([[8.0, 8.0], [24.0, 8.0], [8.0, -8.0], [-40.0, 56.0]])
TILE = TileConfig()


def network(**settings: object) -> MapNet:
    torch.manual_seed(0)
    references = np.column_stack([CELLS, np.zeros(len(CELLS))])
    return MapNet(MapNetConfig(feature_size=32, **settings), TILE, CELLS, references).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("preset", ["small", "resnet34"])
@pytest.mark.parametrize("head", ["cells", "regression"])
def test_every_preset_and_head_ranks_poses(preset: str, head: str) -> None:
    found = network(preset=preset, head=head).hypotheses(np.zeros((96, 96), dtype=np.uint8), 3)
    assert len(found) == (3 if head == "cells" else 1)
    assert np.isfinite(found.poses).all()
    assert (np.diff(found.log_probability) <= 0).all()
    assert (found.region[:, 2:] > found.region[:, :2]).all()


def test_probabilities_of_all_cells_sum_to_one() -> None:
    found = network().hypotheses(np.ones((96, 96), dtype=np.uint8), 99)
    assert len(found) == len(CELLS)
    assert np.exp(found.log_probability).sum() == pytest.approx(1.0, abs=1e-5)


def test_views_have_length_one_and_turn_with_the_car() -> None:
    tile = np.zeros((96, 96), dtype=np.uint8)
    tile[20, 10:60] = tile[30:70, 80] = tile[60, 60:63] = 1
    turned = np.ascontiguousarray(np.rot90(tile, -1))  # the car turns left by a quarter: what was left of it is now ahead
    with torch.inference_mode():
        view, after = awake(network()).feature(torch.from_numpy(np.stack([tile, turned])))
    assert float(view.norm()) == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(after, torch.roll(view, -4, dims=1), rtol=1e-3, atol=1e-3)
    assert float((after - view).norm()) > 0.1


def test_polar_bins_look_where_they_say() -> None:
    directions, rings = 128, 32
    bins = polar_bins(directions, rings, TILE).reshape(directions, rings, -1)
    row, column = bins // TILE.size_px, bins % TILE.size_px
    assert (row[0] < 48).all()  # ahead
    assert (column[32] < 48).all()  # left
    assert row[0, -1].max() <= 1
    assert (abs(row[64] - 48) <= abs(95 - 48)).all()
    assert row[64, -1].min() >= 93


def awake(net: MapNet) -> MapNet:
    """With batch norms that have seen tiles: without, all views are nearly alike."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train().feature(torch.from_numpy(random_tiles(16)))
    return net.eval()


def comparing(*reference_poses: tuple[float, float, float]) -> MapNet:
    """A network whose references are views of random walls, from poses."""
    torch.manual_seed(0)
    net = awake(MapNet(MapNetConfig(), TILE, CELLS, np.array(reference_poses)))
    assert isinstance(net.head, CellsHead)
    with torch.inference_mode():
        net.head.references.copy_(net.feature(torch.from_numpy(random_tiles(len(reference_poses)))).flatten(1))
    return net


def random_tiles(count: int) -> np.ndarray:
    return (np.random.default_rng(1).random((count, 96, 96)) < 0.03).astype(np.uint8)


def test_a_view_is_found_where_and_as_its_reference_was_taken() -> None:
    poses = [(8.0, 8.0, 0.3), (26.0, 10.0, -2.0), (12.0, -6.0, 1.0), (-40.0, 56.0, 3.0)]
    net = comparing(*poses)
    with torch.no_grad():
        net.head.log_sharpness.fill_(6.0)  # type: ignore[union-attr]
    for tile, pose in zip(random_tiles(4), poses, strict=True):
        best = net.hypotheses(tile, 1)
        np.testing.assert_allclose(best.poses[0], pose, atol=1e-3)
        left = net.hypotheses(np.ascontiguousarray(np.rot90(tile, -1)), 1)
        np.testing.assert_allclose(left.poses[0, :2], pose[:2], atol=1e-3)
        assert wrap_angle(left.poses[0, 2] - pose[2]) == pytest.approx(np.pi / 2, abs=0.05)


def test_a_cell_is_as_probable_as_its_references_together() -> None:
    net = comparing((8.0, 8.0, 0.0), (9.0, 8.0, 0.5), (24.0, 8.0, 0.0))
    head = net.head
    assert isinstance(head, CellsHead)
    with torch.inference_mode():
        view = net.feature(torch.from_numpy(random_tiles(3)))
        likeness, logits = head.reference_logits(view)[0], head.logits(view)
    torch.testing.assert_close(logits[:, 0], torch.logsumexp(likeness[:, :2].flatten(1), dim=1))
    torch.testing.assert_close(logits[:, 1], torch.logsumexp(likeness[:, 2], dim=1))
    assert (logits[:, 2:] < logits[:, :2].min(dim=1, keepdim=True).values - 10.0).all()


def test_references_lie_along_roads_in_the_order_of_cells() -> None:
    area, config = crossing(), MapNetConfig()
    cells = PositionCells(drivable_cells(area, config), config.cell_size_m)
    poses = reference_poses(area, config, cells)
    assert (np.diff(cells.of(poses[:, :2])) >= 0).all()
    assert np.isclose(np.abs(poses[:, :2]), config.reference_lateral_m).any(axis=1).all()
    both_ways = reference_poses(area, replace(config, preset="resnet34"), cells)
    assert len(both_ways) == 2 * len(poses)


def test_references_are_what_the_network_makes_of_the_map() -> None:
    area, config = crossing(), MapNetConfig()
    cells = PositionCells(drivable_cells(area, config), config.cell_size_m)
    net = MapNet(config, TILE, cells.centres, reference_poses(area, config, cells))
    renderer = MapRenderer(BuildingRaster.from_area(area, RasterConfig()), TILE)
    fill_references(net, renderer)
    assert isinstance(net.head, CellsHead)
    with torch.inference_mode():
        own = net.feature(torch.from_numpy(renderer.tiles(net.head.reference_poses[5:6].double().numpy())))
    torch.testing.assert_close(net.head.references[5], own[0].flatten(), rtol=1e-2, atol=1e-3)


def test_cells_follow_the_roads() -> None:
    area = crossing()
    centres = drivable_cells(area, MapNetConfig())
    cells = PositionCells(centres, 16.0)
    assert (cells.of(centres) == np.arange(len(centres))).all()
    assert cells.of(np.array([[60.0, 0.0]]))[0] != NO_CELL
    assert cells.of(np.array([[60.0, 60.0], [1e5, 0.0], [-1e5, 0.0]])).tolist() == [NO_CELL] * 3
