# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""OdometryBuffer: where odometry was at a stamp."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from itertools import islice

import numpy as np

from urban_map_loc.config import FusionConfig
from urban_map_loc.geometry.pose2 import FloatArray, Pose2, interpolate

# Beyond the newest pose the car is taken to go on as over this time before: shorter ones carry odometry's noise too far.
VELOCITY_OVER_S = 0.1
STAMP_JITTER_S = 0.05


class OdometryBuffer:
    """Recent `T_odom_base`, interpolated at a cloud's stamp."""

    def __init__(self, config: FusionConfig) -> None:
        self.config = config
        self._stamps: deque[float] = deque()
        self._poses: deque[Pose2] = deque()

    def add(self, stamp_s: float, T_odom_base: Pose2) -> bool:
        """Keep a pose; False where it jumped further or turned more than a car can since the last one: odometry was reset or failed.

        A message that is not newer than the last is left out: it can only be a repetition or out of order.
        """
        if self._stamps and stamp_s <= self._stamps[-1]:
            return True
        steady = not self._stamps or self._possible(stamp_s - self._stamps[-1], self._poses[-1], T_odom_base)
        if not steady:
            self.clear()
        self._stamps.append(stamp_s)
        self._poses.append(T_odom_base)
        while self._stamps[-1] - self._stamps[0] > self.config.odometry_buffer_s:
            self._stamps.popleft()
            self._poses.popleft()
        return steady

    def _possible(self, elapsed_s: float, before: Pose2, after: Pose2) -> bool:
        """Whether a car can have gone from one pose to another in that time; stamps may be off by a moment."""
        elapsed_s += STAMP_JITTER_S
        drove = before.distance_to(after) <= self.config.fastest_m_s * elapsed_s
        return drove and before.heading_difference(after) <= self.config.fastest_turn_rad_s * elapsed_s

    def clear(self) -> None:
        """Forget everything."""
        self._stamps.clear()
        self._poses.clear()

    @property
    def newest(self) -> Pose2 | str:
        """The newest `T_odom_base`, or the reason why there is none."""
        return self._poses[-1] if self._poses else "no odometry yet; check the topic of odom"

    def at(self, stamp_s: float) -> Pose2 | str:
        """`T_odom_base` at a stamp, or the reason why it is not known.

        Interpolated; a little after the newest pose the car is taken to go on as it did: odometry that comes late must not shift the scan.
        """
        if not self._stamps:
            return "no odometry yet; check the topic of odom"
        limit = self.config.odometry_timeout_s
        if stamp_s < self._stamps[0] - limit:
            return f"odometry reaches back {self._stamps[-1] - self._stamps[0]:.1f} s only, the cloud is older; check its stamp"
        if stamp_s > self._stamps[-1] + limit:
            return f"the newest odometry is {stamp_s - self._stamps[-1]:.2f} s older than the cloud; has odom stopped?"
        after = bisect_left(self._stamps, stamp_s)
        if after == 0:
            return self._poses[0]
        if after == len(self._stamps):
            return self._onwards(stamp_s)
        start, end = self._stamps[after - 1], self._stamps[after]
        return interpolate(self._poses[after - 1], self._poses[after], (stamp_s - start) / (end - start))

    def _onwards(self, stamp_s: float) -> Pose2:
        """`T_odom_base` at a stamp after the newest, at the last moment's velocity."""
        newest = self._poses[-1]
        k = max(0, bisect_right(self._stamps, self._stamps[-1] - VELOCITY_OVER_S) - 1)
        elapsed_s = self._stamps[-1] - self._stamps[k]
        if elapsed_s <= 0.0:  # there is one pose only
            return newest
        step, share = self._poses[k].inverse() @ newest, (stamp_s - self._stamps[-1]) / elapsed_s
        return newest @ Pose2(share * step.x, share * step.y, share * step.yaw)

    def poses(self, stamps_s: FloatArray) -> FloatArray | None:
        """`T_odom_base` `(K, 3)` at stamps `(K,)` [s] of one sweep, for undoing the car's motion in it.

        Interpolated, and continued at constant velocity beyond the first and the last pose, for a sweep's last points are often newer than
        any odometry; None where there are no two poses, or the sweep is further than `odometry_timeout_s` from them.
        """
        stamps, limit = self._stamps, self.config.odometry_timeout_s
        if len(stamps) < 2 or stamps_s.min() < stamps[0] - limit or stamps_s.max() > stamps[-1] + limit:
            return None
        first = max(0, bisect_left(stamps, min(float(stamps_s.min()), stamps[-1]) - VELOCITY_OVER_S) - 1)
        times = np.array(list(islice(stamps, first, None)))
        poses = np.array([(pose.x, pose.y, pose.yaw) for pose in islice(self._poses, first, None)])
        poses[:, 2] = np.unwrap(poses[:, 2])
        out = np.column_stack([np.interp(stamps_s, times, column) for column in poses.T])
        early, late = stamps_s < times[0], stamps_s > times[-1]
        out[early] = poses[0] + np.outer(stamps_s[early] - times[0], (poses[1] - poses[0]) / (times[1] - times[0]))
        k = max(0, int(np.searchsorted(times, times[-1] - VELOCITY_OVER_S, side="right")) - 1)
        out[late] = poses[-1] + np.outer(stamps_s[late] - times[-1], (poses[-1] - poses[k]) / (times[-1] - times[k]))
        return out
