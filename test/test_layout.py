# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The layout keeps its promises: imports point downward, the robot starts without what only development needs, files stay short."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "urban_map_loc"
SOURCES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE = 300

EVERYONE = {"config", "settings", "errors", "output", "reading", "geometry", "__init__"}
ROBOT = {"area", "tile", "cloud", "mapnet", "localization"}
# Which rooms a room may import from, besides itself and what everyone may.
MAY_IMPORT = {
    "config": {"errors", "settings"},
    "settings": {"errors"},
    "errors": set(),
    "output": {"errors"},
    "reading": {"config", "errors"},
    "copyright_header": set(),
    "__init__": set(),
    "__main__": {"cli"},
    "geometry": {"errors", "output", "reading"},
    "area": set(),
    "tile": {"area"},
    "cloud": {"area", "mapnet", "tile"},
    "mapnet": {"area", "tile"},
    "localization": ROBOT,
    "ros": ROBOT,
    "training": ROBOT,
    "simulation": {"bags", *ROBOT},
    "bags": ROBOT,
    "evaluation": {"bags", *ROBOT},
    "baselines": {"bags", "training", *ROBOT},
    "cli": {"training", "simulation", "bags", "evaluation", "baselines", "ros", *ROBOT},
}
ROS = (
    "rclpy", "sensor_msgs", "nav_msgs", "geometry_msgs", "std_msgs", "std_srvs", "diagnostic_msgs", "rosgraph_msgs", "tf2_ros",
    "builtin_interfaces", "lifecycle_msgs", "rcl_interfaces", "tf2_msgs",
)  # fmt: skip
PICKLES = ("pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle")


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports_of(path: Path) -> list[str]:
    """Full names of everything a file imports, wherever in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downward(path):
    room = room_of(path)
    allowed = MAY_IMPORT[room] | {room}
    if room not in ("config", "settings", "errors", "output", "reading", "__init__", "geometry"):
        allowed |= EVERYONE
    for name in imports_of(path):
        top, *rest = name.split(".")
        if top == "urban_map_loc" and rest and (PACKAGE / rest[0]).exists() | (PACKAGE / f"{rest[0]}.py").exists():
            assert rest[0] in allowed, f"{room} imports {name}"
        assert top not in PICKLES, f"{path} imports {name}"
        if room != "ros":
            assert top not in ROS, f"{path} imports {name}: ROS belongs in ros/"


@pytest.mark.parametrize("room", ["config", "errors", "reading", "geometry", "__init__"])
def test_the_lowest_rooms_see_numpy_and_the_standard_library_only(room):
    for path in SOURCES:
        if room_of(path) == room:
            for name in imports_of(path):
                assert name.split(".")[0] in {*sys.stdlib_module_names, "numpy", "urban_map_loc"}, f"{path} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("room", sorted(p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"))
def test_every_room_says_what_it_is(room):
    assert ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")))


NOT_ON_THE_ROBOT = (
    "onnx", "onnxruntime", "onnxscript", "urban_map_loc.mapnet.export",
    "open3d", "cv2", "matplotlib", "pandas", "geopandas", "osmnx", "osmium", "rosbags", "requests", "rich", "pytest",
    "urban_map_loc.training", "urban_map_loc.simulation", "urban_map_loc.bags", "urban_map_loc.evaluation", "urban_map_loc.cli",
)  # fmt: skip


def loaded_by(code: str) -> set[str]:
    out = subprocess.run([sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


def test_the_robot_starts_without_what_only_development_needs():
    loaded = loaded_by("import urban_map_loc.ros.main, urban_map_loc.ros.node, urban_map_loc.localization.localizer")
    assert "urban_map_loc.localization.localizer" in loaded
    assert not loaded.intersection(NOT_ON_THE_ROBOT)


def test_help_is_quick_because_it_loads_nothing_heavy():
    loaded = loaded_by("from urban_map_loc.cli.main import parser\nparser().format_help()")
    heavy = {"numpy", "torch", "scipy", "shapely", "numba", "rclpy", "matplotlib", "rich", "open3d"}
    assert not loaded.intersection(heavy - {"numpy"})
