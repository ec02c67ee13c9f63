# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`doctor`: each check finds what it is for, with the remedy; a real graph is listened to over DDS; clouds are really sent."""

from __future__ import annotations

import importlib.util
import json
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from drives import untrained
from ros_bench import Bench, FakeLocalizer, cloud_message, odometry_message
from towns import crossing, one_block

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cli import main
from urban_map_loc.cloud.extrinsic import Extrinsic, FrameTree
from urban_map_loc.config import DoctorConfig
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.mapnet.checkpoint import save_checkpoint
from urban_map_loc.ros.doctor import examine as examination
from urban_map_loc.ros.doctor import localizer, machine, topics, transport
from urban_map_loc.ros.doctor.finding import Finding, Level, ok, run, wrong
from urban_map_loc.ros.doctor.graph import SECTORS, Graph, sketch
from urban_map_loc.ros.doctor.listening import Listener
from urban_map_loc.ros.middleware import PROFILE_VARIABLES

CONFIG = DoctorConfig()
GRAPH_CHECKS = (*localizer.CHECKS, *topics.CHECKS)
PARAMETERS = {"use_sim_time": False, "odom_frame": "odom", "base_frame": "base_link", "cloud_frames": ("base_link",), "sensor_frame": ""}


def healthy() -> Graph:
    """Three seconds of 10 Hz clouds and 50 Hz odometry at 5 m/s."""
    graph = Graph("/urban_map_loc", 3.0, ("/driver", "/urban_map_loc", "/wheels"), "active", dict(PARAMETERS))
    for heard, rate, name, frame in (
        (graph.clouds, 10, "/driver", ("base_link", "")),
        (graph.odometry, 50, "/wheels", ("odom", "base_link")),
    ):
        heard.types, heard.publishers, heard.frames = (heard.wanted,), (name,), {frame}
        heard.arrivals = [k / rate for k in range(3 * rate)]
        heard.stamps = [1e9 + k / rate for k in range(3 * rate)]
        heard.ages = [0.02] * (3 * rate)
    graph.poses = [Pose2(0.1 * k, 0.0, 0.0) for k in range(150)]
    graph.sketches = [np.full(SECTORS, 10.0 + 0.5 * k) for k in range(30)]
    graph.statuses = {"urban_map_loc: localization": (0, "locked")}
    return graph


def wrongs(found: list[Finding]) -> list[Finding]:
    return [f for f in found if f.level is Level.WRONG]


def test_a_healthy_graph_has_nothing_wrong():
    found = run(GRAPH_CHECKS, healthy(), CONFIG)
    assert not wrongs(found)
    assert {f.check for f in found} == {"localizer", "clock", "extrinsic", "diagnostics", "topics", "rates", "stamps", "frames", "movement"}


def shifted(graph: Graph, seconds: float) -> None:
    graph.clouds.ages = [age + seconds for age in graph.clouds.ages]


def frozen(graph: Graph) -> None:
    graph.sketches = [np.full(SECTORS, 10.0)] * 30


def standing(graph: Graph) -> None:
    graph.poses = [Pose2(0.0, 0.0, 0.0)] * 150


def tf_says(graph: Graph, x: float) -> None:
    graph.parameters |= {"sensor_frame": "lidar", "extrinsic": (1.0, 0.0, 1.8, 0.0, 0.0, 0.0)}
    graph.clouds.frames = {("lidar", "")}
    graph.static_frames = FrameTree()
    graph.static_frames.add("base_link", "lidar", Extrinsic.from_xyz_rpy((x, 0.0, 1.8, 0.0, 0.0, 0.0)))


FAULTS = {
    "topics: nobody publishes /odom": lambda g: setattr(
        g, "odometry", replace(g.odometry, publishers=(), arrivals=[], stamps=[], types=())
    ),
    "topics: /points is of type sensor_msgs/msg/LaserScan": lambda g: setattr(g.clouds, "types", ("sensor_msgs/msg/LaserScan",)),
    "topics: /odom has 2 publishers: /a, /b": lambda g: setattr(g.odometry, "publishers", ("/a", "/b")),
    "topics: /points is published by /driver, but nothing came": lambda g: setattr(g.clouds, "arrivals", []),
    "topics: /points: cloud has no field z": lambda g: setattr(g, "undecodable", "cloud has no field z; publish x, y and z"),
    "rates: /odom: 5.0 Hz, below 20 Hz": lambda g: setattr(g.odometry, "arrivals", [0.2 * k for k in range(15)]),
    "rates: /points: 100.0 Hz, above": lambda g: setattr(g.clouds, "arrivals", [0.01 * k for k in range(30)]),
    "stamps: /points: stamps are 0.48 s ahead of this machine's clock": lambda g: shifted(g, -0.5),
    "stamps: /points: stamps are 30.02 s behind": lambda g: shifted(g, 30.0),
    "stamps: /points: stamps are 0": lambda g: setattr(g.clouds, "stamps", [0.0] * 30),
    "stamps: /odom: stamps go back by up to 2.00 s": lambda g: g.odometry.stamps.append(g.odometry.stamps[-1] - 2.0),
    "stamps: /points: the stamp never changes": lambda g: setattr(g.clouds, "stamps", [1e9] * 30),
    "stamps: the newest cloud is 4.92 s ahead": lambda g: setattr(g.clouds, "stamps", [s + 5.0 for s in g.clouds.stamps]),
    "frames: /odom is world to base_link, not odom": lambda g: setattr(g.odometry, "frames", {("world", "base_link")}),
    "movement: odometry moved 14.9 m while the clouds stayed the same": frozen,
    "movement: odometry moved 14.9 m while": lambda g: setattr(g, "same_bytes", True),
    "movement: the clouds changed by 14.5 m while odometry moved 0.00 m": standing,
    "localizer: 2 nodes are called /urban_map_loc": lambda g: setattr(g, "nodes", (*g.nodes, "/urban_map_loc")),
    "localizer: /urban_map_loc is inactive": lambda g: setattr(g, "state", "inactive"),
    "localizer: /urban_map_loc does not answer": lambda g: setattr(g, "state", ""),
    "clock: /clock is published, but": lambda g: setattr(g, "clock", True),
    "clock: the localizer's use_sim_time is true, but": lambda g: g.parameters.update(use_sim_time=True),
    "extrinsic: clouds are in lidar, whose place": lambda g: setattr(g.clouds, "frames", {("lidar", "")}),
    "extrinsic: parameter extrinsic and /tf_static place lidar 0.20 m": lambda g: tf_says(g, 1.2),
    "extrinsic: parameter extrinsic is all zeros": lambda g: (
        g.parameters.update(sensor_frame="lidar", extrinsic=(0.0,) * 6),
        setattr(g.clouds, "frames", {("lidar", "")}),
    ),
    "diagnostics: urban_map_loc: input: no clouds": lambda g: g.statuses.update({"urban_map_loc: input": (3, "no clouds; check")}),
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.items(), ids=FAULTS)
def test_each_fault_is_found_alone_and_with_a_remedy(text, fault):
    graph = healthy()
    fault(graph)
    (found,) = wrongs(run(GRAPH_CHECKS, graph, CONFIG))
    assert f"{found.check}: {found.text}".startswith(text)
    assert len(found.remedy) > 4


def test_extrinsics_that_agree_are_fine():
    graph = healthy()
    tf_says(graph, 1.02)
    assert not wrongs(run(GRAPH_CHECKS, graph, CONFIG))


@pytest.mark.parametrize(("looked_for", "level"), [(False, Level.NOTE), (True, Level.WRONG)])
def test_a_graph_without_the_localizer(looked_for, level):
    (found,) = run(GRAPH_CHECKS, Graph("/urban_map_loc", looked_for=looked_for, nodes=("/car1/urban_map_loc",)), CONFIG)
    assert found.level is level
    assert "--node" in found.remedy
    assert "/car1/urban_map_loc" in found.remedy


def test_area_and_model_are_compared(tmp_path):
    write_area(crossing(), tmp_path / "a.gpkg")
    write_area(one_block(), tmp_path / "other.gpkg")
    save_checkpoint(untrained(crossing()), tmp_path / "m")
    (tmp_path / "damaged").write_bytes(b"no model")

    def compared(area: str, model: str) -> Finding:
        graph = replace(healthy(), area=str(tmp_path / area), model=str(tmp_path / model))
        (found,) = run((localizer.files,), graph, CONFIG)
        return found

    assert compared("a.gpkg", "m").level is Level.OK
    other = compared("other.gpkg", "m")
    assert other.level is Level.WRONG
    assert crossing().content_hash[:12] in other.text
    assert one_block().content_hash[:12] in other.text
    assert compared("a.gpkg", "damaged").level is Level.WRONG
    assert compared("a.gpkg", "nowhere").level is Level.NOTE


def test_a_sketch_is_of_what_stands_above_the_ground():
    ground = np.array([[3.0, 0.0, -1.8], [0.0, 4.0, -1.8]])
    seen = sketch(np.array([*ground, [20.0, 0.1, 1.0], [10.0, 0.1, 1.0]]))
    assert np.nanmin(seen) == np.nanmax(seen) == pytest.approx(10.0005)
    assert np.isfinite(seen).sum() == 1
    assert np.isnan(sketch(np.empty((0, 3)))).all()


def test_a_check_that_fails_itself_does_not_silence_the_others():
    def breaks(config):
        raise ZeroDivisionError("oh")

    def works(config):
        yield ok("fine")

    broken, fine = run((breaks, works), CONFIG)
    assert (broken.level, broken.check, fine.text) == (Level.WRONG, "breaks", "fine")


# -- this machine


def test_this_machine_runs_the_robot():
    assert not wrongs(run(machine.CHECKS, CONFIG))


def test_what_is_missing_is_named_with_what_it_serves(monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(machine, "find_spec", lambda name: None if name in ("numba", "osmnx", "rclpy", "tf2_ros") else there(name))
    found = run(machine.CHECKS, CONFIG)
    (missing,) = wrongs(found)
    assert missing.text == "numba is not installed, needed for ray casting and extraction"
    notes = {f.text for f in found if f.level is Level.NOTE}
    assert "osmnx is not installed, needed for area build --place and --bbox" in notes
    assert any("rclpy is not installed" in text for text in notes)


def test_two_ros_installations_in_one_shell(monkeypatch):
    monkeypatch.setattr(machine.sys, "prefix", str(machine.Path(importlib.util.find_spec("rclpy").origin).parents[2]))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{os.sep}opt/ros/jazzy")
    assert "mixed" in wrongs(run((machine.ros_installation,), CONFIG))[0].text


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(machine, "OLDEST_PYTHON", (9, 0))
    assert wrongs(run((machine.python,), CONFIG))


# -- between processes


def profile_finding(monkeypatch, **environment) -> Finding:
    for name in (*PROFILE_VARIABLES, "RMW_IMPLEMENTATION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (found,) = run((transport.large_clouds_profile,), CONFIG)
    return found


def test_the_profile_for_large_clouds(monkeypatch, tmp_path):
    missing = profile_finding(monkeypatch)
    assert missing.level is Level.NOTE
    assert "fastdds_large_clouds.xml" in missing.remedy
    assert profile_finding(monkeypatch, RMW_IMPLEMENTATION="rmw_cyclonedds_cpp").level is Level.OK
    assert profile_finding(monkeypatch, **{PROFILE_VARIABLES[0]: str(tmp_path / "nowhere.xml")}).level is Level.WRONG
    (tmp_path / "mine.xml").touch()
    assert profile_finding(monkeypatch, **{PROFILE_VARIABLES[1]: str(tmp_path / "mine.xml")}).level is Level.OK


def test_large_clouds_are_really_sent_between_two_processes(monkeypatch, ros_environment):
    monkeypatch.setenv("ROS_DOMAIN_ID", ros_environment["ROS_DOMAIN_ID"])
    (found,) = run((transport.large_clouds,), DoctorConfig(probe_period_s=0.05))
    assert found.level is Level.OK, found
    assert "of 10 clouds of 2 MB arrived" in found.text


def test_a_probe_whose_processes_do_not_find_each_other(monkeypatch, ros_environment):
    monkeypatch.setenv("ROS_DOMAIN_ID", ros_environment["ROS_DOMAIN_ID"])
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    (found,) = run((transport.large_clouds,), DoctorConfig(probe_start_s=1.0))
    assert "did not find each other" in found.text
    assert wrongs(run((transport.settings,), CONFIG))


@pytest.mark.parametrize(("arrived", "status", "complaint", "text"), [(2, 0, "", "8 of 10 clouds"), (0, 1, "a\nno rclpy", "no rclpy")])
def test_what_the_probe_makes_of_it(arrived, status, complaint, text):
    found = transport._judged(arrived, status, complaint, CONFIG)
    assert found.level is Level.WRONG
    assert text in found.text


def test_shared_memory_that_is_full(monkeypatch):
    monkeypatch.setattr(transport.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1_000_000})())
    assert wrongs(run((transport.shared_memory,), CONFIG))


# -- a running graph, over DDS


def passing_by(k: int) -> np.ndarray:
    """A wall across the street that comes nearer."""
    return np.column_stack([np.full(50, 200.0 - k), np.linspace(-9, 9, 50), np.linspace(0, 3, 50)])


@contextmanager
def running(context, message_age_s=0.0, points=passing_by):
    """A car with the localizer: clouds, and odometry twice as often, as fast as a busy test machine goes."""
    bench, stop = Bench(context, FakeLocalizer(), publish_tf=False), threading.Event()

    def drive():
        k = 0
        while not stop.is_set():
            now = time.time() - message_age_s
            bench.odom.publish(odometry_message(now, x=0.5 * k))
            if k % 2 == 0:
                bench.points.publish(cloud_message(now, points(k // 2)))
            k += 1
            bench.executor.spin_once(timeout_sec=0.0)
            stop.wait(0.018)

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        bench.close()


def heard_in(context, monkeypatch, **settings) -> Graph:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(context.get_domain_id()))
    with Listener("/urban_map_loc", DoctorConfig(listen_s=1.5, discovery_s=10.0, answer_s=10.0, **settings)) as listener:
        return listener.hear()


def test_a_running_graph_is_understood(ros_context, monkeypatch):
    with running(ros_context):
        graph = heard_in(ros_context, monkeypatch)
    assert graph.localizer_runs
    assert graph.state == "active"
    assert graph.parameters["area"] == "a.gpkg"
    assert graph.parameters["cloud_frames"] == ("base_link",)
    assert [h.publishers for h in graph.inputs] == [("/peer",), ("/peer",)]
    assert graph.odometry.rate_hz > graph.clouds.rate_hz > 0.0
    assert not graph.same_bytes
    graph.statuses.clear()  # the fake localizer's
    # Rates are those of a busy test machine.
    assert not [f for f in wrongs(run(GRAPH_CHECKS, graph, CONFIG)) if f.check != "rates"]


def test_a_graph_with_stale_stamps_and_a_frozen_lidar(ros_context, monkeypatch):
    with running(ros_context, message_age_s=20.0, points=lambda k: np.ones((50, 3))):
        graph = heard_in(ros_context, monkeypatch)
    found = {f.check: f.text for f in wrongs(run(GRAPH_CHECKS, graph, CONFIG))}
    assert "behind this machine's clock" in found["stamps"]
    assert "stayed the same" in found["movement"]
    assert graph.statuses


# -- the command


@pytest.fixture
def finds(monkeypatch):
    """Replace the examination by findings."""

    def replace_by(*found):
        monkeypatch.setattr(examination, "examine", lambda *_: list(found))

    return replace_by


def test_nothing_wrong_is_status_0(finds, capsys):
    finds(replace(ok("3.11"), check="python"))
    assert main.run(["doctor"]) == 0
    assert capsys.readouterr().out == "   ok  python: 3.11\n"


def test_something_wrong_is_status_1_with_the_remedy(finds, capsys):
    finds(replace(ok("3.11"), check="python"), replace(wrong("lost", "set it"), check="large clouds"))
    assert main.run(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert out.endswith("wrong  large clouds: lost\n       -> set it\n")
    assert err == "urban_map_loc doctor: 1 of 2 findings are wrong; each remedy stands with it\n"


def test_json(finds, capsys):
    finds(replace(wrong("lost", "set it"), check="large clouds"))
    assert main.run(["doctor", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said == {"wrong": 1, "findings": [{"level": "wrong", "text": "lost", "remedy": "set it", "check": "large clouds"}]}


def test_without_ros_the_machine_is_still_examined(monkeypatch, capsys):
    monkeypatch.setattr(examination, "find_spec", lambda name: None)
    monkeypatch.setattr(transport, "CHECKS", ())
    assert main.run(["doctor", "--seconds", "1"]) == 0
    assert "python" in capsys.readouterr().out
