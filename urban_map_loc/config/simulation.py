"""The simulated drive."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class SimulationConfig(Section):
    """A simulated drive: the world that OSM does not know, the lidar and the odometry."""

    rate_hz: float = setting(10.0, "scans per second", unit="Hz", low=0.1, high=50.0)
    sensor_height_m: float = setting(1.8, "lidar above the ground, over base_link", unit="m", low=0.1, high=10.0)
    range_noise_m: float = setting(0.025, "standard deviation of a range (HDL-64E: 0.02)", unit="m", low=0.0, high=1.0)
    dropout: float = setting(0.05, "share of rays that never return", low=0.0, high=1.0)
    grazing: float = setting(0.03, "surfaces seen flatter than this (cosine of incidence) do not return: far ground", low=0.0, high=1.0)
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
