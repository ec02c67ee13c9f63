# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Replays the drive that `urban_map_loc demo` made into localizer_node: `ros2 launch urban_map_loc demo.launch.py folder:=build/demo`."""

from ament_index_python.packages import get_package_share_path
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution


def generate_launch_description() -> LaunchDescription:
    bag_launch = get_package_share_path("urban_map_loc") / "launch" / "robotcar.launch.py"
    arguments = {
        "folder": ("build/demo", "folder that `urban_map_loc demo` filled"),
        "rate": ("1.0", "bag seconds per second"),
        "rviz": ("false", "true opens RViz with the map, the tile, the hypotheses, the pose and the path"),
    }
    made = {"bag": "drive", "area": "town.gpkg", "model": "town.safetensors"}
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in arguments.items()),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(bag_launch)),
                launch_arguments={
                    **{name: PathJoinSubstitution([LaunchConfiguration("folder"), file]) for name, file in made.items()},
                    **{name: LaunchConfiguration(name) for name in ("rate", "rviz")},
                }.items(),
            ),
        ]
    )
