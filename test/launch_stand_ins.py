# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for `launch` and `launch_ros`: they remember what a launch file says, to be read where ROS's launch is not installed.

Only names that exist in ROS's launch are here: a launch file that uses another fails, here as there.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import ament_index_python.packages

ROOT = Path(__file__).resolve().parents[1]


class Remembered:
    """Any action, substitution or condition: its arguments."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def __repr__(self):
        return f"{type(self).__name__}{self.args}{self.kwargs}"


class LaunchDescription(Remembered):
    @property
    def entities(self):
        return self.args[0]


class DeclareLaunchArgument(Remembered):
    def __init__(self, name, *, default_value=None, description=None, choices=None):
        self.name, self.default_value, self.description = name, default_value, description


class LaunchConfiguration(Remembered):
    def perform(self, context):
        return context[self.args[0]]


MODULES = {
    "launch": (LaunchDescription, "LaunchContext"),
    "launch.actions": (
        DeclareLaunchArgument,
        *("EmitEvent", "ExecuteProcess", "IncludeLaunchDescription", "OpaqueFunction", "RegisterEventHandler", "SetEnvironmentVariable"),
    ),
    "launch.conditions": ("IfCondition",),
    "launch.event_handlers": ("OnProcessExit",),
    "launch.events": ("Shutdown",),
    "launch.launch_description_sources": ("PythonLaunchDescriptionSource",),
    "launch.substitutions": (LaunchConfiguration, "PathJoinSubstitution"),
    "launch_ros": (),
    "launch_ros.actions": ("Node",),
    "launch_ros.parameter_descriptions": ("ParameterValue",),
    "launch_ros.substitutions": ("ExecutableInPackage",),
}


def install(monkeypatch) -> None:
    """Put them in place of the real ones while a test runs; the package's share folder is the source tree."""
    for name, contents in MODULES.items():
        module = ModuleType(name)
        for content in contents:
            kind = type(content, (Remembered,), {}) if isinstance(content, str) else content
            setattr(module, kind.__name__, kind)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(ament_index_python.packages, "get_package_share_path", lambda package: ROOT)


def launch_file(name: str) -> ModuleType:
    """A launch file as a module."""
    spec = importlib.util.spec_from_file_location(name.replace(".", "_"), ROOT / "launch" / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
