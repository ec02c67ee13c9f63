"""Starts localizer_node: `ros2 launch urban_map_loc localize.launch.py area:=city.gpkg model:=city.safetensors`."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_path
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def generate_launch_description() -> LaunchDescription:
    config: Path = get_package_share_path("urban_map_loc") / "config"
    profile = str(config / "fastdds_large_clouds.xml")
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    # Large clouds need it; settings of your own stay.
    environment = [] if any(os.environ.get(name) for name in names) else [SetEnvironmentVariable(name, profile) for name in names]
    return LaunchDescription(
        [
            DeclareLaunchArgument("area", description="area file from `urban_map_loc area build`"),
            DeclareLaunchArgument("model", description="model file from `urban_map_loc train`"),
            DeclareLaunchArgument(
                "params_file", default_value=str(config / "localize.yaml"), description="parameters; the other arguments go before it"
            ),
            DeclareLaunchArgument("use_sim_time", default_value="false", description="true with a played bag or a simulator"),
            DeclareLaunchArgument("namespace", default_value="", description="namespace of the node and of its topics points and odom"),
            *environment,
            Node(
                package="urban_map_loc",
                executable="localizer_node",
                name="urban_map_loc",
                namespace=LaunchConfiguration("namespace"),
                output="screen",
                parameters=[
                    LaunchConfiguration("params_file"),
                    {
                        "area": ParameterValue(LaunchConfiguration("area"), value_type=str),
                        "model": ParameterValue(LaunchConfiguration("model"), value_type=str),
                        "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool),
                    },
                ],
            ),
        ]
    )
