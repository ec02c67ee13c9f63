"""What only the ROS node needs."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class NodeConfig(Section):
    """What only the ROS node needs: files, frames, publishing."""

    area: str = setting("", "area file (GeoPackage) from `urban_map_loc area build`")
    model: str = setting("", "model file (safetensors) from `urban_map_loc train`")
    autostart: bool = setting(True, "configure and activate without a lifecycle manager")
    map_frame: str = setting("map", "ENU frame about the area's datum (REP-105)")
    odom_frame: str = setting("odom", "frame of odometry (REP-105)")
    base_frame: str = setting("base_link", "frame of the car (REP-105)")
    cloud_frames: tuple[str, ...] = setting(("base_link",), "header frames of clouds that are already in the base frame")
    extrinsic: tuple[float, ...] = setting(
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0), "T_base_sensor of clouds in `sensor_frame`: x y z [m], roll pitch yaw [rad]"
    )
    sensor_frame: str = setting("", "header frame of clouds that `extrinsic` applies to; empty: none")
    publish_tf: bool = setting(True, "publish map to odom on TF, where tf2_ros is installed")
    odometry_wait_s: float = setting(0.1, "a cloud waits at most this long for odometry as new as itself", unit="s", low=0.0, high=5.0)
    time_jump_s: float = setting(1.0, "stamps that go back by more than this mean a restarted bag: all is forgotten", unit="s", low=0.01)
