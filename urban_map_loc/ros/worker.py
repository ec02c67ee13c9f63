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

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.intake import CloudIntake
from urban_map_loc.config import FusionConfig, NodeConfig
from urban_map_loc.errors import CloudError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate
from urban_map_loc.tile.grid import TileGrid


class LocalizerLike(Protocol):
    """What the node needs of `localization.Localizer`."""

    @property
    def area(self) -> AreaMap: ...  # noqa: D102
    @property
    def grid(self) -> TileGrid: ...  # noqa: D102
    @property
    def raster(self) -> BuildingRaster: ...  # noqa: D102
    @property
    def T_map_odom(self) -> Pose2 | None: ...  # noqa: D102
    def add_odometry(self, stamp_s: float, T_odom_base: Pose2) -> None: ...  # noqa: D102
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
    """

    def __init__(
        self,
        localizer: LocalizerLike,
        config: NodeConfig,
        intake: CloudIntake,
        on_result: Callable[[Any, LocalizationResult, float], None],
        log: Callable[[str], None],
        read: Callable[[Any], Any] = lambda message: message,
    ) -> None:
        self.localizer = localizer
        self.config = config
        self.correction: Correction | None = None
        self.dropped = 0
        self._intake = intake
        self._on_result, self._log, self._read = on_result, log, read
        self._changed = threading.Condition()
        self._cloud: tuple[Any, float] | None = None
        self._odometry: deque[tuple[float, Pose2]] = deque()
        self._reset = ""
        self._stopping = False
        # Newest stamps, apart: a cloud may well be older than the newest odometry.
        self._cloud_s = self._odometry_s = -inf
        self._thread = threading.Thread(target=self._work, name="localizer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.5) -> None:
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
            self._cloud = (message, time.monotonic())
            self._changed.notify()

    def offer_odometry(self, stamp_s: float, T_odom_base: Pose2) -> None:
        """Hand over odometry; it reaches the localizer before any cloud that comes after it."""
        with self._changed:
            self._odometry.append((stamp_s, T_odom_base))
            self._changed.notify()

    def request_reset(self, reason: str) -> None:
        """Forget where the car is before the next message."""
        with self._changed:
            self._reset = reason
            self.correction = None
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._cloud or self._odometry or self._reset)
                if self._stopping:
                    return
                cloud, self._cloud = self._cloud, None
            try:
                self._take_odometry()
                if cloud is not None:
                    self._process(*cloud)
            except Exception as error:  # this thread is the localizer: it outlives whatever one message does to it
                self._log(f"unexpected {type(error).__name__}: {error}; please report it")

    def _take_odometry(self) -> None:
        with self._changed:
            reset, self._reset = self._reset, ""
            odometry = list(self._odometry)
            self._odometry.clear()
        if reset:
            self._forget(reset)
        for stamp_s, T_odom_base in odometry:
            self._notice_restart(stamp_s, self._odometry_s)
            if stamp_s > self._odometry_s:  # repeated or overtaken messages say nothing new
                self._odometry_s = stamp_s
                self.localizer.add_odometry(stamp_s, T_odom_base)

    def _wait_for_odometry(self, stamp_s: float) -> None:
        """Odometry comes by another topic: give that of the cloud's time a moment to arrive."""
        deadline = time.monotonic() + self.config.odometry_wait_s
        while self._odometry_s < stamp_s and not self._stopping:
            with self._changed:
                if not self._changed.wait_for(lambda: self._stopping or self._odometry, deadline - time.monotonic()):
                    return
            self._take_odometry()

    def _process(self, source: Any, arrived: float) -> None:
        message = self._read(source)
        stamp_s = float(message.header.stamp.sec) + float(message.header.stamp.nanosec) * 1e-9
        self._notice_restart(stamp_s, self._cloud_s)
        self._cloud_s = max(self._cloud_s, stamp_s)
        try:
            cloud = self._intake.take(message)
            self._wait_for_odometry(stamp_s)
            result = self.localizer.add_cloud(cloud)
        except CloudError as error:
            result = self.localizer.skip(stamp_s, str(error))
        T_map_odom = self.localizer.T_map_odom
        if T_map_odom is None:
            self.correction = None
        elif result.estimate is not None:
            self.correction = Correction(T_map_odom, result.estimate)
        if not self._stopping:
            self._on_result(message.header, result, (time.monotonic() - arrived) * 1e3)

    def _notice_restart(self, stamp_s: float, newest_s: float) -> None:
        """A bag that starts again sends stamps of the past: nothing known is of use then."""
        if stamp_s < newest_s - self.config.time_jump_s:
            self._forget(f"time went back by {newest_s - stamp_s:.1f} s")

    def _forget(self, reason: str) -> None:
        self._log(f"starting afresh: {reason}")
        self._cloud_s = self._odometry_s = -inf
        self.correction = None
        self.localizer.reset(reason)
