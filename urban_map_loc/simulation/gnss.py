# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A GNSS receiver on the car: one that suffers from the houses beside the street, or a recorded one played again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.bags.robotcar_tables import fixes_of
from urban_map_loc.config import SimulationConfig
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.geodesy import LocalTangentPlane
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.reading import require_size
from urban_map_loc.simulation.casting import Scene
from urban_map_loc.simulation.world import World

ANTENNA_M = 1.6
AZIMUTHS, ELEVATIONS_RAD = 24, np.radians([12.5, 22.5, 32.5, 45.0, 60.0])  # satellites stand there; nearer the zenith nothing is hidden
STATED = 2.0  # times the usual error is what a receiver states: RobotCar's, a median of 2.4 m each axis


@dataclass(frozen=True, eq=False)
class Fixes:
    """Stamps `(N,)` [s], latitude and longitude `(N, 2)` [deg], covariance of east and north `(N, 2, 2)` [m2] as the receiver states it."""

    stamp_s: FloatArray
    lat_lon_deg: FloatArray
    covariance_m2: FloatArray

    def between(self, first_s: float, last_s: float) -> Fixes:
        """Those from one stamp to another."""
        inside = (self.stamp_s >= first_s) & (self.stamp_s <= last_s)
        return Fixes(self.stamp_s[inside], self.lat_lon_deg[inside], self.covariance_m2[inside])


def hidden_sky(world: World, positions: FloatArray) -> NDArray[np.bool_]:
    """Which lines of sight `(N, azimuths, elevations)` buildings hide at positions `(N, 2)` [m]."""
    azimuth, elevation = np.meshgrid(2.0 * np.pi * np.arange(AZIMUTHS) / AZIMUTHS, ELEVATIONS_RAD, indexing="ij")
    flat = np.cos(elevation)
    directions = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=-1)
    rays = np.empty((len(positions), *directions.shape[:2], 6), dtype=np.float32)
    rays[..., :2], rays[..., 2] = positions[:, None, None, :], (world.terrain.height(positions) + ANTENNA_M)[:, None, None]
    rays[..., 3:] = directions
    return np.isfinite(Scene(world.buildings).cast(rays.reshape(-1, 6)).distance).reshape(rays.shape[:3])


def simulated_fixes(
    world: World, stamps: FloatArray, poses: FloatArray, plane: LocalTangentPlane, config: SimulationConfig, rng: np.random.Generator
) -> Fixes:
    """Fixes at stamps `(N,)` and true poses `(N, 3)`.

    Their error is noise, a slow wander (orbits, clocks, atmosphere), and where houses hide the sky now and then a false position for some
    seconds: a reflected signal was taken for a direct one. It lies across the street, where the houses are, and is the further away
    the more of the sky they hide. Where next to nothing of the sky is left there is no fix.
    """
    hidden = hidden_sky(world, poses[:, :2])
    share = hidden.mean(axis=(1, 2))
    step_s = 1.0 / config.gnss_rate_hz
    keep = np.exp(-step_s / config.gnss_wander_s)
    wander = rng.normal(0.0, config.gnss_wander_m, 2)
    false, until = np.zeros(2), -np.inf
    error = np.empty((len(stamps), 2))
    for k, stamp in enumerate(stamps):
        wander = keep * wander + np.sqrt(1.0 - keep**2) * rng.normal(0.0, config.gnss_wander_m, 2)
        begins, side, size, lasts = rng.random(), rng.random(), rng.exponential(), rng.exponential(config.gnss_false_s)
        if stamp >= until:
            false = np.zeros(2)
            if begins < step_s * share[k] / config.gnss_false_every_s:
                toward = np.cumsum((hidden[k] * np.tan(ELEVATIONS_RAD) ** 2).max(axis=1))  # what stands highest reflects most
                angle = 2.0 * np.pi * np.searchsorted(toward, side * toward[-1], side="right") / AZIMUTHS
                false = config.gnss_false_m * share[k] * size * np.array([np.cos(angle), np.sin(angle)])
                until = stamp + lasts
        error[k] = wander + false
    error += rng.normal(0.0, config.gnss_noise_m, error.shape)
    # Receivers know how few satellites they have, not that one of them is a reflection.
    variance = STATED**2 * (config.gnss_wander_m**2 + config.gnss_noise_m**2) / np.maximum(1.0 - share, 0.1)
    seen = share <= config.gnss_lost
    covariance = variance[:, None, None] * np.eye(2)
    return Fixes(stamps[seen], plane.to_geodetic(poses[seen, :2] + error[seen]), covariance[seen])


def recorded_fixes(path: Path) -> Fixes:
    """RobotCar's `gps/gps.csv`, stamps as the dataset's poses have them.

    Raises:
        BagError: the file is missing, damaged or something else.
    """
    require_size(path, "largest_table_mb", BagError)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BagError(f"{path} does not exist; give RobotCar's gps.csv, simulated or none") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BagError(f"{path} cannot be read ({error}); give RobotCar's gps.csv, simulated or none") from error
    found = fixes_of(str(path), text)
    if not len(found.stamps_us):
        raise BagError(f"{path} holds no fix; give RobotCar's gps.csv, simulated or none")
    covariance = np.zeros((len(found.stamps_us), 2, 2))
    covariance[:, 0, 0], covariance[:, 1, 1] = found.sigma_east_m**2, found.sigma_north_m**2
    return Fixes(found.stamps_us.astype(np.float64) * 1e-6, np.column_stack([found.lat_deg, found.lon_deg]), covariance)
