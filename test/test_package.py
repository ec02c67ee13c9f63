# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ROS package: metadata, what colcon makes of it, launch and parameter files."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from catkin_pkg.package import parse_package

from urban_map_loc import __version__
from urban_map_loc.ros.middleware import PROFILE_VARIABLES, prepare_environment
from urban_map_loc.ros.parameters import default_of, settings

ROOT = Path(__file__).resolve().parents[1]
# ROS packages that code may import where they exist and does without where not.
OPTIONAL = {"tf2_msgs", "tf2_ros"}


def dependencies() -> set[str]:
    return {e.text for e in ElementTree.parse(ROOT / "package.xml").getroot() if e.tag.endswith("depend")}


def test_one_version():
    root = ElementTree.parse(ROOT / "package.xml").getroot()
    assert root.findtext("version") == __version__
    assert f'version="{__version__}"' in (ROOT / "setup.py").read_text()
    assert root.get("format") == "3"
    assert root.findtext("license") == "Apache-2.0"


def test_package_xml_names_every_ros_package_that_is_imported():
    imported = set()
    for path in [*(ROOT / "urban_map_loc" / "ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {a.name.split(".")[0] for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    ours = {"urban_map_loc", "numpy", "torch", *sys.stdlib_module_names}
    assert imported - ours <= dependencies()
    assert dependencies() >= OPTIONAL


def test_package_xml_is_valid():
    """As catkin_pkg has it, the format's own reader, by which colcon builds; and no warning of it."""
    warnings: list[str] = []
    package = parse_package(ROOT / "package.xml", warnings=warnings)
    package.validate(warnings=warnings)
    assert not warnings


def test_colcon_runs_the_tests_with_pytest():
    """Without this colcon falls back to unittest, finds no test and says that all is well."""
    assert 'extras_require={"test": ["pytest"]' in (ROOT / "setup.py").read_text()


@pytest.mark.parametrize("path", [*ROOT.glob("*.xml"), *(ROOT / "config").rglob("*.xml")], ids=lambda p: p.name)
def test_xml_is_well_formed(path):
    assert ElementTree.parse(path).getroot().tag


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The package as colcon installs it."""
    root = tmp_path_factory.mktemp("workspace")
    source = root / "src" / "urban_map_loc"
    parts = ("package.xml", "setup.py", "setup.cfg", "resource", "launch", "config", "urban_map_loc")
    for part in parts:
        place = source / part
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, place)
    environment = {**os.environ, "AMENT_PREFIX_PATH": sys.prefix, "COLCON_LOG_PATH": str(root / "log"), "HOME": str(root)}
    colcon = Path(sys.executable).with_name("colcon")
    done = subprocess.run([colcon, "build"], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "install" / "urban_map_loc"


def test_colcon_builds_a_ros_package(installed):
    # An invalid package.xml only warns and builds plain Python: this marker tells a ROS package from that.
    assert (installed / "share/ament_index/resource_index/packages/urban_map_loc").is_file()
    assert os.access(installed / "lib/urban_map_loc/localizer_node", os.X_OK)
    assert os.access(installed / "lib/urban_map_loc/urban_map_loc", os.X_OK)
    share = installed / "share/urban_map_loc"
    for file in (
        "package.xml",
        *(f"launch/{path.name}" for path in (ROOT / "launch").glob("*.launch.py")),
        *(str(path.relative_to(ROOT)) for path in (ROOT / "config").rglob("*") if path.is_file()),
    ):
        assert (share / file).read_bytes() == (ROOT / file).read_bytes()


def test_ament_index_finds_it_and_the_installed_code_finds_its_files(installed):
    code = (
        "from ament_index_python.packages import get_package_share_path as share; import urban_map_loc.ros.middleware as m;"
        "print(share('urban_map_loc')); print(m.__file__); print(m.shared_file('config', m.PROFILE_NAME))"
    )
    (site,) = installed.glob("lib/python*/site-packages")
    paths = {"PYTHONPATH": str(site), "AMENT_PREFIX_PATH": f"{installed}{os.pathsep}{sys.prefix}"}
    environment = {**os.environ, **paths}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=installed)
    share, module, profile = done.stdout.split()
    assert share == str(installed / "share/urban_map_loc")
    assert module.startswith(str(site))
    assert profile == str(installed / "share/urban_map_loc/config/fastdds_large_clouds.xml")


def test_parameter_file_names_only_what_exists_and_says_the_defaults():
    given = yaml.safe_load((ROOT / "config/localize.yaml").read_text())["/**"]["ros__parameters"]

    def flat(values, prefix=""):
        for key, value in values.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value

    known = {name: default_of(field) for name, field, _ in settings()}
    stated = dict(flat(given))
    assert len(stated) > 10
    for name, value in stated.items():
        assert name in known
        assert (value, type(value)) == (known[name], type(known[name])), name


def test_settings_of_node_and_localizer_do_not_share_names():
    names = [name for name, _, _ in settings()]
    assert len(names) == len(set(names))


def test_users_own_middleware_settings_stay():
    environment = {PROFILE_VARIABLES[0]: "mine.xml", "HOME": "/home/me"}
    prepare_environment(environment)
    assert environment == {PROFILE_VARIABLES[0]: "mine.xml", "HOME": "/home/me"}


def test_without_settings_large_clouds_and_a_log_folder_are_prepared():
    environment: dict[str, str] = {}
    prepare_environment(environment)
    assert {environment[name] for name in PROFILE_VARIABLES} == {str(ROOT / "config/fastdds_large_clouds.xml")}
    assert environment["ROS_LOG_DIR"]
