# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What only the ROS node needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class DiagnosticsConfig(Section):
    """When /diagnostics warns (`_warn`) and when it calls an error (`_error`); docs/diagnostics.md has the rules and remedies."""

    period_s: float = setting(1.0, "time between two messages", unit="s", low=0.02, high=60.0)
    window_s: float = setting(10.0, "rates, shares and latencies are those of this last time", unit="s", low=0.5, high=600.0)
    silent_error_s: float = setting(2.0, "clouds or odometry that have not come for so long are off", unit="s", low=0.1)
    cloud_rate_warn_hz: float = setting(4.0, "fewer clouds correct odometry too rarely", unit="Hz", low=0.0)
    cloud_rate_error_hz: float = setting(1.0, "fewer clouds leave long stretches to odometry alone", unit="Hz", low=0.0)
    odometry_rate_warn_hz: float = setting(15.0, "slower odometry has to be interpolated over much of a scan", unit="Hz", low=0.0)
    odometry_rate_error_hz: float = setting(4.0, "slower odometry makes clouds wait or be skipped", unit="Hz", low=0.0)
    delay_warn_s: float = setting(
        0.3, "clock minus stamp as a message comes in; a delayed cloud gives a late answer, one of the future none", unit="s", low=0.0
    )
    delay_error_s: float = setting(1.0, "as much means that the clocks differ, or that use_sim_time is wrong", unit="s", low=0.0)
    refused_warn: float = setting(0.01, "share of messages of an input that are refused", low=0.0, high=1.0)
    refused_error: float = setting(0.5, "share of messages of an input that are refused", low=0.0, high=1.0)
    skipped_warn: float = setting(0.2, "share of clouds that could not be used; a few see no building", low=0.0, high=1.0)
    skipped_error: float = setting(0.9, "share of clouds that could not be used", low=0.0, high=1.0)
    dropped_warn: float = setting(0.05, "share of clouds that a newer one replaced before they were looked at", low=0.0, high=1.0)
    dropped_error: float = setting(0.7, "share of clouds that a newer one replaced before they were looked at", low=0.0, high=1.0)
    agreement_warn: float = setting(0.55, "agreement with the map while locked; right places reached 0.65 and more", low=-1.0, high=1.0)
    agreement_error: float = setting(0.4, "agreement with the map while locked, at which a lock is about to be lost", low=-1.0, high=1.0)
    fix_age_warn_s: float = setting(1.0, "time since the last offered position", unit="s", low=0.0)
    fix_age_error_s: float = setting(10.0, "time since the last offered position", unit="s", low=0.0)
    latency_warn_ms: float = setting(100.0, "cloud in to answer out, 95 %: a tenth of a second is a whole sweep", unit="ms", low=0.0)
    latency_error_ms: float = setting(500.0, "cloud in to answer out, 95 %", unit="ms", low=0.0)
    sigma_warn_m: float = setting(2.0, "standard deviation of the position in its worst direction", unit="m", low=0.0)
    sigma_error_m: float = setting(5.0, "standard deviation of the position in its worst direction", unit="m", low=0.0)
    heading_sigma_warn_rad: float = setting(0.05, "standard deviation of the heading", unit="rad", low=0.0)
    heading_sigma_error_rad: float = setting(0.2, "standard deviation of the heading", unit="rad", low=0.0)
    memory_warn_mb: float = setting(2500.0, "resident memory of the process; a city and a network take well under 1000", unit="MB", low=0.0)
    memory_error_mb: float = setting(6000.0, "resident memory of the process", unit="MB", low=0.0)
    growth_warn_mb_per_min: float = setting(5.0, "growth of the memory over the last ten minutes", unit="MB/min", low=0.0)
    growth_error_mb_per_min: float = setting(50.0, "growth of the memory over the last ten minutes", unit="MB/min", low=0.0)


@dataclass(frozen=True)
class NodeConfig(Section):
    """What only the ROS node needs: files, frames, publishing."""

    area: str = setting("", "area file (GeoPackage) from `urban_map_loc area build`, or the folder of an atlas")
    model: str = setting("", "model file (safetensors) from `urban_map_loc train`; empty with an atlas, which brings its own")
    autostart: bool = setting(True, "configure and activate without a lifecycle manager")
    map_frame: str = setting("map", "ENU frame about the area's datum (REP-105)")
    odom_frame: str = setting("odom", "frame of odometry (REP-105)")
    base_frame: str = setting("base_link", "frame of the car (REP-105)")
    cloud_frames: tuple[str, ...] = setting(("base_link",), "header frames of clouds that are already in the base frame")
    extrinsic: tuple[float, ...] = setting(
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0), "T_base_sensor of clouds in `sensor_frame`: x y z [m], roll pitch yaw [rad]"
    )
    sensor_frame: str = setting("", "header frame of clouds that `extrinsic` applies to, before what /tf_static says of it; empty: none")
    publish_tf: bool = setting(True, "publish map to odom on TF, where tf2_ros is installed")
    odometry_wait_s: float = setting(0.1, "a cloud waits at most this long for odometry as new as itself", unit="s", low=0.0, high=5.0)
    time_jump_s: float = setting(
        1.0, "two stamps of odometry in a row that go back by more than this mean a restarted bag: all is forgotten", unit="s", low=0.01
    )
    gnss_reach_m: float = setting(50_000.0, "fixes further from the datum are none: they say 0, 0 or another city", unit="m", low=1.0)
    last_pose_file: str = setting("", "the last offered pose is kept here, as a first guess for the next start; empty: nowhere")
    last_pose_period_s: float = setting(5.0, "it is written this often, and when the node stops", unit="s", low=0.1)
    diagnostics: DiagnosticsConfig = field(default_factory=DiagnosticsConfig)
