# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Starts localizer_node with robot_localization's EKF and navsat_transform; docs/integration/robot_localization.md has the drawing.

`ros2 launch urban_map_loc with_robot_localization.launch.py area:=city.gpkg model:=city.safetensors`
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_path
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from urban_map_loc.area.atlas import datum_of

# The EKF's estimate in map.
FILTERED = "odometry/global"


def generate_launch_description() -> LaunchDescription:
    share = get_package_share_path("urban_map_loc")
    arguments = {
        "area": (None, "area file or atlas from `urban_map_loc area build`; navsat_transform's datum is read from it"),
        "model": ("", "model file from `urban_map_loc train`; empty: as in params_file"),
        "params_file": (str(share / "config" / "localize.yaml"), "the localizer's parameters; arguments that are given override it"),
        "ekf_file": (str(share / "config" / "ekf.yaml"), "parameters of the nodes ekf_map and ekf_odom"),
        "navsat_file": (str(share / "config" / "navsat_transform.yaml"), "parameters of the node navsat_transform, without the datum"),
        "odom_tf": ("false", "true starts ekf_odom, which publishes odom to base_link where nothing else does"),
        "altitude": ("0.0", "height above the ellipsoid that navsat_transform is told, in metres; it takes no fix without one"),
        "use_sim_time": ("false", "true with a played bag or a simulator"),
        "namespace": ("", "namespace of all nodes and of their topics, such as car1"),
        "points": ("points", "topic of the clouds"),
        "odom": ("odom", "topic of the odometry"),
        "rviz": ("false", "true opens RViz with the map, the tile, the hypotheses, the pose and the path"),
    }
    passed_on = ("area", "model", "params_file", "use_sim_time", "namespace", "points", "odom", "rviz")
    localizer = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(share / "launch" / "localize.launch.py")),
        # The EKF publishes map to odom.
        launch_arguments={**{name: LaunchConfiguration(name) for name in passed_on}, "publish_tf": "false"}.items(),
    )
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in arguments.items()),
            localizer,
            OpaqueFunction(function=_filters),
        ]
    )


def _filters(context: LaunchContext) -> list[Node]:
    datum = datum_of(Path(LaunchConfiguration("area").perform(context)))
    common = {"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}
    namespace, odom = LaunchConfiguration("namespace"), LaunchConfiguration("odom")

    def ekf(name: str, filtered: str, condition: IfCondition | None = None) -> Node:
        return Node(
            package="robot_localization",
            executable="ekf_node",
            name=name,
            namespace=namespace,
            output="screen",
            parameters=[LaunchConfiguration("ekf_file"), common],
            remappings=[("odom", odom), ("odometry/filtered", filtered)],
            condition=condition,
        )

    return [
        ekf("ekf_map", FILTERED),
        ekf("ekf_odom", "odometry/local", IfCondition(LaunchConfiguration("odom_tf"))),
        Node(
            package="urban_map_loc",
            executable="fix_with_altitude",
            name="fix_with_altitude",
            namespace=namespace,
            output="screen",
            parameters=[{"altitude_m": ParameterValue(LaunchConfiguration("altitude"), value_type=float)}, common],
            remappings=[("fix", "urban_map_loc/fix"), ("fix_with_altitude", "urban_map_loc/fix_with_altitude")],
        ),
        Node(
            package="robot_localization",
            executable="navsat_transform_node",
            name="navsat_transform",
            namespace=namespace,
            output="screen",
            # Latitude and longitude [deg], and which way the map's x axis turns from east [rad].
            parameters=[LaunchConfiguration("navsat_file"), {"datum": [datum.lat_deg, datum.lon_deg, 0.0]}, common],
            remappings=[("odometry/filtered", FILTERED), ("gps/fix", "urban_map_loc/fix_with_altitude")],
        ),
    ]
