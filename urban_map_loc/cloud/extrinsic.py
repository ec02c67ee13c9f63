# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where the sensor sits on the car: `T_base_sensor`, a rigid transform of space, given as it is or by a tree of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.errors import ConfigurationError


@dataclass(frozen=True, eq=False)
class Extrinsic:
    """`T_base_sensor`: rotation `(3, 3)`, then translation `(3,)` [m]; maps sensor-frame points to the base frame."""

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    @classmethod
    def from_xyz_rpy(cls, values: Sequence[float]) -> Extrinsic:
        """From x, y, z [m] and roll, pitch, yaw [rad]: rotation about the fixed x, then y, then z axis (URDF, REP-103).

        Raises:
            ConfigurationError: not six finite numbers.
        """
        v = np.asarray(values, dtype=np.float64)
        if v.shape != (6,) or not np.isfinite(v).all():
            raise ConfigurationError(f"extrinsic is {list(values)}; give six finite numbers: x y z [m] roll pitch yaw [rad]")
        (cr, cp, cy), (sr, sp, sy) = ([f(a) for a in v[3:]] for f in (cos, sin))
        rotation = np.array(
            [
                [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
                [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
                [-sp, cp * sr, cp * cr],
            ]
        )
        return cls(rotation, v[:3])

    @classmethod
    def from_quaternion(cls, translation: Sequence[float], quaternion: Sequence[float]) -> Extrinsic:
        """From a translation `(3,)` [m] and a quaternion `(4,)` x, y, z, w of any length but 0, as TF gives them.

        Raises:
            ConfigurationError: a quaternion of length 0, or numbers that are not finite.
        """
        t, q = np.asarray(translation, dtype=np.float64), np.asarray(quaternion, dtype=np.float64)
        norm = float(np.linalg.norm(q))
        if t.shape != (3,) or q.shape != (4,) or not np.isfinite(t).all() or not np.isfinite(norm) or norm < 1e-9:
            raise ConfigurationError(
                f"transform {list(translation)}, {list(quaternion)} is no pose; give a translation and a unit quaternion"
            )
        x, y, z, w = q / norm
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        return cls(rotation, t)

    @classmethod
    def identity(cls) -> Extrinsic:
        """A sensor whose frame is the base frame."""
        return cls(np.eye(3), np.zeros(3))

    def __matmul__(self, other: Extrinsic) -> Extrinsic:
        """Compose: `T_a_b @ T_b_c` is `T_a_c`."""
        return Extrinsic(self.rotation @ other.rotation, self.rotation @ other.translation + self.translation)

    def inverse(self) -> Extrinsic:
        """`T_b_a` of `T_a_b`."""
        return Extrinsic(self.rotation.T, -self.rotation.T @ self.translation)

    @property
    def is_identity(self) -> bool:
        """True where the sensor's frame is the base frame."""
        return not self.translation.any() and np.array_equal(self.rotation, np.eye(3))

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Base-frame points `(N, 3)` float32 of sensor-frame points `(N, 3)` [m]; the input itself where nothing changes."""
        single = points.astype(np.float32, copy=False)
        if self.is_identity:
            return single
        moved: NDArray[np.float32] = single @ self.rotation.T.astype(np.float32)
        moved += self.translation.astype(np.float32)
        return moved


class FrameTree:
    """Frames fixed to one another, as `/tf_static` gives them, and the way from any to any."""

    def __init__(self) -> None:
        self._neighbours: dict[str, dict[str, Extrinsic]] = {}

    def add(self, parent: str, child: str, T_parent_child: Extrinsic) -> None:
        """Take a transform; a later one of the same frames replaces it. Leading slashes of ROS 1 names are left out."""
        parent, child = parent.lstrip("/"), child.lstrip("/")
        self._neighbours.setdefault(parent, {})[child] = T_parent_child
        self._neighbours.setdefault(child, {})[parent] = T_parent_child.inverse()

    def find(self, target: str, source: str) -> Extrinsic | None:
        """`T_target_source`, None where the two are not joined."""
        target, source = target.lstrip("/"), source.lstrip("/")
        reached = {target: Extrinsic.identity()}
        waiting = [target]
        while waiting:
            frame = waiting.pop()
            if frame == source:
                return reached[frame]
            for neighbour, T_frame_neighbour in list(self._neighbours.get(frame, {}).items()):  # grows in another thread
                if neighbour not in reached:
                    reached[neighbour] = reached[frame] @ T_frame_neighbour
                    waiting.append(neighbour)
        return None
