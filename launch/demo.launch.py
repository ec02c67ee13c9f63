"""Replays the drive that `urban_map_loc demo` made into localizer_node: `ros2 launch urban_map_loc demo.launch.py folder:=build/demo`."""

from pathlib import Path

from ament_index_python.packages import get_package_prefix, get_package_share_path
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, IncludeLaunchDescription, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution


def generate_launch_description() -> LaunchDescription:
    program = Path(get_package_prefix("urban_map_loc")) / "lib" / "urban_map_loc" / "urban_map_loc"
    localize: Path = get_package_share_path("urban_map_loc") / "launch" / "localize.launch.py"

    def made(name: str) -> PathJoinSubstitution:
        return PathJoinSubstitution([LaunchConfiguration("folder"), name])

    play = ExecuteProcess(
        cmd=[str(program), "play", made("drive"), "--rate", LaunchConfiguration("rate"), "--wait", "120"], name="play", output="screen"
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("folder", default_value="build/demo", description="folder that `urban_map_loc demo` filled"),
            DeclareLaunchArgument("rate", default_value="1.0", description="bag seconds per second"),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(localize)),
                launch_arguments={"area": made("town.gpkg"), "model": made("town.safetensors"), "use_sim_time": "true"}.items(),
            ),
            play,
            RegisterEventHandler(OnProcessExit(target_action=play, on_exit=[EmitEvent(event=Shutdown(reason="the drive is over"))])),
        ]
    )
