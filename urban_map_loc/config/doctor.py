# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What `doctor` calls wrong."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class DoctorConfig(Section):
    """Times, sizes and limits of the command `doctor`; docs/doctor.md lists the checks."""

    listen_s: float = setting(3.0, "how long a running graph is listened to", unit="s", low=0.1, high=600.0)
    discovery_s: float = setting(1.5, "how long nodes are waited for to be discovered; a second is usual", unit="s", low=0.1, high=60.0)
    answer_s: float = setting(2.0, "how long a node may take to answer a service", unit="s", low=0.1, high=60.0)
    probe_bytes: int = setting(2_000_000, "size of the clouds of the transport probe: 125,000 points of 16 bytes", low=1_000)
    probe_count: int = setting(10, "clouds that the probe sends", low=1)
    probe_period_s: float = setting(0.1, "time between two clouds of the probe: a lidar's 10 Hz", unit="s", low=0.001)
    probe_start_s: float = setting(15.0, "longest time until the probe's other process is there, on a slow machine", unit="s", low=1.0)
    probe_lost: float = setting(
        0.1, "share of the probe's clouds that may be lost; the default transport loses nine of ten, a good one none", low=0.0, high=1.0
    )
    cloud_rate_hz: tuple[float, ...] = setting(
        (1.0, 40.0), "usual rates of clouds, lowest and highest: sensors turn 5 to 20 times a second", unit="Hz"
    )
    odometry_rate_hz: tuple[float, ...] = setting((20.0, 1000.0), "usual rates of odometry, lowest and highest: 20 is asked for", unit="Hz")
    future_s: float = setting(0.1, "a stamp may be this much ahead of the clock: drivers stamp the end of a sweep", unit="s", low=0.0)
    past_s: float = setting(1.0, "a stamp may be this much behind the clock; clouds arrive within some 0.1 s", unit="s", low=0.0)
    apart_s: float = setting(1.0, "newest cloud and newest odometry may differ by this much", unit="s", low=0.0)
    moved_m: float = setting(2.0, "odometry that moved as far must show in the clouds", unit="m", low=0.1)
    still_m: float = setting(0.05, "less than this is no movement: the noise of ranges and of odometry", unit="m", low=0.0)
    extrinsic_m: float = setting(0.05, "parameter `extrinsic` and /tf_static may differ by this much", unit="m", low=0.0)
    extrinsic_rad: float = setting(0.02, "parameter `extrinsic` and /tf_static may differ by this angle: 1 degree", unit="rad", low=0.0)
