# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a recording for 3-D looking is made of: plain records of where, when and what, which know nothing of the program that shows them.

Coordinates are those of the frame that the path stands in: `map` is east, north, up [m]; below `map/base_link` and the like it is the frame
of the pose there. Colours are "#rrggbb".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Points = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Solid:
    """Triangles `(T, 3)` of the numbers of `vertices (V, 3)` [m] with their `normals (V, 3)`."""

    vertices: Points
    normals: Points
    triangles: NDArray[np.uint32]
    colour: str


@dataclass(frozen=True, eq=False)
class Strips:
    """Lines, each `(K, 3)` [m]."""

    lines: list[Points]
    colour: str
    radius_m: float


@dataclass(frozen=True, eq=False)
class Dots:
    """Points `(K, 3)` [m] of one colour, or each of its own: `(K, 3)` red, green, blue."""

    points: Points
    colour: str | NDArray[np.uint8]
    radius_m: float


@dataclass(frozen=True, eq=False)
class Arrows:
    """Arrows from `origins (K, 3)` along `vectors (K, 3)` [m]."""

    origins: Points
    vectors: Points
    colours: NDArray[np.uint8]
    radius_m: float


@dataclass(frozen=True, eq=False)
class Car:
    """A box of a car's size about the frame's origin, standing on z = 0, and the frame's axes."""

    colour: str


@dataclass(frozen=True, eq=False)
class TilePicture:
    """A tile `(S, S)`: 0 unknown, 1 free, 2 wall; row 0 is farthest forward."""

    classes: NDArray[np.uint8]


@dataclass(frozen=True)
class StateChange:
    """The localizer's state from now on."""

    state: str


@dataclass(frozen=True)
class Line:
    """A line of the log; `level` is INFO, WARN or ERROR."""

    text: str
    level: str


@dataclass(frozen=True)
class Page:
    """Markdown."""

    text: str


@dataclass(frozen=True, eq=False)
class GeoLines:
    """Lines, each `(K, 2)` WGS84 latitude, longitude [deg]."""

    lines: list[FloatArray]
    colour: str


@dataclass(frozen=True)
class Gone:
    """What stands here and below is no longer there."""


@dataclass(frozen=True, eq=False)
class Poses:
    """`T_parent_frame` over time `(M, 3)`: x, y [m], yaw [rad]."""

    poses: FloatArray


@dataclass(frozen=True, eq=False)
class Ellipses:
    """Ellipses over time about `centres (M, 2)` [m]: half axes `(M, 2)` [m], the first one turned by `yaw (M,)` [rad]."""

    centres: FloatArray
    half_axes: FloatArray
    yaw: FloatArray
    colour: str


@dataclass(frozen=True, eq=False)
class Place:
    """One point over time `(M, 3)` [m]."""

    points: FloatArray
    colour: str
    radius_m: float


@dataclass(frozen=True, eq=False)
class GeoPlace:
    """One point over time `(M, 2)` WGS84 latitude, longitude [deg]."""

    lat_lon: FloatArray
    colour: str


@dataclass(frozen=True, eq=False)
class Curve:
    """A number over time `(M,)`."""

    values: FloatArray


Shown = Solid | Strips | Dots | Arrows | Car | TilePicture | StateChange | Line | Page | GeoLines | Gone
OverTime = Poses | Ellipses | Place | GeoPlace | Curve


@dataclass(frozen=True, eq=False)
class Record:
    """Something at a place in the recording's tree.

    Attributes:
        path: the place, such as `map/base_link`.
        shown: what is there.
        stamp_s: when [s]: `(M,)` of what is over time, `(1,)` of other things, empty where it is there always.
    """

    path: str
    shown: Shown | OverTime
    stamp_s: FloatArray


ALWAYS: FloatArray = np.zeros(0)


def on_the_plane(points: FloatArray, height_m: float = 0.0) -> Points:
    """Points `(K, 2)` [m] at one height, `(K, 3)`."""
    return np.column_stack([points, np.full(len(points), height_m)]).astype(np.float32)
