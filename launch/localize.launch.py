# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Starts localizer_node: `ros2 launch urban_map_loc localize.launch.py area:=city.gpkg model:=city.safetensors`.

The parameter file comes first; arguments that are given override it. What stays empty is left to the file.
"""

from ament_index_python.packages import get_package_share_path
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from urban_map_loc.ros.middleware import cloud_transport

# Arguments that are parameters of the same name, with the type that the parameter has.
PARAMETERS = {"area": str, "model": str, "use_sim_time": bool, "publish_tf": bool}
# What config/urban_map_loc.rviz shows and sends by absolute names, which a namespace moves.
RVIZ_TOPICS = ("urban_map_loc/map", "urban_map_loc/tile", "urban_map_loc/hypotheses", "urban_map_loc/pose", "urban_map_loc/odometry")
RVIZ_TOOLS = ("initialpose",)


def generate_launch_description() -> LaunchDescription:
    config = get_package_share_path("urban_map_loc") / "config"
    arguments = {
        "area": ("", "area file or atlas from `urban_map_loc area build`; empty: as in params_file"),
        "model": ("", "model file from `urban_map_loc train`; empty: as in params_file, or none with an atlas"),
        "params_file": (str(config / "localize.yaml"), "parameters; arguments that are given override what it says"),
        "use_sim_time": ("", "true with a played bag or a simulator; empty: as in params_file, where it is missing false"),
        "publish_tf": ("", "whether the node publishes map to odom, false where an EKF does; empty: as in params_file, else true"),
        "namespace": ("", "namespace of the node and of its topics, such as car1"),
        "points": ("points", "topic of the clouds"),
        "odom": ("odom", "topic of the odometry"),
        "rviz": ("false", "true opens RViz with the map, the tile, the hypotheses, the pose and the path"),
    }
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in arguments.items()),
            # Here once for every launch file that includes this one: what is started later inherits it. Settings of your own stay.
            *(SetEnvironmentVariable(name, value) for name, value in cloud_transport().items()),
            OpaqueFunction(function=_nodes),
        ]
    )


def _nodes(context: LaunchContext) -> list[Node]:
    given = {name: LaunchConfiguration(name).perform(context) for name in (*PARAMETERS, "namespace")}
    overrides = {name: ParameterValue(LaunchConfiguration(name), value_type=kind) for name, kind in PARAMETERS.items() if given[name]}
    namespace = given["namespace"].strip("/")
    localizer = Node(
        package="urban_map_loc",
        executable="localizer_node",
        name="urban_map_loc",
        namespace=namespace,
        output="screen",
        parameters=[LaunchConfiguration("params_file"), overrides],
        remappings=[(name, LaunchConfiguration(name)) for name in ("points", "odom")],
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        name="rviz_urban_map_loc",
        arguments=["-d", str(get_package_share_path("urban_map_loc") / "config" / "urban_map_loc.rviz")],
        parameters=[{name: value for name, value in overrides.items() if name == "use_sim_time"}],
        remappings=[(f"/{topic}", f"/{namespace}/{topic}") for topic in (*RVIZ_TOPICS, *RVIZ_TOOLS) if namespace],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return [localizer, rviz]
