# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RobotCar's lidar files, bytes to points in the sensor's frame (the dataset's axes: x forward, y right, z down).

====================================================  ======  =================================================================
sensor                                                file    holds
====================================================  ======  =================================================================
SICK LMS-151 (`lms_front`, `lms_rear`)                `.bin`  float64, three a point: x, y [m], reflectance; z is 0:
                                                              one scan of a plane, 50 a second
SICK LD-MRS (`ldmrs`)                                 `.bin`  float64, three a point: x, y, z [m]
Velodyne HDL-32E (`velodyne_left`, `velodyne_right`)  `.bin`  float32, four rows of N: x, y, z [m], intensity
the same, raw                                         `.png`  grey 8 bit, a column an azimuth: 32 rows intensity, 64 rows range
                                                              (32 uint16 of 2 mm), 2 rows azimuth (uint16 of 0.01 degrees),
                                                              8 rows time (int64 microseconds)
====================================================  ======  =================================================================

All numbers are little-endian.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.stereo import decode_image
from urban_map_loc.errors import BagError

HDL32_RANGE_UNIT_M = 0.002
HDL32_ANGLE_UNIT_RAD = 2.0 * np.pi / 36000.0
HDL32_NEAREST_M = 1.0  # nearer ranges are the housing or no return
HDL32_CENTRE_M = 0.090805  # the beams' origin above the sensor's base, which the extrinsics refer to
HDL32_ROWS = (32, 64, 2, 8)
# Depression of the 32 beams [rad]: 10.67 degrees up to 30.67 degrees down in steps of 4/3 degrees (HDL-32E user's manual).
HDL32_DEPRESSION_RAD = np.radians(np.arange(32) * (4.0 / 3.0) - 10.67)


class Scan(NamedTuple):
    """Points of one file.

    Attributes:
        points: `(N, 3)` float32 [m] in the sensor's frame, the dataset's axes.
        intensity: `(N,)` float32, None where the sensor has none.
        ring: `(N,)` beam, 0 the uppermost; None where the file does not say.
        time_us: `(N,)` when each point was measured; None where the file does not say.
    """

    points: NDArray[np.float32]
    intensity: NDArray[np.float32] | None = None
    ring: NDArray[np.uint16] | None = None
    time_us: NDArray[np.int64] | None = None


def read_scan(sensor: str, name: str, content: bytes) -> Scan:
    """The points of a file of a sensor.

    Args:
        sensor: `lms_front`, `lms_rear`, `ldmrs`, `velodyne_left` or `velodyne_right`.
        name: the file's name, whose suffix tells the format.
        content: its bytes.

    Raises:
        BagError: bytes that are no such scan.
    """
    if sensor.startswith("velodyne"):
        return velodyne_raw(name, content) if name.endswith(".png") else velodyne_points(name, content)
    return lms_scan(name, content) if sensor.startswith("lms") else ldmrs_scan(name, content)


def lms_scan(name: str, content: bytes) -> Scan:
    """A scan of the LMS-151, see `read_scan`."""
    rows = _triplets(name, content)
    reflectance = rows[:, 2].copy()
    rows[:, 2] = 0.0
    return Scan(rows, reflectance)


def ldmrs_scan(name: str, content: bytes) -> Scan:
    """A scan of the LD-MRS, see `read_scan`."""
    return Scan(_triplets(name, content))


def velodyne_points(name: str, content: bytes) -> Scan:
    """Points of an HDL-32E, see `read_scan`."""
    if len(content) % 16:
        raise BagError(f"{name}: {len(content)} bytes are no float32 x, y, z and intensity of points; download it again")
    rows = np.frombuffer(content, "<f4").reshape(4, -1)
    return Scan(np.ascontiguousarray(rows[:3].T), rows[3].copy())


def velodyne_raw(name: str, content: bytes) -> Scan:
    """Points of an HDL-32E from its raw file, those that returned, see `read_scan`."""
    image = decode_image(content, name)
    if image.shape[0] != sum(HDL32_ROWS):
        raise BagError(f"{name} has {image.shape[0]} rows, a raw velodyne file has {sum(HDL32_ROWS)}; download it again")
    intensity, ranges, angles, times = np.split(image, np.cumsum(HDL32_ROWS)[:-1])
    range_m = _columns(ranges, "<u2").astype(np.float64) * HDL32_RANGE_UNIT_M
    angle = _columns(angles, "<u2")[0] * HDL32_ANGLE_UNIT_RAD
    time_us = _columns(times, "<i8")[0]
    ring, column = np.nonzero(range_m > HDL32_NEAREST_M)
    flat = np.cos(HDL32_DEPRESSION_RAD)[ring] * range_m[ring, column]
    down = np.sin(HDL32_DEPRESSION_RAD)[ring] * range_m[ring, column] - HDL32_CENTRE_M
    points = np.column_stack([np.sin(angle[column]) * flat, -np.cos(angle[column]) * flat, down]).astype(np.float32)
    return Scan(points, intensity[ring, column].astype(np.float32), ring.astype(np.uint16), time_us[column])


def _columns(rows: NDArray[np.uint8], kind: str) -> NDArray[np.generic]:
    """Numbers `(values, columns)` whose bytes stand one below the other in a column of `rows`."""
    return np.ascontiguousarray(rows.T).view(kind).T


def _triplets(name: str, content: bytes) -> NDArray[np.float32]:
    if len(content) % 24:
        raise BagError(f"{name}: {len(content)} bytes are no float64 triplets; download it again")
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32's range becomes inf, which is no point
        return np.frombuffer(content, "<f8").reshape(-1, 3).astype(np.float32)
