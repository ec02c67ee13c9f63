# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Bad clouds, all the way to the localizer's answer: a reason each, no crash, and no more memory than the message is worth."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from drives import straight, untrained
from hypothesis import given
from hypothesis import strategies as st
from test_cloud_decode import TYPES, columns_of, message
from towns import crossing

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.decode import decode
from urban_map_loc.cloud.intake import CloudIntake
from urban_map_loc.cloud.scan import scan_of_cloud
from urban_map_loc.config import BUILDINGS_AND_ROADS, CloudConfig, LocalizerConfig, NodeConfig, TileConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.result import LocalizationResult

T = TypeVar("T")
INTAKE = CloudIntake(NodeConfig(cloud_frames=("velodyne",)), CloudConfig())
# Of what a message holds, the most that decoding may need: from one-byte coordinates to floats, with a label and a time of 8 bytes each
# and as much again on the way.
MOST_TIMES, MOST_BESIDES = 48, 100_000


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    """Standing at a crossing since before the clouds' stamp, 12.5 s."""
    area = crossing()
    made = Localizer.of_area(area, untrained(area), LocalizerConfig())
    for stamp_s in np.arange(10.0, 13.0, 0.1):
        made.add_odometry(float(stamp_s), Pose2.identity())
    return made


def answer(localizer: Localizer, cloud_message: Any) -> LocalizationResult:
    """As the node and `localize` do it."""
    try:
        return localizer.add_cloud(INTAKE.take(cloud_message))
    except CloudError as error:
        return localizer.skip(12.5, str(error))


def told(made: Callable[[], T]) -> tuple[T | None, str]:
    """What is made, or the reason why it is not."""
    try:
        return made(), ""
    except CloudError as error:
        return None, str(error)


def some(points: Any, **more: Any) -> Any:
    return message(columns_of(points) | more)


def spoilt(**changes: Any) -> Any:
    good = some(np.random.default_rng(0).uniform(-20.0, 20.0, (50, 3)))
    vars(good).update(changes)
    return good


WALLS = np.concatenate([moment.cloud.points for moment in straight(crossing(), Pose2(-70.0, -1.0, 0.0), 0.5)])
LACED = np.where(np.arange(len(WALLS))[:, None] % 3 == 0, np.nan, WALLS)
ONE_BYTE = {**dict.fromkeys("xyz", "i1"), "label": "i1", "t": "u2"}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (spoilt(width=0), "cloud is empty"),
        (spoilt(data=b""), "truncated: 0 bytes"),
        (some([[np.nan] * 3] * 40), "none of the 40 points is finite"),
        (some([[np.inf, -np.inf, np.nan]] * 40), "none of the 40 points is finite"),
        (some([[1.0, 2.0, 3.0]]), "only 0 building points within"),
        (some([[10.0, 2.0, 3.0]] * 500), "only 0 building points within"),
        (some([[np.inf, 1.0, 1.0], [10.0, 2.0, 3.0]] * 50), "only 0 building points within"),
        (spoilt(point_step=0), "point_step 0"),
        (spoilt(point_step=8, row_step=8 * 50), "field z at bytes 8..12 of 8-byte points"),
        (spoilt(point_step=10_000_000), "truncated"),
        (spoilt(data=b"\0" * 599), "truncated: 599 bytes of 600"),
        (spoilt(height=2, width=25, row_step=299), "row_step 299, less than 25 points of 12 bytes"),
        (spoilt(fields=[]), "no field x, y, z"),
        (message({"x": [1.0], "z": [1.0]}), "no field y"),
        (spoilt(height=2**31, width=2**31 - 1, row_step=12 * (2**31 - 1)), "truncated"),
        (some(WALLS, label=np.full(len(WALLS), 50.5)), "field label holds numbers that are no integers"),
        (some(WALLS, time=np.linspace(0.0, 1e9, len(WALLS))), "no sweep's duration"),
        (some(WALLS, time=np.full(len(WALLS), np.nan)), "not finite"),
    ],
)
def test_each_is_answered_with_a_reason(localizer: Localizer, bad: Any, reason: str) -> None:
    result = answer(localizer, bad)
    assert result.skipped
    assert reason in result.reason
    assert "\n" not in result.reason


def odd(kind: int) -> Any:
    bad = spoilt()
    bad.fields[1].datatype = kind
    return bad


@pytest.mark.parametrize("kind", [0, 9, 255])
def test_coordinates_of_unknown_type(localizer: Localizer, kind: int) -> None:
    assert "no field y" in answer(localizer, odd(kind)).reason


def test_labels_of_unknown_type_are_none() -> None:
    """Where labels are asked for that is the reason; otherwise the shape tells."""
    bad = some(WALLS, label=np.full(len(WALLS), 50.0))
    bad.fields[3].datatype = 9
    _, reason = told(lambda: scan_of_cloud(decode(bad), CloudConfig(kind="labels"), TileConfig()))
    assert "no field label" in reason
    assert decode(bad).label is None


def labelled(points: Any, repeat: int = 1) -> Any:
    return some(np.repeat(points, repeat, axis=0), label=np.full(len(points) * repeat, 50.0))


@pytest.mark.parametrize("points", [WALLS, LACED])
@pytest.mark.parametrize("repeat", [1, 4])
def test_what_is_left_of_a_spoilt_cloud_is_used(localizer: Localizer, points: Any, repeat: int) -> None:
    """NaN-laced, duplicated, with a label of float type: the same walls, the same answer."""
    result = answer(localizer, labelled(points, repeat))
    assert not result.skipped
    assert result.tile is not None
    once = answer(localizer, labelled(points[np.isfinite(points[:, 0])]))
    assert once.tile is not None
    np.testing.assert_array_equal(result.tile.hits, once.tile.hits)


def test_times_that_run_backwards_are_times(localizer: Localizer) -> None:
    result = answer(localizer, some(WALLS, label=np.full(len(WALLS), 50.0), time=np.linspace(0.1, 0.0, len(WALLS))))
    assert not result.skipped


def test_stamps_that_go_back_are_answered() -> None:
    area = crossing()
    localizer = Localizer.of_area(area, untrained(area), LocalizerConfig())
    moments = list(straight(area, Pose2(-70.0, -1.0, 0.0), 10.0))
    for moment in moments:
        localizer.add_odometry(moment.stamp_s, moment.T_odom_base)
    for moment in (moments[-1], moments[0], moments[5], moments[0]):
        assert not localizer.add_cloud(moment.cloud).skipped
    before = replace(moments[0].cloud, stamp_s=moments[0].stamp_s - 60.0)
    assert "the cloud is older" in localizer.add_cloud(before).reason


@pytest.fixture(scope="module")
def five_million() -> Any:
    points = np.random.default_rng(0).uniform(-60.0, 60.0, (5_000_000, 3)).astype(np.float32)
    return message(dict(zip("xyz", points.T, strict=True)), container=bytes)


def test_memory_of_decoding_five_million_points(five_million: Any) -> None:
    tracemalloc.start()
    cloud = decode(five_million)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(cloud.points) == 5_000_000
    assert peak < 3 * len(five_million.data)


def resident(what: str) -> int:
    """Memory of this process [bytes]: VmRSS now, or VmHWM, the most since `restart_peak`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith(what)))


def restart_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def test_five_million_points_are_answered_within_a_few_times_their_size(localizer: Localizer, five_million: Any) -> None:
    """From the message to the localizer's answer, compiled loops included, which tracemalloc does not see."""
    answer(localizer, spoilt())  # what is set aside once
    restart_peak()
    before = resident("VmRSS")
    result = answer(localizer, five_million)
    assert result.skipped
    assert "only 0 building points within" in result.reason
    assert resident("VmHWM") - before < 4 * len(five_million.data)


def peak_of_decoding(cloud_message: Any) -> int:
    tracemalloc.start()
    try:
        decode(cloud_message)
    except CloudError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


def test_memory_of_the_densest_message() -> None:
    """Coordinates, label and time all in the same byte: nothing is larger beside its message."""
    dense = message({name: np.arange(20_000) % 100 for name in ("x",)}, kinds={"x": "i1"})
    field = dense.fields[0]
    dense.fields = [type(field)(name=n, offset=0, datatype=TYPES["i1"], count=1) for n in ("x", "y", "z", "label", "t")]
    assert peak_of_decoding(dense) < MOST_TIMES * len(dense.data) + MOST_BESIDES


sizes = st.integers(-2, 40) | st.sampled_from([0, 2**31 - 1, 2**32 - 1])


@given(data=st.data())
def test_any_message_is_taken_or_refused_in_one_line(data: st.DataObject) -> None:
    """Fields anywhere and of any type, sizes that fit or do not, bytes of any kind."""
    names = data.draw(st.lists(st.sampled_from(["x", "y", "z", "label", "t", "time", "ring", ""]), max_size=8))
    made = message({"x": [0.0]})
    field = type(made.fields[0])
    made.fields = [
        field(name=n, offset=data.draw(st.integers(0, 30) | st.just(2**32 - 1)), datatype=data.draw(st.integers(0, 10)), count=1)
        for n in (*"xyz", *names)
    ]
    made.height, made.width = data.draw(sizes), data.draw(sizes)
    made.point_step, made.row_step = data.draw(sizes), data.draw(sizes | st.integers(0, 2000))
    made.data = data.draw(st.binary(max_size=1200))
    made.is_bigendian, made.is_dense = data.draw(st.booleans()), data.draw(st.booleans())
    assert peak_of_decoding(made) < MOST_TIMES * len(made.data) + MOST_BESIDES
    cloud, reason = told(lambda: decode(made))
    if cloud is None:
        assert reason
        assert "\n" not in reason
        return
    assert np.isfinite(cloud.points).all()
    assert len(cloud.points) * made.point_step <= len(made.data) + made.point_step
    for each in (cloud.label, cloud.offset_s):
        assert each is None or each.shape == (len(cloud.points),)


@given(
    points=st.lists(st.tuples(*[st.floats(-70.0, 70.0, width=32) | st.sampled_from([0.0, 49.99999, -50.0, 3e38])] * 3), max_size=40),
    kind=st.sampled_from(["geometric", "labels"]),
)
def test_any_finite_points_make_a_scan_or_a_reason(points: list[tuple[float, float, float]], kind: str) -> None:
    cloud = Cloud(0.0, np.array(points, np.float32).reshape(-1, 3), np.resize(np.array([50, 40, 70]), len(points)))
    tile = TileConfig(channels=BUILDINGS_AND_ROADS)
    scan, reason = told(lambda: scan_of_cloud(cloud, CloudConfig(kind=kind, minimum_hits=1), tile))
    assert ("building points within" in reason) if scan is None else np.isfinite(scan.points).all()
