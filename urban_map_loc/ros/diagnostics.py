# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the node says of itself on /diagnostics: one status a subject, by the rules of docs/diagnostics.md.

Thresholds are settings (`diagnostics.*`); this file compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from urban_map_loc.localization.gnss_monitor import GnssState
from urban_map_loc.localization.result import State
from urban_map_loc.ros.health import Health, InputWatch

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
NAMES = (
    "localization", "points", "odometry", "fix age", "map agreement", "dropped clouds", "skipped clouds", "latency", "covariance", "gnss",
    "memory", "last pose",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Level, one line with the remedy, and the numbers behind it."""

    level: bytes
    text: str
    values: Mapping[str, object]


def message(header: Header, node: str, health: Health) -> DiagnosticArray:
    """All statuses as of now; `node` is the node's full name, which tells several nodes apart."""
    health.look()
    subjects = (
        _localization, _points, _odometry, _fix_age, _agreement, _dropped, _skipped, _latency, _covariance, _gnss, _memory, _last_pose,
    )  # fmt: skip
    name = node.lstrip("/")
    out = DiagnosticArray(header=header)
    for subject, judge in zip(NAMES, subjects, strict=True):
        found = judge(health)
        if not health.active and judge not in (_localization, _memory, _last_pose):
            found = Finding(OK, "paused", found.values)
        pairs = [KeyValue(key=key, value=str(value)) for key, value in found.values.items()]
        out.status.append(
            DiagnosticStatus(level=found.level, name=f"{name}: {subject}", message=found.text, hardware_id=name, values=pairs)
        )
    return out


def _above(value: float, warn: float, error: float) -> bytes:
    return ERROR if value > error else WARN if value > warn else OK


def _below(value: float, warn: float, error: float) -> bytes:
    return ERROR if value < error else WARN if value < warn else OK


def _worst(*found: tuple[bytes, str]) -> tuple[bytes, str]:
    """The first of the gravest."""
    return max(found, key=lambda f: f[0])


def _localization(h: Health) -> Finding:
    values = {"state": h.state.value, "reason": h.reason, "lost because": h.lost_because, "area": h.area, "model": h.model}
    values["last refused guess"] = h.last_guess
    if not h.active:
        return Finding(WARN, "inactive: activate the node", values)
    level = {State.LOCKED: OK, State.INITIALIZING: WARN, State.LOST: ERROR}[h.state]
    if h.lost_because and h.lost_because != h.reason:  # how finding goes says nothing of what is wrong
        return Finding(level, f"{h.state.value}: {h.lost_because}; since then: {h.reason}", values)
    return Finding(level, f"{h.state.value}: {h.reason.removeprefix(h.state.value).lstrip(' :')}".rstrip(": "), values)


def _points(h: Health) -> Finding:
    c = h.config
    found = _input(h, h.points, "clouds", "points", c.cloud_rate_warn_hz, c.cloud_rate_error_hz)
    return Finding(found.level, found.text, {**found.values, "lost on the way": h.lost_by_dds})


def _odometry(h: Health) -> Finding:
    return _input(h, h.odometry, "odometry", "odom", h.config.odometry_rate_warn_hz, h.config.odometry_rate_error_hz)


def _input(h: Health, watch: InputWatch, what: str, topic: str, rate_warn_hz: float, rate_error_hz: float) -> Finding:
    c = h.config
    rate, delay, refused = watch.rate_hz(c.window_s), watch.delay_s(c.window_s), watch.refused_share(c.window_s)
    values = {
        "messages": watch.count,
        "rate [Hz]": f"{rate:.1f}",
        "delay [s]": f"{delay:.3f}",
        "silent for [s]": f"{watch.silent_s:.1f}",
        "refused": watch.refused,
        "last refusal": watch.last_refusal,
    }
    if watch.silent_s > c.silent_error_s:
        if not watch.count:
            return Finding(ERROR, f"no {what} so far; `ros2 topic info -v {topic}` shows who publishes, and with which QoS", values)
        return Finding(ERROR, f"no {what} for {watch.silent_s:.0f} s; check the node that publishes {topic}", values)
    if watch.count < 2:
        return Finding(OK, "waiting for messages", values)
    level, text = _worst(
        (_above(refused, c.refused_warn, c.refused_error), f"{refused:.0%} refused, the last because: {watch.last_refusal}"),
        (WARN if watch.complaint else OK, watch.complaint),
        (_above(abs(delay), c.delay_warn_s, c.delay_error_s), _delay_text(delay)),
        (_below(rate, rate_warn_hz, rate_error_hz), f"{rate:.1f} Hz; {rate_warn_hz:g} Hz or more are wanted"),
    )
    return Finding(level, text if level != OK else f"{rate:.1f} Hz", values)


def _delay_text(delay_s: float) -> str:
    if delay_s < 0.0:
        return f"stamps are {-delay_s:.2f} s ahead of the clock; synchronise the clocks, or set use_sim_time for a played bag"
    return f"stamps are {delay_s:.2f} s behind the clock; is the network or the driver slow, or is use_sim_time not set for a played bag?"


def _fix_age(h: Health) -> Finding:
    age, c = h.fix_age_s, h.config
    if age is None:
        return Finding(WARN, "no position so far; the status `localization` says why", {"age [s]": "none"})
    level = _above(age, c.fix_age_warn_s, c.fix_age_error_s)
    text = f"the last position was offered {age:.1f} s ago"
    return Finding(level, text if level == OK else f"{text}; the status `localization` says why", {"age [s]": f"{age:.2f}"})


def _agreement(h: Health) -> Finding:
    if h.agreement is None:
        return Finding(OK, "not locked", {"agreement": "none"})
    level = _below(h.agreement, h.config.agreement_warn, h.config.agreement_error)
    text = f"{h.agreement:.2f} of the walls seen are walls of the map"
    remedy = "; is the map out of date here, or the sensor's place on the car wrong?"
    return Finding(level, text if level == OK else text + remedy, {"agreement": f"{h.agreement:.3f}"})


def _dropped(h: Health) -> Finding:
    share = h.dropped_share()
    level = _above(share, h.config.dropped_warn, h.config.dropped_error)
    text = f"{share:.0%} of the clouds dropped because a newer one came"
    remedy = "; fewer clouds a second, a faster machine or a GPU (parameter device) help"
    values = {"dropped": h.dropped, "share": f"{share:.3f}", "answered": h.answered}
    return Finding(level, text if level == OK else text + remedy, values)


def _skipped(h: Health) -> Finding:
    share = h.skipped_share()
    level = _above(share, h.config.skipped_warn, h.config.skipped_error)
    values = {"skipped": h.skipped, "share": f"{share:.3f}", "last skip": h.last_skip}
    return Finding(level, f"{share:.0%} of the clouds could not be used" + (f", the last because: {h.last_skip}" if share else ""), values)


def _latency(h: Health) -> Finding:
    latest = h.latency.values(h.config.window_s)
    if not latest:
        return Finding(OK, "no cloud answered lately", {"mean [ms]": "none", "largest [ms]": f"{h.slowest_ms:.1f}"})
    mean, p95 = float(np.mean(latest)), float(np.percentile(latest, 95))
    level = _above(p95, h.config.latency_warn_ms, h.config.latency_error_ms)
    text = f"{mean:.0f} ms from cloud to answer, 95 % within {p95:.0f} ms"
    remedy = "; is the processor busy with other work?"
    values = {"mean [ms]": f"{mean:.1f}", "95 % [ms]": f"{p95:.1f}", "largest [ms]": f"{h.slowest_ms:.1f}"}
    return Finding(level, text if level == OK else text + remedy, values)


def _covariance(h: Health) -> Finding:
    if h.covariance is None:
        return Finding(OK, "not locked", {"position sigma [m]": "none", "heading sigma [rad]": "none"})
    c = h.config
    sigma_m = sqrt(max(0.0, float(np.linalg.eigvalsh(h.covariance[:2, :2])[-1])))
    sigma_rad = sqrt(max(0.0, float(h.covariance[2, 2])))
    level = max(_above(sigma_m, c.sigma_warn_m, c.sigma_error_m), _above(sigma_rad, c.heading_sigma_warn_rad, c.heading_sigma_error_rad))
    text = f"known to {sigma_m:.2f} m and {np.rad2deg(sigma_rad):.1f} degrees"
    remedy = "; few walls are in sight, the next junction usually helps"
    return Finding(
        level, text if level == OK else text + remedy, {"position sigma [m]": f"{sigma_m:.3f}", "heading sigma [rad]": f"{sigma_rad:.4f}"}
    )


def _gnss(h: Health) -> Finding:
    verdict, watch = h.gnss, h.fixes
    values = {
        "state": verdict.state.value,
        "reason": verdict.reason,
        "test of the fix": f"{verdict.fix_test:.2f}",
        "test of the mean": f"{verdict.mean_test:.2f}",
        "fixes": watch.count,
        "refused": watch.refused,
        "last refusal": watch.last_refusal,
    }
    if not watch.count:
        return Finding(OK, "no receiver, and none is needed", values)
    remedy = "; its fixes are not used; multipath, jamming or spoofing, or is the map's datum shifted?"
    judged = {
        GnssState.UNCHECKED: (OK, f"not compared yet: {verdict.reason}"),
        GnssState.CONSISTENT: (OK, verdict.reason),
        GnssState.SUSPECT: (WARN, verdict.reason + remedy),
        GnssState.REJECTED: (ERROR, verdict.reason + remedy),
    }[verdict.state]
    c = h.config
    share = watch.refused_share(c.window_s)
    level, text = _worst(
        judged, (_above(share, c.refused_warn, c.refused_error), f"{share:.0%} refused, the last because: {watch.last_refusal}")
    )
    return Finding(level, text, values)


def _memory(h: Health) -> Finding:
    c, mb, growth = h.config, h.memory.now_mb, h.memory.growth_mb_per_min
    level = max(_above(mb, c.memory_warn_mb, c.memory_error_mb), _above(growth or 0.0, c.growth_warn_mb_per_min, c.growth_error_mb_per_min))
    grows = "" if growth is None else f", {growth:+.1f} MB/min"
    text = f"{mb:.0f} MB{grows}"
    values = {"resident [MB]": f"{mb:.0f}", "growth [MB/min]": "unknown yet" if growth is None else f"{growth:.2f}"}
    return Finding(level, text if level == OK else f"{text}; restart the node when the car stands, and report it", values)


def _last_pose(h: Health) -> Finding:
    failure = h.last_pose_failure
    if failure is None:
        return Finding(OK, "not kept: the parameter last_pose_file is empty", {"failure": ""})
    return Finding(WARN if failure else OK, failure or "kept", {"failure": failure})
