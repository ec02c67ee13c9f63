# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Faults of files and processes under a running node: a full disk, a model that is replaced, a kill; see docs/faults.md."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from drives import untrained
from ros_bench import FakeLocalizer, lock
from sensor_msgs.msg import NavSatStatus
from test_ros_process import WITH_FAKE, listening, publish_until
from towns import crossing

from urban_map_loc.config import LocalizerConfig
from urban_map_loc.errors import OutputError
from urban_map_loc.evaluation.run_files import RunWriter
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate, State
from urban_map_loc.mapnet.checkpoint import load_checkpoint, save_checkpoint
from urban_map_loc.ros.last_pose import LastPoseKeeper

WARN = DiagnosticStatus.WARN
AREA = crossing()


# -- disk full


@contextmanager
def full_disk(limit_bytes: int = 10) -> Iterator[None]:
    """No file may grow beyond so many bytes: the system itself refuses, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_older_last_pose_whole_and_is_said_once(tmp_path):
    path, said = tmp_path / "last_pose.json", []
    keeper = LastPoseKeeper(path, AREA.plane, 0.0, said.append)

    def saw(stamp_s: float) -> float:
        keeper.saw(stamp_s, PoseEstimate(Pose2(1.0, 2.0, 0.5), np.eye(3), 0.9))
        return json.loads(path.read_text())["stamp_s"]

    assert saw(1.0) == 1.0
    with full_disk():
        assert saw(2.0) == saw(3.0) == 1.0
        failure = keeper.failure
    assert "cannot be written" in failure
    assert "free some space" in failure
    assert said == [f"last pose: {failure}"]
    assert [left.name for left in tmp_path.iterdir()] == [path.name]
    assert (saw(4.0), keeper.failure) == (4.0, "")


def test_a_full_disk_ends_a_run_in_one_line_and_leaves_no_half_of_it(tmp_path):
    def write() -> None:
        with RunWriter(tmp_path / "run", AREA, LocalizerConfig(), files={}) as run:
            for _ in range(1000):
                run.add(LocalizationResult(1.0, State.INITIALIZING, "because"), 1.0)

    with pytest.raises(OutputError, match="free some space"), full_disk(1000):
        write()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_in_diagnostics_and_the_position_is_offered_all_the_same(bench, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    b = bench(last_pose_file=str(tmp_path / "last_pose.json"), last_pose_period_s=0.1)
    monkeypatch.setattr(Path, "write_text", full)
    lock(b)
    b.spin_until(lambda: b.node._parts.keeper.failure)
    status, _ = b.diagnosis("last pose")
    assert status.level == WARN
    assert "No space left on device; choose another place or free some space" in status.message
    assert b.send(1.4).status.status == NavSatStatus.STATUS_FIX
    monkeypatch.undo()
    time.sleep(0.1)  # the period
    b.send(1.5)
    b.spin_until(lambda: not b.node._parts.keeper.failure)
    assert b.diagnosis("last pose")[0].message == "kept"


# -- files


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_checkpoint(untrained(AREA), path)
    return path


def test_a_model_in_memory_does_not_need_its_file_any_more(model):
    checkpoint = load_checkpoint(model)
    assert str(model) not in Path("/proc/self/maps").read_text()  # else cutting the file short would end the process
    assert checkpoint.area_hash == AREA.content_hash


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "damaged"),
        (lambda path: save_checkpoint(replace(load_checkpoint(path), area_hash="0" * 64), path), "was trained on area"),
    ],
)
def test_a_model_that_is_replaced_is_looked_at_at_the_next_configure_and_refused_if_wrong(bench, model, tmp_path, change, reason):
    path = tmp_path / "m.safetensors"
    path.write_bytes(model.read_bytes())
    b = bench(start=False, autostart=False, model=str(path))

    def load(area, model_path, config):
        load_checkpoint(model_path).check_area(AREA, str(area))
        return FakeLocalizer()

    b.node._load = load
    b.node.start()
    b.spin_until(b.connected)
    lock(b)
    change(path)
    assert b.send(1.4).status.status == NavSatStatus.STATUS_FIX  # what runs is not disturbed
    b.node.trigger_deactivate()
    b.node.trigger_cleanup()
    with pytest.raises(Exception, match=reason) as refused:
        b.node.start()
    assert "\n" not in str(refused.value)
    path.write_bytes(model.read_bytes())
    b.node.start()
    b.spin_until(b.connected)
    lock(b, 3.0)


# -- killed


def test_a_node_that_is_killed_starts_again_with_the_last_pose_as_a_hint(ros_environment, tmp_path):
    file = tmp_path / "last_pose.json"
    command = [sys.executable, "-c", WITH_FAKE, "--ros-args", "-p", "area:=a", "-p", "model:=m"]
    command += ["-p", f"last_pose_file:={file}", "-p", "last_pose_period_s:=0.1"]
    start = partial(subprocess.Popen, command, env=ros_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = start()
    try:
        with listening(ros_environment["ROS_DOMAIN_ID"]) as publishers:
            publish_until(publishers, file.exists)
        first.send_signal(signal.SIGKILL)
        assert first.wait(10) == -signal.SIGKILL
        kept = json.loads(file.read_text())
        second = start()
        with listening(ros_environment["ROS_DOMAIN_ID"]) as publishers:
            publish_until(publishers, lambda: json.loads(file.read_text())["stamp_s"] > 99.0, from_s=100.0)
        second.send_signal(signal.SIGTERM)
        _, err = second.communicate(timeout=15)
    finally:
        for process in (first, second):
            if process.poll() is None:
                process.kill()
            process.communicate()
    assert second.returncode == 0, err
    assert "looking first at last pose" in err
    assert kept["stamp_s"] < 99.0
