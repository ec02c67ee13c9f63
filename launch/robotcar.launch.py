# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Plays a bag into localizer_node in simulated time: `ros2 launch urban_map_loc robotcar.launch.py bag:=drive area:=... model:=...`.

The bag comes from `urban_map_loc convert robotcar`; those of `convert kitti` and `simulate` do as well.
"""

from ament_index_python.packages import get_package_share_path
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, IncludeLaunchDescription, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.substitutions import ExecutableInPackage


def generate_launch_description() -> LaunchDescription:
    share = get_package_share_path("urban_map_loc")
    arguments = {
        "bag": (None, "rosbag2 folder with /points and /odom"),
        "area": ("", "area file from `urban_map_loc area build`; empty: as in params_file"),
        "model": ("", "model file from `urban_map_loc train`; empty: as in params_file"),
        "params_file": (str(share / "config" / "localize.yaml"), "parameters; arguments that are given override what it says"),
        "rate": ("1.0", "bag seconds per second"),
        "wait": ("120", "longest time until the node listens, in seconds; the first start compiles code"),
        "rviz": ("false", "true opens RViz with the map, the tile, the hypotheses, the pose and the path"),
    }
    passed_on = {name: LaunchConfiguration(name) for name in ("area", "model", "params_file", "rviz")}
    play = ExecuteProcess(
        cmd=[
            ExecutableInPackage(package="urban_map_loc", executable="urban_map_loc"),
            *("play", LaunchConfiguration("bag"), "--rate", LaunchConfiguration("rate"), "--wait", LaunchConfiguration("wait")),
        ],
        name="play",
        output="screen",
    )
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in arguments.items()),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(share / "launch" / "localize.launch.py")),
                launch_arguments={**passed_on, "use_sim_time": "true"}.items(),
            ),
            play,
            # The drive is over, or the node could not start: nothing is left to wait for.
            RegisterEventHandler(OnProcessExit(on_exit=[EmitEvent(event=Shutdown(reason="the drive or the node has ended"))])),
        ]
    )
