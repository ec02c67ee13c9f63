# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ego-centred tile, and what scans suffer that a map does not."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

from urban_map_loc.settings import Section, setting

# What a tile shows.
BUILDINGS, BUILDINGS_AND_ROADS = "buildings", "buildings+roads"


@dataclass(frozen=True)
class TileConfig(Section):
    """The ego-centred tile, base frame, that MapNet sees."""

    size_px: int = setting(96, "side of the square tile", unit="px", low=16, high=512)
    resolution_m: float = setting(1.0, "pixel of the tile; OSM walls are about this accurate", unit="m", low=0.1, high=5.0)
    range_m: float = setting(
        50.0, "walls further away than this are not used: map and scan are cut at the same range", unit="m", low=5.0, high=300.0
    )
    sectors: int = setting(720, "beams across the field of view; the nearest building point in each is kept", low=90, high=3600)
    field_of_view_rad: float = setting(
        2.0 * pi,
        "horizontal field of view, centred forward: a full turn for spinning lidars, less for stereo",
        unit="rad",
        low=0.1,
        high=2.0 * pi,
    )
    sensor_height_m: float = setting(
        0.0,
        "buildings known to be lower are looked over; 0: none, right for sensors with beams that point down",
        unit="m",
        low=0.0,
        high=20.0,
    )
    channels: str = setting(
        BUILDINGS,
        "what a tile shows: walls alone, or also the road surface that the rays pass over, as in the MapNet thesis",
        choices=(BUILDINGS, BUILDINGS_AND_ROADS),
    )

    @property
    def planes(self) -> int:
        """Number of channels of a tile."""
        return 2 if self.channels == BUILDINGS_AND_ROADS else 1

    @property
    def sectors_per_turn(self) -> int:
        """As many sectors as wide as a beam would make a full turn."""
        return round(self.sectors * 2.0 * pi / self.field_of_view_rad)


@dataclass(frozen=True)
class ScanEffectsConfig(Section):
    """What real scans suffer and a map does not: applied to training tiles so that MapNet survives it.

    Every strength is off at 0. What each is worth is measured in docs/training.md.
    """

    # The sensor.
    range_noise_m: float = setting(0.15, "standard deviation of a range", unit="m", low=0.0, high=5.0)
    dropout: float = setting(0.05, "share of rays without a return", low=0.0, high=1.0)
    far_dropout: float = setting(
        0.1, "share of rays lost besides at full range; it grows with the range's square, as returns grow faint", low=0.0, high=1.0
    )
    skipped_beams: int = setting(
        2, "at most so many beams are left out after each one kept: sensors of 16 to 128 beams space them differently", low=0, high=20
    )
    range_cut: float = setting(0.4, "tiles lose at most this share of their range: sensors differ in reach", low=0.0, high=0.95)
    narrow_views: float = setting(0.15, "share of tiles with a field of view of 60 to 110 degrees forward: stereo", low=0.0, high=1.0)
    tilt_rad: float = setting(
        0.01,
        "pitch and roll, 1 sigma, of a braking or turning car: level beams meet the road or pass over low buildings",
        unit="rad",
        low=0.0,
        high=0.5,
    )
    # Several scans in one tile.
    submaps: float = setting(0.15, "share of tiles that gather the hits of the last metres, carried by odometry", low=0.0, high=1.0)
    submap_m: float = setting(20.0, "longest drive that such a tile gathers; the shortest is half of it", unit="m", low=0.0, high=200.0)
    strips: float = setting(
        0.15, "share of tiles that a push-broom scanner makes, which sees only straight left and right, while it drives", low=0.0, high=1.0
    )
    strip_m: float = setting(45.0, "longest drive that such a tile gathers; the shortest is half of it", unit="m", low=0.0, high=200.0)
    odometry_drift: float = setting(
        0.01, "odometry's error over these drives, 1 sigma: m a metre of distance, rad a 10 m of heading", unit="m/m", low=0.0, high=0.2
    )
    # What stands in the way.
    vehicles: float = setting(0.5, "mean number of vans and lorries 2.5 to 6 m aside; they hide what is behind", low=0.0, high=100.0)
    vegetation: float = setting(15.0, "mean number of trees and hedges 7 to 20 m aside; they hide what is behind", low=0.0, high=100.0)
    extra_walls: float = setting(
        4.0, "mean number of walls that the map lacks: sheds, new houses, fences and hedges taken for walls", low=0.0, high=100.0
    )
    # The map's own errors.
    missing_buildings: float = setting(0.03, "share of buildings that are not there: the map is older or newer", low=0.0, high=1.0)
    bare_walls: float = setting(0.02, "share of buildings that hide what is behind but give no hits (ivy, trees, glass)", low=0.0, high=1.0)
    moved_building_m: float = setting(
        0.5, "displacement of buildings, 1 sigma in each axis, another one every 22 degrees around the car", unit="m", low=0.0, high=10.0
    )
    simplified_m: float = setting(
        0.8, "pieces of wall, 4 m long, stand at most so far before or behind the map's simpler outline", unit="m", low=0.0, high=10.0
    )
    map_shift_m: float = setting(1.0, "the whole map is off by at most this, in any direction", unit="m", low=0.0, high=20.0)
