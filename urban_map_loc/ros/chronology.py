# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Chronology: tells what came late from time that began anew."""

from __future__ import annotations

from enum import Enum
from math import inf, isfinite


class Order(Enum):
    """`NEW`: go on; `OLD`: overtaken, repeated or a slip, leave it out; `RESTART`: time began anew, forget everything, then go on."""

    NEW = "new"
    OLD = "old"
    RESTART = "restart"


class Chronology:
    """Judges each stamp by those before it.

    One stamp of odometry that is far off is a slip, and is left out. Two in a row that are near each other are the truth: where they went
    back, a bag was restarted or a simulation reset. A cloud counts as the second: alone it says nothing, a lidar's stamps may all be late.

    Attributes:
        jump_s: further apart than this [s] is far off.
        went_back_s: by how much time went back at the last restart [s].
    """

    def __init__(self, jump_s: float) -> None:
        self.jump_s = jump_s
        self.went_back_s = 0.0
        self.forget()

    def forget(self) -> None:
        """Expect anything."""
        self._odometry_s = self._cloud_s = -inf
        self._doubted_s: float | None = None  # of odometry
        self._doubted_cloud_s: float | None = None

    @property
    def newest_s(self) -> float:
        """The newest stamp of odometry that was believed [s]; minus infinity before the first."""
        return self._odometry_s

    def odometry(self, stamp_s: float) -> Order:
        """Judge a stamp of odometry [s]."""
        if isfinite(self._odometry_s) and abs(stamp_s - self._odometry_s) > self.jump_s:
            back = stamp_s < self._odometry_s
            confirmed = self._near(self._doubted_s, stamp_s) or (back and self._near(self._doubted_cloud_s, stamp_s))
            self._doubted_s = stamp_s
            if not confirmed:
                return Order.OLD
            return self._believe(stamp_s)
        self._doubted_s = None
        if stamp_s <= self._odometry_s:
            return Order.OLD
        self._odometry_s = stamp_s
        return Order.NEW

    def cloud(self, stamp_s: float) -> Order:
        """Judge a stamp of a cloud [s]."""
        if self._doubted_s is not None and self._near(self._doubted_s, stamp_s) and self._doubted_s < self._odometry_s:
            order = self._believe(self._doubted_s)
            self._cloud_s = stamp_s
            return order
        late = stamp_s <= self._cloud_s
        self._doubted_cloud_s = stamp_s if late else None
        if late:
            return Order.OLD
        if stamp_s <= self._odometry_s + self.jump_s:  # a stamp of the future must not make all that follow late
            self._cloud_s = stamp_s
        return Order.NEW

    def _near(self, doubted_s: float | None, stamp_s: float) -> bool:
        return doubted_s is not None and abs(stamp_s - doubted_s) <= self.jump_s

    def _believe(self, stamp_s: float) -> Order:
        """Take the doubted stamps for the truth."""
        back_s = self._odometry_s - stamp_s
        if back_s > 0.0:
            self.went_back_s = back_s
            self._cloud_s = -inf
        self._odometry_s, self._doubted_s, self._doubted_cloud_s = stamp_s, None, None
        return Order.RESTART if back_s > 0.0 else Order.NEW
