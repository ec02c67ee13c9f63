# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The simulated drive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from urban_map_loc.config.conversion import STRIP_BEHIND_M, STRIP_SPACING_M
from urban_map_loc.settings import Section, from_dict, setting


@dataclass(frozen=True)
class SimulationConfig(Section):
    """A simulated drive: the world that OSM does not know, the lidar and the odometry."""

    rate_hz: float = setting(10.0, "scans per second", unit="Hz", low=0.1, high=50.0)
    sensor_height_m: float = setting(1.8, "lidar above the ground, over base_link", unit="m", low=0.1, high=10.0)
    range_noise_m: float = setting(0.025, "standard deviation of a range (HDL-64E: 0.02)", unit="m", low=0.0, high=1.0)
    dropout: float = setting(0.05, "share of rays that never return", low=0.0, high=1.0)
    grazing: float = setting(0.03, "surfaces seen flatter than this (cosine of incidence) do not return: far ground", low=0.0, high=1.0)
    intensity: bool = setting(False, "write each point's brightness into the field intensity, 0 to 100")
    sweep: bool = setting(
        False, "points as a moving car's spinning lidar sees them, with the fields time and ring; else as after motion compensation"
    )
    slope: float = setting(0.0, "root mean square gradient of the ground, gentle hills; 0: level", unit="m/m", low=0.0, high=0.3)
    building_shift_m: float = setting(
        0.3, "standard deviation of each building's true position about the map's, each axis", unit="m", low=0.0, high=5.0
    )
    map_shift_m: float = setting(
        0.25,
        "the same of all buildings together: the imagery that maps are drawn from lies askew; KITTI 07's map is 0.24 m off",
        unit="m",
        low=0.0,
        high=5.0,
    )
    demolished: float = setting(0.0, "share of the map's buildings that are not there any more", low=0.0, high=1.0)
    new_buildings: float = setting(0.0, "buildings beside the roads that the map lacks, as a share of those it has", low=0.0, high=1.0)
    outline_detail_m: float = setting(
        0.0, "depth of bays and recesses that the map's simpler outlines leave out, 1 sigma", unit="m", low=0.0, high=5.0
    )
    parked_cars: float = setting(0.35, "share of kerb places with a parked car", low=0.0, high=1.0)
    trees: float = setting(0.12, "share of kerb places with a tree", low=0.0, high=1.0)
    hedges: float = setting(0.2, "share of kerb places with a hedge or fence behind them", low=0.0, high=1.0)
    hedge_height_m: float = setting(2.2, "height of the highest hedges", unit="m", low=0.8, high=10.0)
    fences: float = setting(0.0, "share of kerb places with a fence or garden wall behind them", low=0.0, high=1.0)
    poles: float = setting(0.0, "share of kerb places with a pole", low=0.0, high=1.0)
    people: float = setting(0.0, "share of kerb places with a person", low=0.0, high=1.0)
    bushes: float = setting(0.0, "share of kerb places with a bush behind them", low=0.0, high=1.0)
    overgrown: float = setting(0.0, "share of the map's buildings that are bushes and trees in truth", low=0.0, high=1.0)
    leaf_depth_m: float = setting(0.35, "mean depth in leaves from which a ray returns", unit="m", low=0.01, high=5.0)
    leaf_gaps: float = setting(0.3, "share of rays that pass through leaves", low=0.0, high=1.0)
    traffic_spacing_m: float = setting(70.0, "mean distance between oncoming vehicles", unit="m", low=10.0)
    lorries: float = setting(0.15, "share of moving vehicles that are as high as a lorry", low=0.0, high=1.0)
    odometry_rate_hz: float = setting(50.0, "odometry messages per second", unit="Hz", low=1.0, high=1000.0)
    odometry_scale: float = setting(0.01, "standard deviation of a drive's constant error of distance", low=0.0, high=0.5)
    odometry_drift_rad_m: float = setting(0.0003, "standard deviation of a drive's constant heading drift", unit="rad/m", low=0.0, high=0.1)
    odometry_walk_rad: float = setting(0.001, "heading error that accumulates over a metre, random", unit="rad/sqrt(m)", low=0.0, high=0.1)
    odometry_slip_m: float = setting(0.0, "error of distance that accumulates over a metre, random", unit="m/sqrt(m)", low=0.0, high=1.0)
    strip_behind_m: float = setting(
        STRIP_BEHIND_M, "a cloud of push-broom scans holds those of the last so many metres driven", unit="m", low=1.0, high=500.0
    )
    strip_spacing_m: float = setting(
        STRIP_SPACING_M, "push-broom scans nearer than this to the last one are left out", unit="m", low=0.01, high=10.0
    )
    gnss_rate_hz: float = setting(5.0, "fixes per second (RobotCar's receiver: 5)", unit="Hz", low=0.1, high=50.0)
    gnss_noise_m: float = setting(0.3, "standard deviation of a fix from one to the next, each axis", unit="m", low=0.0, high=100.0)
    gnss_wander_m: float = setting(0.9, "standard deviation of its slow error, each axis", unit="m", low=0.0, high=100.0)
    gnss_wander_s: float = setting(60.0, "time in which that changes", unit="s", low=1.0)
    gnss_false_m: float = setting(
        18.0, "mean distance of false positions by reflected signals where all of the sky is hidden, less where less is", unit="m", low=0.0
    )
    gnss_false_s: float = setting(8.0, "how long one lasts, mean", unit="s", low=0.1)
    gnss_false_every_s: float = setting(
        6.0, "mean time between two where all of the sky is hidden, longer where less is", unit="s", low=0.1
    )
    gnss_lost: float = setting(0.9, "no fix where buildings hide more of the sky than this share", low=0.0, high=1.0)


# Worlds to choose from, as changes of the defaults. The street is what a lidar meets on a real one, in a town whose map is some years old.
WORLDS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "street": {
        "slope": 0.03,
        "demolished": 0.02,
        "new_buildings": 0.05,
        "outline_detail_m": 0.5,
        "fences": 0.15,
        "poles": 0.15,
        "people": 0.08,
        "bushes": 0.1,
        "intensity": True,
        "odometry_slip_m": 0.01,
    },
}


def simulation_config(world: str, given: Mapping[str, Any]) -> SimulationConfig:
    """A world of `WORLDS`, with the settings that are `given` by name.

    Raises:
        ConfigurationError: an unknown setting, or a value out of range.
        KeyError: an unknown world.
    """
    return from_dict(SimulationConfig, {**WORLDS[world], **given})
