# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What must stand in the environment before rclpy starts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path

PROFILE_NAME = "fastdds_large_clouds.xml"
# Jazzy and older read the first, Kilted and newer the second.
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def shared_file(*parts: str) -> Path | None:
    """A file of the package's share folder: in the source tree where we run from one, else where colcon installed it."""
    source = Path(__file__).resolve().parents[2]
    if (source / "package.xml").is_file():
        path = source.joinpath(*parts)
        return path if path.is_file() else None
    try:
        from ament_index_python.packages import PackageNotFoundError, get_package_share_path

        path = get_package_share_path("urban_map_loc").joinpath(*parts)
    except (ImportError, PackageNotFoundError):
        return None
    return path if path.is_file() else None


def cloud_transport(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Environment variables that let large clouds through Fast DDS; none where the user has set any of them."""
    profile = shared_file("config", PROFILE_NAME)
    if profile is None or any(environment.get(name) for name in PROFILE_VARIABLES):
        return {}
    return dict.fromkeys(PROFILE_VARIABLES, str(profile))


def prepare_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Large clouds through Fast DDS, and a place for ROS's log; what the user has set stays."""
    environment.update(cloud_transport(environment))
    log_folder_if_homeless(environment)


def log_folder_if_homeless(environment: MutableMapping[str, str] = os.environ) -> None:
    """ROS wants to write its log; where there is no home it gets a temporary folder."""
    if not any(environment.get(name) for name in ("HOME", "ROS_HOME", "ROS_LOG_DIR")):
        environment["ROS_LOG_DIR"] = str(Path(tempfile.gettempdir()) / "urban_map_loc_log")
