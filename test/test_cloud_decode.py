# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""PointCloud2 decoding: any layout gives the same points; bad messages give a reason."""

from __future__ import annotations

import array
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from urban_map_loc.cloud.cloud import NO_LABEL
from urban_map_loc.cloud.decode import decode, decode_whole
from urban_map_loc.errors import CloudError

TYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}
XYZ = [[1.0, 2.0, 3.0], [-4.0, 5.5, -6.25]]


def message(
    columns: dict[str, Any],
    *,
    height: int = 1,
    gap: int = 0,
    row_gap: int = 0,
    order: str = "<",
    kinds: dict[str, str] | None = None,
    container: type = bytes,
) -> Any:
    """A PointCloud2 look-alike; `gap` bytes of rubbish before every field, `row_gap` after every row."""
    kinds = dict.fromkeys(columns, "f4") | (kinds or {})
    offset, fields = 0, []
    for name in columns:
        offset += gap
        fields.append(SimpleNamespace(name=name, offset=offset, datatype=TYPES[kinds[name]], count=1))
        offset += np.dtype(kinds[name]).itemsize
    step = offset + gap
    dtype = np.dtype(
        {
            "names": list(columns),
            "formats": [order + kinds[n] for n in columns],
            "offsets": [f.offset for f in fields],
            "itemsize": step,
        }
    )
    count = len(next(iter(columns.values())))
    raw = np.full(count * step, 0xAB, np.uint8)
    points = raw.view(dtype)
    for name, values in columns.items():
        points[name] = values
    rows = raw.reshape(height, -1)
    data = np.concatenate([rows, np.full((height, row_gap), 0xCD, np.uint8)], axis=1).tobytes()
    held = (
        np.frombuffer(data, np.uint8)
        if container is np.ndarray
        else array.array("B", data)
        if container is array.array
        else container(data)
    )
    header = SimpleNamespace(stamp=SimpleNamespace(sec=12, nanosec=500_000_000), frame_id="velodyne")
    width = count // height
    return SimpleNamespace(
        header=header,
        height=height,
        width=width,
        fields=fields,
        is_bigendian=order == ">",
        point_step=step,
        row_step=width * step + row_gap,
        data=held,
        is_dense=True,
    )


def columns_of(points: Any) -> dict[str, Any]:
    return dict(zip("xyz", np.asarray(points, float).T, strict=True))


@pytest.mark.parametrize("container", [bytes, bytearray, list, np.ndarray, array.array])
def test_plain_cloud(container: type) -> None:
    cloud = decode(message(columns_of(XYZ), container=container))
    assert cloud.points.dtype == np.float32
    assert cloud.points.tolist() == XYZ
    assert (cloud.stamp_s, cloud.frame_id, cloud.label) == (12.5, "velodyne", None)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_layout_does_not_matter(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
    coordinate = st.integers(-100, 100)
    points = np.array(
        data.draw(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=height * width, max_size=height * width)), float
    )
    label = np.arange(height * width)
    names = data.draw(st.permutations(["x", "y", "z", "label", "intensity"]))
    kinds = {n: data.draw(st.sampled_from(["i1", "i2", "i4", "f4", "f8"]), label=n) for n in "xyz"}
    kinds["label"] = data.draw(st.sampled_from(["u1", "u2", "u4", "i1", "f4"]))
    everything = columns_of(points) | {"label": label, "intensity": np.zeros(len(points))}
    cloud = decode(
        message(
            {n: everything[n] for n in names},
            height=height,
            gap=data.draw(st.integers(0, 5)),
            row_gap=data.draw(st.integers(0, 9)) if height > 1 else 0,
            order=data.draw(st.sampled_from("<>")),
            kinds=kinds,
        )
    )
    np.testing.assert_array_equal(cloud.points, points)
    assert cloud.label is not None
    np.testing.assert_array_equal(cloud.label, label)


@settings(max_examples=100, deadline=None)
@given(points=st.lists(st.tuples(*[st.floats(width=32)] * 3), min_size=1, max_size=20))
def test_exactly_the_finite_points_stay(points: list[tuple[float, float, float]]) -> None:
    everything = np.array(points, np.float32)
    finite = np.isfinite(everything).all(axis=1)
    cloud_message = message(columns_of(points) | {"label": np.arange(len(points))})
    if not finite.any():
        with pytest.raises(CloudError, match="all NaN"):
            decode(cloud_message)
        return
    cloud = decode(cloud_message)
    np.testing.assert_array_equal(cloud.points, everything[finite])
    assert cloud.label is not None
    np.testing.assert_array_equal(cloud.label, np.flatnonzero(finite))


def test_double_beyond_float32_is_not_finite() -> None:
    cloud = decode(message(columns_of([[1e300, 0, 0], [1, 2, 3]]), kinds=dict.fromkeys("xyz", "f8")))
    assert cloud.points.tolist() == [[1.0, 2.0, 3.0]]


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(1, 24))
def test_truncated(cut: int) -> None:
    short = message(columns_of(XYZ))
    short.data = short.data[:-cut]
    with pytest.raises(CloudError, match="truncated"):
        decode(short)


def test_the_last_rows_padding_may_be_missing() -> None:
    organised = message(columns_of([*XYZ, *XYZ]), height=2, row_gap=7)
    organised.data = organised.data[:-7]
    assert decode(organised).points.tolist() == [*XYZ, *XYZ]


def test_row_step_of_an_unorganised_cloud_is_not_trusted() -> None:
    careless = message(columns_of(XYZ))
    careless.row_step = 0
    assert decode(careless).points.tolist() == XYZ


def spoil(**changes: Any) -> Any:
    spoilt = message(columns_of(XYZ))
    vars(spoilt).update(changes)
    return spoilt


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (message({"x": [1.0], "y": [1.0]}), "no field z"),
        (message({"intensity": [1.0]}), r"no field x, y, z \(fields: intensity\)"),
        (spoil(fields=[]), r"fields: none"),
        (spoil(width=0), "empty"),
        (spoil(height=0), "empty"),
        (spoil(data=b""), "truncated: 0 bytes of 24"),
        (spoil(point_step=0), "point_step 0"),
        (spoil(point_step=8, row_step=16), "field z at bytes 8..12 of 8-byte points"),
        (spoil(height=2, width=1, row_step=3), "row_step 3"),
        (message(columns_of([[np.nan] * 3] * 2)), "none of the 2 points is finite"),
        (message(columns_of(XYZ) | {"label": [1.0, 2.5]}), "no integers"),
        (message(columns_of(XYZ) | {"label": [1.0, np.nan]}), "no integers"),
    ],
)
def test_bad_messages_say_why(bad: Any, reason: str) -> None:
    with pytest.raises(CloudError, match=reason) as error:
        decode(bad)
    assert "\n" not in str(error.value)


def test_equals_sensor_msgs_py() -> None:
    reader = pytest.importorskip("sensor_msgs_py.point_cloud2", reason="sensor_msgs_py comes with a ROS installation, not from pip")
    messages = pytest.importorskip("sensor_msgs.msg")
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3)).astype(np.float32)
    points[::7, 1] = np.nan
    ours = message(columns_of(points) | {"intensity": np.zeros(500)}, gap=4, container=array.array)
    theirs = messages.PointCloud2()
    theirs.height, theirs.width, theirs.point_step, theirs.row_step = ours.height, ours.width, ours.point_step, ours.row_step
    theirs.fields = [messages.PointField(name=f.name, offset=f.offset, datatype=f.datatype, count=1) for f in ours.fields]
    theirs.data = ours.data
    expected = reader.read_points(theirs, field_names=("x", "y", "z"), skip_nans=True)
    np.testing.assert_array_equal(decode(theirs).points, np.stack([expected[n] for n in "xyz"], axis=-1))


def test_a_whole_cloud_keeps_order_and_count() -> None:
    nan = np.nan
    columns = {"label": [nan, 50, 40, nan], "x": [nan, 1, 2, 5], "y": [0, 1, 2, nan], "z": [0, 1, 2, 5]}
    msg = message(columns, height=2, row_gap=3)
    whole = decode_whole(msg)
    np.testing.assert_array_equal(whole.points, np.stack([columns[n] for n in "xyz"], axis=1).astype(np.float32))
    assert whole.finite.tolist() == [False, True, True, False]
    assert whole.label is not None
    assert whole.label.tolist() == [NO_LABEL, 50, 40, NO_LABEL]
    decoded = decode(msg)
    np.testing.assert_array_equal(whole.cloud.points, decoded.points)
    np.testing.assert_array_equal(whole.cloud.label, decoded.label)
    assert (whole.stamp_s, whole.frame_id) == (decoded.stamp_s, decoded.frame_id)
    assert not decode_whole(message({n: [nan] for n in "xyz"})).finite.any()
