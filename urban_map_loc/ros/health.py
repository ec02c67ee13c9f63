# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the node has seen lately: counts, rates, delays. `diagnostics.py` judges it."""

from __future__ import annotations

import resource
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from urban_map_loc.config import DiagnosticsConfig
from urban_map_loc.localization.gnss_monitor import GnssVerdict
from urban_map_loc.localization.result import LocalizationResult, State
from urban_map_loc.ros.last_pose import LastPoseKeeper

_PAGE_FIELD = 1  # of /proc/self/statm: resident pages
_MEMORY_EVERY_S, _MEMORY_SAMPLES = 5.0, 120  # ten minutes
_WARM_UP_S = 60.0  # caches fill


class Lately:
    """What happened within the last `window_s` seconds, each with a number."""

    def __init__(self) -> None:
        self._events: deque[tuple[float, float]] = deque()

    def add(self, value: float = 0.0) -> None:
        """Note that it happened now."""
        self._events.append((time.monotonic(), value))

    def within(self, window_s: float) -> list[tuple[float, float]]:
        """Times (monotonic) and numbers, oldest first; what is older is forgotten."""
        oldest = time.monotonic() - window_s
        while self._events and self._events[0][0] < oldest:
            self._events.popleft()
        return list(self._events)

    def values(self, window_s: float) -> list[float]:
        """The numbers alone."""
        return [value for _, value in self.within(window_s)]


class InputWatch:
    """One topic that comes in.

    Attributes:
        count: messages so far.
        refused: those of them that were not used, by their own fault.
        last_refusal: why, the last time.
        complaint: what is wrong with all of them, where something is.
    """

    def __init__(self) -> None:
        self.count = self.refused = 0
        self.last_refusal = self.complaint = ""
        self._since = time.monotonic()
        self._last: float | None = None
        self._delays, self._refusals = Lately(), Lately()

    def saw(self, delay_s: float) -> None:
        """A message came in, its stamp so long ago [s]."""
        self.count += 1
        self._last = time.monotonic()
        self._delays.add(delay_s)

    def refuse(self, reason: str) -> None:
        """The message that has just been seen is not used."""
        self.refused += 1
        self.last_refusal = reason
        self._refusals.add()

    @property
    def silent_s(self) -> float:
        """How long nothing has come [s]."""
        return time.monotonic() - (self._since if self._last is None else self._last)

    def rate_hz(self, window_s: float) -> float:
        """Messages a second, lately; 0 before the second message."""
        times = [at for at, _ in self._delays.within(window_s)]
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0

    def delay_s(self, window_s: float) -> float:
        """Median of clock minus stamp, lately [s]; 0 without messages."""
        delays = self._delays.values(window_s)
        return float(np.median(delays)) if delays else 0.0

    def refused_share(self, window_s: float) -> float:
        """Share of messages that were refused, lately."""
        return len(self._refusals.within(window_s)) / max(1, len(self._delays.within(window_s)))


class MemoryWatch:
    """Resident memory of this process [MB], and how it grows."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._samples: deque[tuple[float, float]] = deque(maxlen=_MEMORY_SAMPLES)
        self._page_mb = resource.getpagesize() / 2**20
        self.now_mb = 0.0

    def look(self) -> None:
        """Read it now."""
        now = time.monotonic()
        try:
            self.now_mb = int(Path("/proc/self/statm").read_text().split()[_PAGE_FIELD]) * self._page_mb
        except (OSError, ValueError, IndexError):  # no Linux: nothing is known
            return
        due = not self._samples or now - self._samples[-1][0] >= _MEMORY_EVERY_S
        if due and now - self._began >= _WARM_UP_S:
            self._samples.append((now, self.now_mb))

    @property
    def growth_mb_per_min(self) -> float | None:
        """Slope of a line through the last ten minutes; None before there are two of them."""
        if len(self._samples) < 2 or self._samples[-1][0] - self._samples[0][0] < 2 * _WARM_UP_S:
            return None
        at, mb = np.array(self._samples).T
        return float(np.polyfit((at - at[0]) / 60.0, mb, 1)[0])


class Health:
    """All that the node notes about itself. Clouds' answers are noted in the worker's thread, the rest in the main one.

    Args:
        area: the area file and its hash.
        model: the model file.
        config: thresholds; may be replaced.
        dropped: how many clouds have been dropped so far.
        keeper: of the last pose, where it is kept.
    """

    def __init__(
        self, area: str, model: str, config: DiagnosticsConfig, dropped: Callable[[], int] = lambda: 0, keeper: LastPoseKeeper | None = None
    ) -> None:
        self.area, self.model, self.config = area, model, config
        self.active = False
        self.points, self.odometry, self.fixes = InputWatch(), InputWatch(), InputWatch()
        self.memory = MemoryWatch()
        self._dropped, self._keeper = dropped, keeper
        self._drops = Lately()
        self.answered = self.skipped = self.dropped = 0
        self.last_skip = self.last_guess = ""
        self.lost_by_dds = 0
        self.state, self.reason, self.lost_because = State.INITIALIZING, "no cloud yet", ""
        self.latency, self.skips = Lately(), Lately()
        self.slowest_ms = 0.0
        self.agreement: float | None = None
        self.covariance: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None = None
        self.gnss = GnssVerdict()
        self._fix_at: float | None = None

    def activate(self) -> None:
        """Topics open now: what has not come so far is not late yet."""
        self.active = True
        self.points, self.odometry, self.fixes = InputWatch(), InputWatch(), InputWatch()

    def saw_result(self, result: LocalizationResult, latency_ms: float) -> None:
        """A cloud was answered, so long after it came in [ms]."""
        self.answered += 1
        self.latency.add(latency_ms)
        self.slowest_ms = max(self.slowest_ms, latency_ms)
        if result.skipped:
            self.skipped += 1
            self.last_skip = result.reason
            self.skips.add()
        self.state, self.reason, self.gnss = result.state, result.reason, result.gnss
        self.lost_because = result.lost_because
        self.agreement = None if result.estimate is None else result.estimate.score
        self.covariance = None if result.estimate is None else result.estimate.covariance
        if result.estimate is not None:
            self._fix_at = time.monotonic()

    def look(self) -> None:
        """Read what is not told: memory, and clouds that were dropped since."""
        self.memory.look()
        total = self._dropped()
        for _ in range(total - self.dropped):
            self._drops.add()
        self.dropped = total

    @property
    def last_pose_failure(self) -> str | None:
        """Why the last pose cannot be kept; empty where it can, None where it is not asked for."""
        return None if self._keeper is None else self._keeper.failure

    def dropped_share(self) -> float:
        """Share of the clouds that came in which were dropped, lately."""
        drops, answers = (len(lately.within(self.config.window_s)) for lately in (self._drops, self.latency))
        return drops / max(1, drops + answers)

    def skipped_share(self) -> float:
        """Share of the answered clouds which could not be used, lately."""
        skips, answers = (len(lately.within(self.config.window_s)) for lately in (self.skips, self.latency))
        return skips / max(1, answers)

    @property
    def fix_age_s(self) -> float | None:
        """Time since a position was offered [s]; None before the first."""
        return None if self._fix_at is None else time.monotonic() - self._fix_at
