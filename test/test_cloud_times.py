# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""When points were measured: every driver's way of saying it gives the same offsets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cloud_decode import TYPES, columns_of, message

from urban_map_loc.cloud.decode import decode
from urban_map_loc.cloud.times import point_offsets
from urban_map_loc.config import CloudConfig
from urban_map_loc.errors import CloudError

STAMP_S = 12.5  # of `message`
SWEEP_S = np.array([0.0, 0.025, 0.05, 0.1])
POINTS = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("name", "kind", "values", "expected"),
    [
        ("t", "u4", SWEEP_S * 1e9, SWEEP_S),  # Ouster
        ("time", "f4", SWEEP_S, SWEEP_S),  # Velodyne, stamped with the first packet
        ("time", "f4", SWEEP_S - 0.1, SWEEP_S - 0.1),  # and with the last
        ("timestamp", "f8", STAMP_S + SWEEP_S, SWEEP_S),  # Hesai, RoboSense
        ("timestamp", "f8", (STAMP_S + SWEEP_S - 0.1) * 1e9, SWEEP_S - 0.1),  # Livox
        ("offset_time", "u4", SWEEP_S * 1e9, SWEEP_S),  # Livox, as in its own message
        ("offset", "i4", SWEEP_S * 1e6, SWEEP_S),
        ("t", "u2", SWEEP_S * 1e3, SWEEP_S),
        ("timestamp", "f8", 1.7e9 + SWEEP_S, SWEEP_S),  # a clock of its own: begins at the stamp
        ("timestamp", "f8", 4e5 + SWEEP_S[::-1], SWEEP_S[::-1]),
    ],
)
def test_drivers(name: str, kind: str, values: Any, expected: Any) -> None:
    assert kind in TYPES
    for order in "<>":
        cloud = decode(message(columns_of(POINTS) | {name: values}, kinds={name: kind}, order=order))
        assert cloud.offset_s is not None
        assert cloud.offset_s.dtype == np.float32
        np.testing.assert_allclose(cloud.offset_s, expected, atol=1e-6)


def test_times_stay_with_their_points() -> None:
    points = POINTS.copy()
    points[1, 2] = np.nan
    cloud = decode(message(columns_of(points) | {"time": SWEEP_S}))
    np.testing.assert_allclose(cloud.offset_s, SWEEP_S[[0, 2, 3]])


@pytest.mark.parametrize("values", [np.zeros(4), np.full(4, 1.7e9), SWEEP_S / 1000.0])
def test_one_time_for_all_needs_no_correction(values: Any) -> None:
    assert decode(message(columns_of(POINTS) | {"time": values}, kinds={"time": "f8"})).offset_s is None


def test_settings() -> None:
    told = message(columns_of(POINTS) | {"t": np.arange(4) * 1e-4, "when": SWEEP_S})
    np.testing.assert_allclose(decode(told, CloudConfig(time_fields=("when", "t"))).offset_s, SWEEP_S)
    assert decode(told, CloudConfig(time_fields=())).offset_s is None
    assert decode(told, CloudConfig(time_fields=("when",), deskew=False)).offset_s is None
    milliseconds = decode(message(columns_of(POINTS) | {"t": SWEEP_S * 1e3}), CloudConfig(time_unit="ms"))
    np.testing.assert_allclose(milliseconds.offset_s, SWEEP_S, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0.0, 1.0, np.nan, 2.0], "field time holds times that are not finite"),
        ([0.0, np.inf, 0.1, 0.2], "not finite"),
        ([0.0, 1.0, 2.0, 1e12], r"spans 1e\+12, which is no sweep's duration"),
        ([-1e30, 1.0, 2.0, 1e30], "no sweep's duration"),
    ],
)
def test_nonsense_says_so_and_can_be_switched_off(values: Any, reason: str) -> None:
    bad = message(columns_of(POINTS) | {"time": values}, kinds={"time": "f8"})
    with pytest.raises(CloudError, match=reason):
        decode(bad)
    assert len(decode(bad, CloudConfig(deskew=False)).points) == 4


@given(
    sweep_s=st.floats(0.003, 0.45),
    unit=st.sampled_from([1.0, 1e3, 1e6, 1e9]),
    begin_s=st.sampled_from([0.0, -0.1, -0.45]),
    backwards=st.booleans(),
)
def test_units_are_told_from_the_sweep(sweep_s: float, unit: float, begin_s: float, backwards: bool) -> None:
    offsets = begin_s + np.linspace(0.0, sweep_s, 9)[:: -1 if backwards else 1]
    found = point_offsets(offsets * unit, STAMP_S, "t")
    np.testing.assert_allclose(found, offsets, atol=1e-6)
    same_clock = point_offsets((STAMP_S + offsets) * unit, STAMP_S, "t")
    np.testing.assert_allclose(same_clock, offsets, atol=1e-6)
