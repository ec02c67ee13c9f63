# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is late and what is a new beginning: stamp by stamp."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urban_map_loc.ros.chronology import Chronology, Order

NEW, OLD, RESTART = Order.NEW, Order.OLD, Order.RESTART


@pytest.mark.parametrize(
    ("stamps", "orders"),
    [
        ([1.0, 1.1, 1.1, 1.05, 1.2], [NEW, NEW, OLD, OLD, NEW]),
        ([100.0, 0.0, 100.1], [NEW, OLD, NEW]),  # one stamp of 0 is a slip
        ([100.0, 0.0, 0.1, 0.2], [NEW, OLD, RESTART, NEW]),
        ([100.0, 0.0, 50.0, 50.1], [NEW, OLD, OLD, RESTART]),
        ([100.0, 1e9, 100.1], [NEW, OLD, NEW]),
        ([100.0, 110.0, 110.1, 110.2], [NEW, OLD, NEW, NEW]),  # odometry that paused goes on
    ],
)
def test_odometry(stamps, orders):
    chronology = Chronology(1.0)
    assert [chronology.odometry(s) for s in stamps] == orders


@pytest.mark.parametrize(
    ("messages", "orders"),
    [
        ([("o", 100.0), ("c", 100.0), ("o", 1.0), ("c", 1.0), ("c", 1.1)], [NEW, NEW, OLD, RESTART, NEW]),
        ([("o", 100.0), ("c", 100.0), ("c", 1.0), ("o", 1.0), ("c", 1.1)], [NEW, NEW, OLD, RESTART, NEW]),
        # Clouds alone never begin anew: late, repeated, or of the future.
        ([("o", 100.0), ("c", 100.0), ("c", 1.0), ("c", 1.1), ("o", 100.1), ("c", 100.1)], [NEW, NEW, OLD, OLD, NEW, NEW]),
        ([("o", 100.0), ("c", 100.0), ("c", 100.0), ("c", 99.9)], [NEW, NEW, OLD, OLD]),
        ([("o", 100.0), ("c", 1e9), ("c", 100.0)], [NEW, NEW, NEW]),
        # A lidar whose stamps are three seconds late from the beginning is no new beginning.
        ([("o", 100.0), ("c", 97.0), ("o", 100.1), ("c", 97.1)], [NEW, NEW, NEW, NEW]),
    ],
)
def test_clouds_and_odometry(messages, orders):
    chronology = Chronology(1.0)
    assert [chronology.odometry(s) if topic == "o" else chronology.cloud(s) for topic, s in messages] == orders


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=30))
def test_two_of_a_new_time_are_always_enough(before):
    chronology = Chronology(1.0)
    for stamp_s in before:
        chronology.odometry(stamp_s)
    newest_s = chronology.newest_s
    orders = [chronology.odometry(stamp_s) for stamp_s in (2e6, 2e6 + 0.1)]
    assert chronology.newest_s == 2e6 + 0.1 > newest_s
    assert RESTART not in orders
    assert [chronology.odometry(-5.0), chronology.odometry(-4.9)] == [OLD, RESTART]
    assert chronology.went_back_s == pytest.approx(2e6 + 5.0, abs=1.0)
