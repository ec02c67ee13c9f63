# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Launch files without ROS's launch: arguments, what overrides what, and who publishes map to odom."""

from __future__ import annotations

import launch_stand_ins
import pytest
import yaml
from launch_stand_ins import ROOT, launch_file
from towns import DATUM, one_block

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.errors import AreaError
from urban_map_loc.ros.middleware import PROFILE_VARIABLES
from urban_map_loc.ros.parameters import settings

LOCALIZE = {"area", "model", "params_file", "use_sim_time", "publish_tf", "namespace", "points", "odom", "rviz"}
ARGUMENTS = {
    "localize.launch.py": LOCALIZE,
    "robotcar.launch.py": {"bag", "area", "model", "params_file", "rate", "wait", "rviz"},
    "demo.launch.py": {"folder", "rate", "rviz"},
    "with_robot_localization.launch.py": LOCALIZE - {"publish_tf"} | {"ekf_file", "navsat_file", "odom_tf", "altitude"},
}


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    for name in PROFILE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    launch_stand_ins.install(monkeypatch)


def entities(name: str, kind: str) -> list:
    found = launch_file(name).generate_launch_description().entities
    return [e for e in found if type(e).__name__ == kind]


def declared(name: str) -> dict:
    return {a.name: a for a in entities(name, "DeclareLaunchArgument")}


def nodes(name: str, **given) -> dict:
    """The nodes that a launch file starts, by their names, when the arguments are given."""
    (opaque,) = entities(name, "OpaqueFunction")
    context = {n: a.default_value for n, a in declared(name).items()} | given
    return {node.kwargs["name"]: node.kwargs for node in opaque.kwargs["function"](context)}


def test_every_launch_file_is_known_here():
    assert {p.name for p in (ROOT / "launch").iterdir() if p.suffix == ".py"} == set(ARGUMENTS)


@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS.items())
def test_arguments_are_the_documented_ones_and_described(name, arguments):
    found = declared(name)
    assert set(found) == arguments
    for argument in found.values():
        assert len(argument.description) > 10, argument.name
        assert argument.default_value is None or isinstance(argument.default_value, str), argument.name


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_including_file_passes_on_only_what_the_included_one_declares(name):
    for include in entities(name, "IncludeLaunchDescription"):
        included = include.args[0].args[0].rpartition("/")[2]
        passed = dict(include.kwargs["launch_arguments"])
        assert set(passed) <= ARGUMENTS[included]
        required = {n for n, a in declared(included).items() if a.default_value is None}
        assert required <= set(passed)
        for value in passed.values():
            if type(value).__name__ == "LaunchConfiguration":
                assert value.args[0] in ARGUMENTS[name]


@pytest.mark.parametrize("name", ARGUMENTS)
def test_files_named_by_default_exist(name):
    for argument in declared(name).values():
        if argument.name.endswith("_file"):
            assert argument.default_value.startswith(str(ROOT / "config"))
            assert yaml.safe_load(open(argument.default_value))  # noqa: PTH123, SIM115


def test_empty_arguments_leave_the_parameter_file_alone():
    file, overrides = nodes("localize.launch.py")["urban_map_loc"]["parameters"]
    assert file.args == ("params_file",)
    assert overrides == {}


def test_given_arguments_override_the_parameter_file_and_are_parameters():
    given = {"area": "a.gpkg", "model": "m", "use_sim_time": "true", "publish_tf": "false"}
    file, overrides = nodes("localize.launch.py", **given)["urban_map_loc"]["parameters"]
    assert file.args == ("params_file",)  # first: what follows overrides it
    assert overrides.keys() == given.keys()
    known = {name: kind for name, _, kind in settings()} | {"use_sim_time": bool}
    for name, value in overrides.items():
        assert value.args[0].args == (name,)
        assert value.kwargs == {"value_type": known[name]}


def test_the_middleware_is_prepared_where_nothing_is_set(monkeypatch):
    set_by = dict(e.args for e in entities("localize.launch.py", "SetEnvironmentVariable"))
    assert set_by == dict.fromkeys(PROFILE_VARIABLES, str(ROOT / "config/fastdds_large_clouds.xml"))
    monkeypatch.setenv(PROFILE_VARIABLES[1], "mine.xml")
    assert not entities("localize.launch.py", "SetEnvironmentVariable")


def test_a_namespace_moves_what_rviz_shows():
    assert nodes("localize.launch.py")["rviz_urban_map_loc"]["remappings"] == []
    remapped = dict(nodes("localize.launch.py", namespace="/car1/")["rviz_urban_map_loc"]["remappings"])
    shown = launch_file("localize.launch.py")
    assert set(remapped) == {f"/{topic}" for topic in (*shown.RVIZ_TOPICS, *shown.RVIZ_TOOLS)}
    assert all(to == f"/car1{name}" for name, to in remapped.items())


def test_robot_localization_gets_the_areas_datum_and_the_localizer_publishes_no_tf(tmp_path):
    write_area(one_block(), tmp_path / "a.gpkg")
    started = nodes("with_robot_localization.launch.py", area=str(tmp_path / "a.gpkg"))
    assert started.keys() == {"ekf_map", "ekf_odom", "fix_with_altitude", "navsat_transform"}
    (datum,) = (p["datum"] for p in started["navsat_transform"]["parameters"] if isinstance(p, dict) and "datum" in p)
    assert datum == [DATUM.lat_deg, DATUM.lon_deg, 0.0]
    (include,) = entities("with_robot_localization.launch.py", "IncludeLaunchDescription")
    assert dict(include.kwargs["launch_arguments"])["publish_tf"] == "false"
    # What one node gives, the next takes.
    filtered = dict(started["ekf_map"]["remappings"])["odometry/filtered"]
    assert dict(started["navsat_transform"]["remappings"])["odometry/filtered"] == filtered
    filled = dict(started["fix_with_altitude"]["remappings"])["fix_with_altitude"]
    assert dict(started["navsat_transform"]["remappings"])["gps/fix"] == filled


def test_a_missing_area_is_said_in_one_line(tmp_path):
    with pytest.raises(AreaError, match="does not exist"):
        nodes("with_robot_localization.launch.py", area=str(tmp_path / "a.gpkg"))


def test_one_filter_publishes_map_to_odom_and_only_the_other_odom_to_base_link():
    filters = {k: v["ros__parameters"] for k, v in yaml.safe_load((ROOT / "config/ekf.yaml").read_text()).items()}
    assert filters.keys() == {"/**/ekf_map", "/**/ekf_odom"}
    assert {name: f["world_frame"] for name, f in filters.items()} == {"/**/ekf_map": "map", "/**/ekf_odom": "odom"}
    for f in filters.values():
        vectors = {name: value for name, value in f.items() if name.endswith(("_config", "_covariance"))}
        assert all(len(v) == 15 for v in vectors.values())
        assert f["two_d_mode"]
        assert not any(v[i] for n, v in vectors.items() if n.endswith("_config") for i in (2, 3, 4))  # z, roll, pitch
    assert filters["/**/ekf_map"]["pose0"] == "urban_map_loc/pose"
    assert not any(name.startswith("pose") for name in filters["/**/ekf_odom"])  # continuous: nothing that jumps
