# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""PointCloud2 to Cloud, without ROS: any object with the message's attributes will do.

Works on numpy views of the message's bytes and trusts nothing that the message says of itself: neither `is_dense` nor the
declared sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.cloud import NO_LABEL, Cloud, WholeCloud
from urban_map_loc.cloud.times import point_offsets
from urban_map_loc.config import CloudConfig
from urban_map_loc.errors import CloudError

# sensor_msgs/PointField: constant to numpy type, without byte order.
FIELD_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}


@dataclass(frozen=True)
class _Layout:
    """How points lie in the message's bytes; all counts in bytes but `height` and `width`."""

    data: NDArray[np.uint8]
    height: int
    width: int
    point_step: int
    row_step: int
    order: str
    fields: dict[str, tuple[int, str]]

    def first_of(self, names: tuple[str, ...]) -> str | None:
        """The first of `names` that is a field."""
        return next((name for name in names if name in self.fields), None)

    def view(self, name: str) -> NDArray[Any]:
        """`(height, width)` view of a field."""
        offset, kind = self.fields[name]
        dtype = np.dtype(self.order + kind)
        if offset < 0 or offset + dtype.itemsize > self.point_step:
            raise CloudError(
                f"field {name} at bytes {offset}..{offset + dtype.itemsize} of {self.point_step}-byte points; correct its offset"
            )
        return np.ndarray((self.height, self.width), dtype, self.data.data, offset, (self.row_step, self.point_step))


def decode(message: Any, config: CloudConfig | None = None) -> Cloud:
    """The finite points of a sensor_msgs/PointCloud2, with their classes and times where it has fields for them.

    Args:
        message: a message of rclpy or rosbags, or anything with its attributes. Fields may come in any order, with any
            offset and padding, of any numeric type, in either byte order, organised or not.
        config: names of the fields; the defaults unless given.

    Raises:
        CloudError: no x, y or z, no point, sizes that do not fit the data, no finite point, a label that is no integer, times that are no
            sweep's.
    """
    config, layout = config or CloudConfig(), _layout(message)
    points = _xyz(layout)
    finite = np.isfinite(points)
    keep = None if finite.all() else finite[:, 0] & finite[:, 1] & finite[:, 2]
    if keep is not None:
        points = points[keep]
        if not len(points):
            raise CloudError(f"none of the {len(keep)} points is finite (all NaN); check the driver that publishes the cloud")
    stamp_s, frame_id = _header(message)
    name = layout.first_of(config.label_fields)
    label = _labels(layout, name, keep) if name else None
    name = layout.first_of(config.time_fields) if config.deskew else None
    offset_s = point_offsets(_column(layout, name, keep), stamp_s, name, config.time_unit) if name else None
    return Cloud(stamp_s, points, label, frame_id, offset_s)


def decode_whole(message: Any, config: CloudConfig | None = None) -> WholeCloud:
    """All points of a message in its own order, finite or not; arguments and errors as of `decode`, but no finite point is no error."""
    config, layout = config or CloudConfig(), _layout(message)
    points, label = _xyz(layout), None
    if name := layout.first_of(config.label_fields):
        label, finite = np.full(len(points), NO_LABEL), WholeCloud(points).finite
        label[finite] = _labels(layout, name, finite)
    return WholeCloud(points, label, *_header(message))


def _header(message: Any) -> tuple[float, str]:
    """Stamp [s] and frame."""
    stamp = message.header.stamp
    return float(stamp.sec) + float(stamp.nanosec) * 1e-9, str(message.header.frame_id)


def _layout(message: Any) -> _Layout:
    height, width, point_step, row_step = (int(getattr(message, n)) for n in ("height", "width", "point_step", "row_step"))
    fields: dict[str, tuple[int, str]] = {}
    for f in message.fields:
        if int(f.datatype) in FIELD_TYPES:
            fields.setdefault(str(f.name), (int(f.offset), FIELD_TYPES[int(f.datatype)]))
    missing = [n for n in "xyz" if n not in fields]
    if missing:
        there = ", ".join(str(f.name) for f in message.fields) or "none"
        raise CloudError(f"cloud has no field {', '.join(missing)} (fields: {there}); publish x, y and z as numbers")
    if height <= 0 or width <= 0:
        raise CloudError(f"cloud is empty ({height} x {width} points); check the driver that publishes it")
    if point_step <= 0:
        raise CloudError(f"cloud has point_step {point_step}; set it to the bytes of one point")
    if height == 1:
        row_step = width * point_step  # many drivers leave row_step at 0 here
    if row_step < width * point_step:
        raise CloudError(f"cloud has row_step {row_step}, less than {width} points of {point_step} bytes; correct row_step")
    data = message.data
    array = np.asarray(data if isinstance(data, (list, tuple)) else memoryview(data), np.uint8)
    needed = (height - 1) * row_step + width * point_step
    if array.size < needed:
        raise CloudError(f"cloud is truncated: {array.size} bytes of {needed}; check the transport's or the driver's buffer size")
    return _Layout(array, height, width, point_step, row_step, ">" if message.is_bigendian else "<", fields)


def _xyz(layout: _Layout) -> NDArray[np.float32]:
    """All points `(N, 3)`, a copy: axis by axis, which is faster than copying three columns at once."""
    points = np.empty((layout.height, layout.width, 3), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # a float64 beyond float32's range becomes inf and is dropped later
        for axis, name in enumerate("xyz"):
            points[..., axis] = layout.view(name)
    return points.reshape(-1, 3)


def _column(layout: _Layout, name: str, keep: NDArray[np.bool_] | None) -> NDArray[Any]:
    """A field's values `(N,)`, those of `keep` alone."""
    values = layout.view(name).reshape(-1)
    return values if keep is None else values[keep]


def _labels(layout: _Layout, name: str, keep: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    values = _column(layout, name, keep)
    if values.dtype.kind != "f":
        return values.astype(np.int64)
    if not (np.isfinite(values).all() and (np.abs(values) < 2**53).all() and (values == np.trunc(values)).all()):
        raise CloudError(f"field {name} holds numbers that are no integers; publish the class as an integer")
    return values.astype(np.int64)
