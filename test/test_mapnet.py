"""MapNet: shapes, heads, criterion on exact cases."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from towns import crossing

from urban_map_loc.config import MapNetConfig, TileConfig
from urban_map_loc.mapnet.cells import NO_CELL, PositionCells, drivable_cells
from urban_map_loc.mapnet.heads import CellsHead
from urban_map_loc.mapnet.network import MapNet

CELLS = np.array([[8.0, 8.0], [24.0, 8.0], [8.0, -8.0], [-40.0, 56.0]])
TILE = TileConfig()


def network(**settings: object) -> MapNet:
    torch.manual_seed(0)
    return MapNet(MapNetConfig(feature_size=32, gate_size=16, **settings), TILE, CELLS).eval()  # type: ignore[arg-type]


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


@given(st.floats(-20.0, 20.0))
def test_a_heading_is_its_bin_and_residual(yaw: float) -> None:
    head = network().head
    assert isinstance(head, CellsHead)
    heading_bin, residual = head.heading_bin(torch.tensor([yaw], dtype=torch.float64))
    back = (heading_bin + residual) * 2 * pi / head.bins
    assert abs(float(residual)) <= 0.5
    assert float(torch.cos(back)) == pytest.approx(np.cos(yaw), abs=1e-6)
    assert float(torch.sin(back)) == pytest.approx(np.sin(yaw), abs=1e-6)


def test_cells_follow_the_roads() -> None:
    area = crossing()
    centres = drivable_cells(area, MapNetConfig())
    cells = PositionCells(centres, 16.0)
    assert (cells.of(centres) == np.arange(len(centres))).all()
    assert cells.of(np.array([[60.0, 0.0]]))[0] != NO_CELL
    assert cells.of(np.array([[60.0, 60.0], [1e5, 0.0], [-1e5, 0.0]])).tolist() == [NO_CELL] * 3
