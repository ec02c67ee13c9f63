# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RecentDrive: the wall hits of the last metres, carried by odometry; what hypotheses have to explain."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2


@dataclass(frozen=True, eq=False)
class Keyframe:
    """The wall hits `(M, 2)` [m, base frame] of a scan, where odometry was, and how far the car had driven."""

    stamp_s: float
    T_odom_base: Pose2
    points: FloatArray
    travelled_m: float


class RecentDrive:
    """Keyframes of the last `window_m` metres, at most `window_scans` of them: bounded memory and time."""

    def __init__(self, config: FusionConfig) -> None:
        self.config = config
        self._keyframes: deque[Keyframe] = deque(maxlen=config.window_scans)
        self._newest: Keyframe | None = None
        self._last: Pose2 | None = None
        self.travelled_m = 0.0

    def move(self, T_odom_base: Pose2) -> float:
        """Note where the car is; returns the metres driven since the last call."""
        metres = self._last.distance_to(T_odom_base) if self._last else 0.0
        self._last = T_odom_base
        self.travelled_m += metres
        return metres

    def add(self, stamp_s: float, T_odom_base: Pose2, points: FloatArray) -> Keyframe | None:
        """A keyframe of a scan's hits `(M, 2)` [m, base frame] if the car moved enough since the last; without hits it is not kept."""
        if self._newest is not None and self.travelled_m - self._newest.travelled_m < self.config.keyframe_m:
            return None
        thin = points[:: max(1, -(-len(points) // self.config.window_rays))]
        self._newest = Keyframe(stamp_s, T_odom_base, np.ascontiguousarray(thin), self.travelled_m)
        if len(thin):
            self._keyframes.append(self._newest)
        self.forget_before(self.travelled_m - self.config.window_m)
        return self._newest

    def forget_before(self, travelled_m: float) -> None:
        """Forget the keyframes from before so many metres driven."""
        while self._keyframes and self._keyframes[0].travelled_m < travelled_m:
            self._keyframes.popleft()

    def __len__(self) -> int:
        return len(self._keyframes)

    @property
    def keyframes(self) -> list[Keyframe]:
        """The kept scans, oldest first."""
        return list(self._keyframes)

    @property
    def hits(self) -> int:
        """Wall hits of all keyframes."""
        return sum(len(keyframe.points) for keyframe in self._keyframes)

    @property
    def length_m(self) -> float:
        """Metres driven between the first and the last keyframe."""
        return self._keyframes[-1].travelled_m - self._keyframes[0].travelled_m if self._keyframes else 0.0

    def points(self, T_odom_base: Pose2) -> tuple[FloatArray, FloatArray]:
        """Hits and ray origins, each `(M, 2)` [m], in the base frame of `T_odom_base`; at most `judged_hits`, evenly thinned."""
        points, origins = [np.zeros((0, 2))], [np.zeros((0, 2))]
        T_base_odom = T_odom_base.inverse()
        nth = max(1, -(-self.hits // self.config.judged_hits))
        for k, keyframe in enumerate(self._keyframes):
            T_base_key = T_base_odom @ keyframe.T_odom_base
            thin = keyframe.points[k % nth :: nth]  # not the same directions of every scan
            points.append(T_base_key.transform(thin))
            origins.append(np.broadcast_to([T_base_key.x, T_base_key.y], thin.shape))
        return np.concatenate(points), np.concatenate(origins)

    def clear(self) -> None:
        """Forget the keyframes; the distance driven goes on."""
        self._keyframes.clear()
        self._newest = self._last = None
