# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checks of this machine: Python, packages, GPU, ROS installations. No rclpy."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from urban_map_loc.config import DoctorConfig
from urban_map_loc.ros.doctor.finding import Check, Finding, note, ok, wrong


class Package(NamedTuple):
    """A Python package: what is imported, what is installed, and what needs it; `robot`: the node does."""

    module: str
    distribution: str
    serves: str
    robot: bool = False


PACKAGES = (
    Package("numpy", "numpy", "everything", robot=True),
    Package("scipy", "scipy", "the map's distances", robot=True),
    Package("numba", "numba", "ray casting and extraction", robot=True),
    Package("torch", "torch", "MapNet", robot=True),
    Package("safetensors", "safetensors", "model files", robot=True),
    Package("shapely", "shapely", "buildings and roads", robot=True),
    Package("pyogrio", "pyogrio", "area files", robot=True),
    Package("rosbags", "rosbags", "localize, play, simulate, convert"),
    Package("osmium", "osmium", "area build"),
    Package("osmnx", "osmnx", "area build --place and --bbox"),
    Package("open3d", "open3d-cpu", "simulate"),
    Package("cv2", "opencv-python-headless", "stereo pairs"),
    Package("matplotlib", "matplotlib", "pictures and reports"),
    Package("rich", "rich", "progress bars"),
    Package("onnxruntime", "onnxruntime", "export --format onnx"),
)
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 12)
INSTALL = "install it: `make setup`, or pip with the version in requirements.txt"


def python(config: DoctorConfig) -> Iterator[Finding]:
    """The interpreter."""
    text = f"{sys.version.split()[0]} ({sys.executable})"
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield wrong(text, "use Python 3.11 or 3.12: `make setup PYTHON=python3.11`")
    elif sys.version_info[:2] > NEWEST_PYTHON:
        yield note(f"{text}: tested are 3.11 and 3.12", "use one of those if something fails")
    else:
        yield ok(text)


def packages(config: DoctorConfig) -> Iterator[Finding]:
    """What is installed; what is not, and what that turns off."""
    there = [p for p in PACKAGES if find_spec(p.module) is not None]
    yield ok(", ".join(f"{p.module} {_version(p)}" for p in there))
    for package in PACKAGES:
        if package in there:
            continue
        text = f"{package.distribution} is not installed, needed for {package.serves}"
        yield wrong(text, INSTALL) if package.robot else note(text, INSTALL)


def _version(package: Package) -> str:
    for name in (package.distribution, package.module):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "of unknown version"


def gpu(config: DoctorConfig) -> Iterator[Finding]:
    """Where MapNet runs."""
    if find_spec("torch") is None:
        return
    import torch

    if torch.cuda.is_available():
        yield ok(f"{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}")
    elif torch.version.cuda is not None and Path("/proc/driver/nvidia/version").exists():
        yield wrong(
            "there is an NVIDIA driver, but PyTorch sees no GPU",
            f"check `nvidia-smi`; the driver must fit CUDA {torch.version.cuda}",
        )
    else:
        yield note("none: MapNet runs on the processor, some milliseconds a scan")


def ros_installation(config: DoctorConfig) -> Iterator[Finding]:
    """Where ROS comes from, and that it comes from one place."""
    spec = find_spec("rclpy")
    if spec is None or spec.origin is None:
        yield note("rclpy is not installed: the node, `play` and `demo` do not work", "`make setup`, or source a ROS 2 installation")
        return
    place = Path(spec.origin).parents[1]
    distribution = os.environ.get("ROS_DISTRO", "")
    from_pip = place.is_relative_to(sys.prefix)
    yield ok(f"rclpy from {place}" + (f", ROS_DISTRO {distribution}" if distribution else ""))
    sourced = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p.startswith("/opt/ros")]
    if from_pip and sourced:
        yield wrong(f"ROS from pip and {sourced[0]} are mixed in this shell", "open a new shell, and source only one of the two")
    if find_spec("tf2_ros") is None:
        yield note(
            "tf2_ros is not installed: the node publishes no transform and takes extrinsics from parameters",
            "use ~/odometry, or a ROS installation with tf2_ros",
        )


CHECKS: tuple[Check, ...] = (python, packages, gpu, ros_installation)
