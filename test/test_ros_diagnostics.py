# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The rules of docs/diagnostics.md: each status at its thresholds, and what a graph looks like when something is missing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from ros_bench import COVARIANCE, Bench, FakeLocalizer
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from urban_map_loc.config import DiagnosticsConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.gnss_monitor import GnssState, GnssVerdict
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate, State
from urban_map_loc.ros import diagnostics, health
from urban_map_loc.ros.health import Health, MemoryWatch
from urban_map_loc.settings import flat_settings

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
DOC = Path(__file__).resolve().parents[1] / "docs" / "diagnostics.md"


@pytest.fixture
def now(monkeypatch):
    """The monotonic clock, in a list of one."""
    clock = [1000.0]
    monkeypatch.setattr(health.time, "monotonic", lambda: clock[0])
    return clock


def active(**config) -> Health:
    h = Health("a.gpkg (1234)", "m.safetensors", replace(DiagnosticsConfig(), **config))
    h.activate()
    return h


def answer(h, state=State.LOCKED, score=0.9, covariance=COVARIANCE / 100.0, latency_ms=20.0, skipped=False, gnss=None):
    estimate = PoseEstimate(Pose2.identity(), covariance, score) if state is State.LOCKED else None
    gnss = gnss or GnssVerdict()
    h.saw_result(LocalizationResult(1.0, state, "because", skipped=skipped, estimate=estimate, gnss=gnss), latency_ms)


def judged(h, subject) -> DiagnosticStatus:
    array = diagnostics.message(Header(), "/car/urban_map_loc", h)
    assert [s.name for s in array.status] == [f"car/urban_map_loc: {name}" for name in diagnostics.NAMES]
    (status,) = (s for s in array.status if s.name.endswith(f": {subject}"))
    assert "\n" not in status.message
    return status


def feed(watch, now, rate_hz, delay_s=0.01, seconds=5.0):
    for _ in range(int(seconds * rate_hz) + 1):
        watch.saw(delay_s)
        now[0] += 1.0 / rate_hz


@pytest.mark.parametrize(("state", "level"), [(State.LOCKED, OK), (State.INITIALIZING, WARN), (State.LOST, ERROR)])
def test_state(now, state, level):
    h = active()
    answer(h, state)
    status = judged(h, "localization")
    assert (status.level, "because" in status.message) == (level, True)


@pytest.mark.parametrize(
    ("topic", "rate_hz", "level"),
    [
        ("points", 10.0, OK), ("points", 3.0, WARN), ("points", 0.8, ERROR),
        ("odometry", 50.0, OK), ("odometry", 10.0, WARN), ("odometry", 3.0, ERROR),
    ],
)  # fmt: skip
def test_rates(now, topic, rate_hz, level):
    h = active()
    feed(getattr(h, topic), now, rate_hz)
    assert judged(h, topic).level == level


@pytest.mark.parametrize("topic", ["points", "odometry"])
@pytest.mark.parametrize(("delay_s", "level"), [(0.1, OK), (0.5, WARN), (2.0, ERROR), (-0.5, WARN), (-2.0, ERROR)])
def test_delays(now, topic, delay_s, level):
    h = active()
    feed(getattr(h, topic), now, 20.0, delay_s)
    status = judged(h, topic)
    assert status.level == level
    if level != OK:
        assert ("ahead of the clock" if delay_s < 0.0 else "behind the clock") in status.message


@pytest.mark.parametrize("topic", ["points", "odometry"])
def test_silence(now, topic):
    h = active()
    assert judged(h, topic).level == OK  # it has only just begun
    now[0] += 3.0
    assert (judged(h, topic).level, "ros2 topic info" in judged(h, topic).message) == (ERROR, True)
    feed(getattr(h, topic), now, 20.0)
    assert judged(h, topic).level == OK
    now[0] += 3.0
    assert "no " in judged(h, topic).message
    assert judged(h, topic).level == ERROR
    h.activate()  # a pause is no silence
    assert judged(h, topic).level == OK


def test_refused_messages_and_other_frames(now):
    h = active()
    feed(h.odometry, now, 20.0)
    h.odometry.complaint = "odometry is of frame 'imu'"
    assert (judged(h, "odometry").level, judged(h, "odometry").message) == (WARN, "odometry is of frame 'imu'")
    for _ in range(90):
        h.odometry.refuse("is not finite")
    assert judged(h, "odometry").level == ERROR
    assert "is not finite" in judged(h, "odometry").message


def test_age_of_the_last_fix(now):
    h = active()
    assert judged(h, "fix age").level == WARN
    answer(h)
    levels = []
    for age_s in (0.5, 5.0, 20.0):
        now[0] = 1000.0 + age_s
        levels.append(judged(h, "fix age").level)
    assert levels == [OK, WARN, ERROR]


@pytest.mark.parametrize(
    ("subject", "given", "level"),
    [
        ("map agreement", {"score": 0.9}, OK),
        ("map agreement", {"score": 0.5}, WARN),
        ("map agreement", {"score": 0.3}, ERROR),
        ("map agreement", {"state": State.LOST}, OK),
        ("latency", {"latency_ms": 20.0}, OK),
        ("latency", {"latency_ms": 200.0}, WARN),
        ("latency", {"latency_ms": 700.0}, ERROR),
        ("covariance", {"covariance": np.diag([0.1, 0.1, 1e-4])}, OK),
        ("covariance", {"covariance": np.diag([0.1, 9.0, 1e-4])}, WARN),
        ("covariance", {"covariance": np.diag([0.1, 0.1, 0.01])}, WARN),
        ("covariance", {"covariance": np.array([[20.0, 19.0, 0.0], [19.0, 20.0, 0.0], [0.0, 0.0, 1e-4]])}, ERROR),
        ("covariance", {"covariance": np.diag([0.1, 0.1, 0.09])}, ERROR),
        ("covariance", {"state": State.INITIALIZING}, OK),
    ],
)
def test_answers(now, subject, given, level):
    h = active()
    answer(h, **given)
    assert judged(h, subject).level == level


@pytest.mark.parametrize(("dropped", "level"), [(0, OK), (1, WARN), (30, ERROR)])
def test_dropped_clouds(now, dropped, level):
    h = Health("a", "m", DiagnosticsConfig(), lambda: dropped)
    h.activate()
    for _ in range(10):
        answer(h)
    assert judged(h, "dropped clouds").level == level
    now[0] += 11.0
    assert judged(h, "dropped clouds").level == OK  # that was long ago


@pytest.mark.parametrize(("skipped", "level"), [(0, OK), (3, WARN), (10, ERROR)])
def test_skipped_clouds(now, skipped, level):
    h = active()
    for k in range(10):
        answer(h, skipped=k < skipped)
    status = judged(h, "skipped clouds")
    assert (status.level, "because" in status.message) == (level, skipped > 0)


@pytest.mark.parametrize(
    ("state", "level"), [(GnssState.UNCHECKED, OK), (GnssState.CONSISTENT, OK), (GnssState.SUSPECT, WARN), (GnssState.REJECTED, ERROR)]
)
def test_gnss(now, state, level):
    h = active()
    answer(h, gnss=GnssVerdict(state, 5.0, 2.0, "off by 12 m"))
    assert judged(h, "gnss").level == OK  # no receiver
    feed(h.fixes, now, 5.0)
    status = judged(h, "gnss")
    assert (status.level, "off by 12 m" in status.message) == (level, True)


def test_memory(now, monkeypatch):
    h = active()
    assert judged(h, "memory").level == OK
    assert 10.0 < h.memory.now_mb < 1e5
    assert h.memory.growth_mb_per_min is None
    h.config = replace(h.config, memory_warn_mb=1.0)
    assert judged(h, "memory").level == WARN
    h.config = replace(h.config, memory_error_mb=1.0)
    assert judged(h, "memory").level == ERROR


@pytest.mark.parametrize(("mb_per_min", "level"), [(0.1, OK), (10.0, WARN), (100.0, ERROR)])
def test_growth_of_memory(now, monkeypatch, mb_per_min, level):
    h = active()
    monkeypatch.setattr(MemoryWatch, "look", lambda watch: watch._samples.append((now[0], 500.0 + mb_per_min * (now[0] - 1000.0) / 60.0)))
    for _ in range(40):
        now[0] += 10.0
        status = judged(h, "memory")
    assert h.memory.growth_mb_per_min == pytest.approx(mb_per_min)
    assert status.level == level


def test_a_paused_node_complains_of_nothing_but_its_pause(now):
    h = active()
    answer(h, State.LOST)
    h.active = False
    now[0] += 100.0
    array = diagnostics.message(Header(), "/n", h)
    assert [s.level for s in array.status if s.level != OK] == [WARN]
    assert array.status[0].message == "inactive: activate the node"


def test_docs_name_every_status_and_every_threshold():
    text = DOC.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)
    assert rows[: len(diagnostics.NAMES)] == list(diagnostics.NAMES)
    for name, _, _ in flat_settings(DiagnosticsConfig):
        assert f"`{name}`" in text, name


def test_a_publisher_that_dies_is_noticed_and_its_successor_heard(ros_context):
    quick = {"diagnostics.silent_error_s": 0.3, "diagnostics.delay_error_s": 1e12, "diagnostics.delay_warn_s": 1e12}
    b = Bench(ros_context, FakeLocalizer(), **quick)
    b.send(1.0)
    b.send(1.1)
    b.peer.destroy_publisher(b.points)
    b.spin_until(lambda: b.diagnosis("points")[0].level == ERROR)
    assert "no clouds for" in b.diagnosis("points")[0].message
    b.points = b.peer.create_publisher(PointCloud2, "points", 10)
    b.spin_until(b.connected)
    b.send(1.2)
    b.close()
