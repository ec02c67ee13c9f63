"""What the node says of itself on /diagnostics."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from urban_map_loc.localization.result import LocalizationResult, State

NAME = "urban_map_loc: localization"
# A sensor that has said nothing for so long is off [s].
SILENT_S = 2.0


@dataclass
class Health:
    """Counts and the newest news; clouds are counted in one thread, odometry in another, each its own fields."""

    area: str
    model: str
    started: float = field(default_factory=time.monotonic)
    clouds: int = 0
    skipped: int = 0
    last_skip: str = ""
    state: State = State.INITIALIZING
    reason: str = "no cloud yet"
    latency_ms: float = 0.0
    slowest_ms: float = 0.0
    cloud_at: float | None = None
    odometry: int = 0
    odometry_refused: int = 0
    last_refusal: str = ""
    odometry_at: float | None = None

    def saw_cloud(self, result: LocalizationResult, latency_ms: float) -> None:
        """Count a cloud's result and how long it took from arrival [ms]."""
        self.clouds += 1
        if result.skipped:
            self.skipped += 1
            self.last_skip = result.reason
        self.state, self.reason = result.state, result.reason
        self.latency_ms += (latency_ms - self.latency_ms) / min(self.clouds, 50)  # a running mean of about 50 clouds
        self.slowest_ms = max(self.slowest_ms, latency_ms)
        self.cloud_at = time.monotonic()

    def saw_odometry(self, refusal: str = "") -> None:
        """Count an odometry message; a refused one with its reason."""
        self.odometry += 1
        if refusal:
            self.odometry_refused += 1
            self.last_refusal = refusal
        else:
            self.odometry_at = time.monotonic()

    def message(self, header: Header, dropped: int) -> DiagnosticArray:
        """The status as of now; `dropped` counts clouds that came while an earlier one was worked on."""
        level, text = self._verdict()
        values = {
            "state": self.state.value,
            "reason": self.reason,
            "clouds": self.clouds,
            "clouds skipped": self.skipped,
            "last skip": self.last_skip,
            "clouds dropped because busy": dropped,
            "mean latency [ms]": f"{self.latency_ms:.1f}",
            "largest latency [ms]": f"{self.slowest_ms:.1f}",
            "odometry messages": self.odometry,
            "odometry refused": self.odometry_refused,
            "last refusal": self.last_refusal,
            "area": self.area,
            "model": self.model,
        }
        pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        status = DiagnosticStatus(level=level, name=NAME, message=text, hardware_id="urban_map_loc", values=pairs)
        return DiagnosticArray(header=header, status=[status])

    def _verdict(self) -> tuple[bytes, str]:
        now = time.monotonic()
        for name, at in (("clouds", self.cloud_at), ("odometry", self.odometry_at)):
            if at is None and now - self.started > SILENT_S:
                return DiagnosticStatus.STALE, f"no {name} so far; check the topic's name, `ros2 topic info -v` shows who publishes"
            if at is not None and now - at > SILENT_S:
                return DiagnosticStatus.STALE, f"no {name} for {now - at:.0f} s; check the node that publishes it"
        level = {State.LOCKED: DiagnosticStatus.OK, State.INITIALIZING: DiagnosticStatus.WARN, State.LOST: DiagnosticStatus.ERROR}
        return level[self.state], f"{self.state.value}: {self.reason}"
