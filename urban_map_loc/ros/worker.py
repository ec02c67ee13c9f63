# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The thread that owns the localizer.

Subscriptions only hand things over and return, so odometry never waits for a network. Of the clouds only the newest waits: while one is
worked on, a later one replaces it, and the replaced one is counted. No rclpy here: messages are duck-typed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

import numpy as np

from urban_map_loc.area.area_map import MappedArea
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.intake import CloudIntake
from urban_map_loc.config import FusionConfig, LocalizerConfig, NodeConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.gnss_monitor import GnssFix
from urban_map_loc.localization.priors import Prior
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate
from urban_map_loc.tile.grid import TileGrid


class LocalizerLike(Protocol):
    """What the node needs of `localization.Localizer`."""

    config: LocalizerConfig

    @property
    def area(self) -> MappedArea: ...  # noqa: D102
    @property
    def grid(self) -> TileGrid: ...  # noqa: D102
    @property
    def raster(self) -> BuildingRaster: ...  # noqa: D102
    @property
    def T_map_odom(self) -> Pose2 | None: ...  # noqa: D102
    def add_odometry(self, stamp_s: float, T_odom_base: Pose2) -> None: ...  # noqa: D102
    def add_prior(self, prior: Prior, stamp_s: float | None = None) -> str: ...  # noqa: D102
    def add_gnss(self, fix: GnssFix) -> None: ...  # noqa: D102
    def add_cloud(self, cloud: Cloud, single_scan: bool = False) -> LocalizationResult: ...  # noqa: D102
    def skip(self, stamp_s: float, reason: str) -> LocalizationResult: ...  # noqa: D102
    def reset(self, reason: str) -> None: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Correction:
    """The newest `T_map_odom` and the estimate that it came with."""

    T_map_odom: Pose2
    estimate: PoseEstimate

    def at(self, T_odom_base: Pose2, fusion: FusionConfig) -> PoseEstimate:
        """The car's pose by odometry since then, as much less certain as odometry drifts."""
        T_map_base = self.T_map_odom @ T_odom_base
        driven_m = T_map_base.distance_to(self.estimate.T_map_base)
        position, turn = (fusion.odometry_noise * driven_m) ** 2, fusion.odometry_heading_noise**2 * driven_m
        return PoseEstimate(T_map_base, self.estimate.covariance + np.diag([position, position, turn]), self.estimate.score)


class Worker:
    """Feeds the localizer from its own thread, between `start` and `stop`.

    Args:
        localizer: used by this thread alone once started.
        config: waiting times.
        intake: takes clouds into the base frame.
        on_result: called in this thread with the cloud's header, the result and the time since the cloud came in [ms].
        log: called with a line that a user should see once.
        read: makes a message of what `offer_cloud` was given.

    Attributes:
        config, intake: may be replaced while it works.
        correction: None unless locked, and from the moment on that a lock is in doubt.
        dropped: clouds that were not looked at, or whose answer was out of date when it came.
    """

    def __init__(
        self,
        localizer: LocalizerLike,
        config: NodeConfig,
        intake: CloudIntake,
        on_result: Callable[[Any, LocalizationResult, float], None],
        log: Callable[[str], object],
        read: Callable[[Any], Any] = lambda message: message,
    ) -> None:
        self.localizer = localizer
        self.config, self.intake = config, intake
        self.correction: Correction | None = None
        self.dropped = 0
        self._on_result, self._log, self._read = on_result, log, read
        self._changed = threading.Condition()
        self._cloud: tuple[Any, float, int] | None = None
        self._waiting: deque[Callable[[], object]] = deque()
        self._guesses: list[tuple[Prior, float | None]] = []
        self._stopping = False
        self._epoch = 0  # answers of an earlier epoch are out of date
        self._odometry_s = -inf
        self._thread = threading.Thread(target=self._work, name="localizer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End after the scan that is being worked on, waiting for it at most so long."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def offer_cloud(self, message: Any) -> None:
        """Hand over a cloud; one that still waits is dropped and counted."""
        with self._changed:
            self.dropped += self._cloud is not None
            self._cloud = (message, time.monotonic(), self._epoch)
            self._changed.notify()

    def offer_odometry(self, stamp_s: float, T_odom_base: Pose2) -> None:
        """Hand over odometry, stamps in order; it reaches the localizer before any cloud that comes after it."""
        self.call(lambda: self._take_odometry(stamp_s, T_odom_base))

    def offer_guess(self, prior: Prior, stamp_s: float | None) -> None:
        """Hand over a first guess of a stamp [s], or of now; where there is no odometry yet it is kept until there is."""
        self.call(lambda: self._take_guess(prior, stamp_s))

    def offer_fix(self, fix: GnssFix) -> None:
        """Hand over a GNSS fix."""
        self.call(lambda: self.localizer.add_gnss(fix))

    def request_reset(self, reason: str) -> None:
        """Forget where the car is: whatever is under way will not be answered."""
        self.discard()
        self.call(lambda: self._reset(reason))

    def distrust(self) -> None:
        """Odometry has jumped: offer nothing that rests on what was before."""
        with self._changed:
            self._epoch += 1
            self.correction = None

    def discard(self) -> None:
        """Leave out the cloud that waits, and the answer that is under way."""
        with self._changed:
            self.dropped += self._cloud is not None
            self._cloud = None
            self._epoch += 1
            self.correction = None

    def call(self, action: Callable[[], object]) -> None:
        """Have something done in the thread, in the order in which it was asked for."""
        with self._changed:
            self._waiting.append(action)
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._cloud or self._waiting)
                if self._stopping:
                    return
                cloud, self._cloud = self._cloud, None
            self._catch_up()
            if cloud is not None:
                self._guard(self._process, *cloud)

    def _guard(self, action: Callable[..., object], *arguments: Any) -> None:
        """This thread is the localizer: it outlives whatever one message does to it."""
        try:
            action(*arguments)
        except Exception as error:
            if not self._stopping:  # else topics are being closed
                self._log(f"unexpected {type(error).__name__}: {error}; please report it")

    def _catch_up(self) -> None:
        with self._changed:
            actions = list(self._waiting)
            self._waiting.clear()
        for action in actions:
            self._guard(action)

    def _take_odometry(self, stamp_s: float, T_odom_base: Pose2) -> None:
        self._odometry_s = stamp_s
        self.localizer.add_odometry(stamp_s, T_odom_base)
        guesses, self._guesses = self._guesses, []
        for prior, _ in guesses:
            self._take_guess(prior, None)

    def _take_guess(self, prior: Prior, stamp_s: float | None) -> None:
        if self._odometry_s == -inf:
            self._guesses = [g for g in self._guesses if g[0].source != prior.source] + [(prior, stamp_s)]
        elif refused := self.localizer.add_prior(prior, stamp_s):
            self._log(f"{prior.source} is refused: {refused}; stamp 0 means now")

    def _reset(self, reason: str) -> None:
        self._log(f"starting afresh: {reason}")
        self._odometry_s = -inf
        self._guesses.clear()
        self.localizer.reset(reason)

    def _wait_for_odometry(self, stamp_s: float, epoch: int) -> None:
        """Odometry comes by another topic: give that of the cloud's time a moment to arrive."""
        deadline = time.monotonic() + self.config.odometry_wait_s
        while self._odometry_s < stamp_s and not self._stopping and epoch == self._epoch:
            with self._changed:
                if not self._changed.wait_for(lambda: self._stopping or self._waiting, deadline - time.monotonic()):
                    return
            self._catch_up()

    def _process(self, source: Any, arrived: float, epoch: int) -> None:
        message = self._read(source)
        stamp_s = float(message.header.stamp.sec) + float(message.header.stamp.nanosec) * 1e-9
        try:
            cloud = self.intake.take(message)
            self._wait_for_odometry(stamp_s, epoch)
            result = self.localizer.add_cloud(cloud)
        except CloudError as error:
            result = self.localizer.skip(stamp_s, str(error))
        except Exception as error:
            self._log(f"unexpected {type(error).__name__}: {error}; please report it")
            result = self.localizer.skip(stamp_s, f"unexpected {type(error).__name__}: {error}; please report it")
        T_map_odom = self.localizer.T_map_odom
        with self._changed:
            if epoch != self._epoch or self._stopping:
                self.dropped += 1
                return
            if T_map_odom is None:
                self.correction = None
            elif result.estimate is not None:
                self.correction = Correction(T_map_odom, result.estimate)
        self._on_result(message.header, result, (time.monotonic() - arrived) * 1e3)
