# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which points are taken for buildings: a made-up street, and labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from urban_map_loc.cloud.cloud import BUILDING, GROUND, OTHER, Cloud
from urban_map_loc.cloud.extraction import building_mask, point_kinds, road_mask
from urban_map_loc.config import CloudConfig
from urban_map_loc.errors import CloudError

GEOMETRIC = CloudConfig(kind="geometric")
STEP = 0.15


def grid(*axes: tuple[float, float]) -> list[NDArray[np.float64]]:
    """Flattened coordinates of a regular grid with about `STEP` between points."""
    lines = [np.linspace(a, b, max(1, int(abs(b - a) / STEP)) + 1) if a != b else np.array([a]) for a, b in axes]
    return [c.ravel() for c in np.meshgrid(*lines, indexing="ij")]


def block(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> NDArray[np.float64]:
    return np.stack(grid(x, y, z), axis=-1)


FLOOR = block((-40, 40), (-20, 20), (0, 0))
WALL = block((-10, 15), (8, 8), (0, 5))
LOW_WALL = block((-10, 15), (-8, -8), (0, 1.2))
VAN = np.concatenate([block((4, 6), (-3, -3), (0.3, 1.5)), block((4, 6), (-4.8, -4.8), (0.3, 1.5))])
POLE = block((-6, -5.8), (5, 5.2), (0, 6))
WIRE = block((-20, 20), (-1, -1), (5.5, 5.5))


def tree(x: float, y: float) -> NDArray[np.float64]:
    rng = np.random.default_rng(3)
    return np.array([x, y, 2.5]) + rng.uniform(-1.0, 1.0, (3000, 3)) * np.array([2.0, 2.0, 2.0])


def street(height: float = 0.0, slope: float = 0.0) -> tuple[Cloud, NDArray[np.bool_]]:
    """A street with one wall; True for the wall's points well above the ground. `height` of the ground [m], `slope` along x."""
    others = np.concatenate([FLOOR, LOW_WALL, VAN, POLE, WIRE, tree(-15, 6), tree(20, -6)])
    points = np.concatenate([others, WALL])
    wall = np.arange(len(points)) >= len(others)
    wall &= points[:, 2] > 0.5
    points[:, 2] += height + slope * points[:, 0]
    return Cloud(0.0, points.astype(np.float32)), wall


@pytest.mark.parametrize(("height", "slope"), [(0.0, 0.0), (-1.73, 0.0), (0.0, 0.1), (-2.5, -0.12)])
def test_the_wall_is_found_and_nothing_else(height: float, slope: float) -> None:
    cloud, wall = street(height, slope)
    mask = building_mask(cloud, GEOMETRIC)
    assert mask[wall].mean() > 0.95
    assert not (mask & ~wall & (cloud.points[:, 1] < 7.0)).any()


@pytest.mark.parametrize("yaw", [0.3, 1.0, 2.5])
def test_the_wall_is_found_from_any_heading(yaw: float) -> None:
    cloud, wall = street()
    c, s = np.cos(yaw), np.sin(yaw)
    turned = cloud.points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)
    mask = building_mask(Cloud(0.0, turned), GEOMETRIC)
    assert mask[wall].mean() > 0.9


def test_order_of_points_does_not_matter() -> None:
    cloud, _ = street()
    order = np.random.default_rng(0).permutation(len(cloud.points))
    mask = building_mask(cloud, GEOMETRIC)
    shuffled = building_mask(Cloud(0.0, cloud.points[order]), GEOMETRIC)
    assert (mask[order] != shuffled).mean() < 1e-3


def test_points_outside_the_range_are_no_building() -> None:
    cloud, wall = street()
    mask = building_mask(cloud, GEOMETRIC, range_m=10.0)
    assert mask[wall & (np.abs(cloud.points[:, 0]) < 8.0)].mean() > 0.9
    assert not mask[np.abs(cloud.points[:, 0]) > 10.0].any()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(allow_nan=False, allow_infinity=False, width=32) | st.sampled_from([50.0, -50.0, 49.999996, 0.0])] * 3),
        max_size=30,
    ),
    st.sampled_from([10.0, 33.3, 50.0]),
)
def test_any_finite_points_are_survived(points: list[tuple[float, float, float]], range_m: float) -> None:
    cloud = Cloud(0.0, np.array(points, np.float32).reshape(-1, 3))
    assert building_mask(cloud, GEOMETRIC, range_m).shape == (len(points),)


def test_labels() -> None:
    label = np.array([50, 70, 50 + (7 << 16), 52])
    cloud = Cloud(0.0, np.zeros((4, 3), np.float32), label)
    for kind in ("auto", "labels"):
        assert building_mask(cloud, CloudConfig(kind=kind)).tolist() == [True, False, True, False]
    assert building_mask(cloud, CloudConfig(building_labels=(52, 70))).tolist() == [False, True, False, True]
    assert not building_mask(cloud, GEOMETRIC).any()


def test_labels_asked_for_but_missing() -> None:
    with pytest.raises(CloudError, match="no field label"):
        building_mask(Cloud(0.0, np.zeros((4, 3), np.float32)), CloudConfig(kind="labels"))


def test_road_labels() -> None:
    label = np.array([40, 44 + (3 << 16), 60, 48, 50, 40])
    points = np.zeros((6, 3), np.float32)
    points[:, 0] = [5, 6, 7, 8, 9, 60]
    cloud = Cloud(0.0, points, label)
    assert road_mask(cloud, CloudConfig()).tolist() == [True, True, True, False, False, False]
    assert road_mask(cloud, CloudConfig(road_labels=(48,))).tolist() == [False, False, False, True, False, False]
    assert point_kinds(cloud, CloudConfig()).tolist() == [GROUND, GROUND, GROUND, GROUND, BUILDING, OTHER]


def test_classes_wider_than_semantickittis() -> None:
    cloud = Cloud(0.0, np.zeros((2, 3), np.float32), np.array([70_000, 70_000 & 0xFFFF]))
    assert building_mask(cloud, CloudConfig(building_labels=(70_000,), label_bits=0xFFFFFF)).tolist() == [True, False]
