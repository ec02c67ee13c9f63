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
    """What real scans suffer and a map does not: applied to training tiles so that MapNet survives it."""

    range_noise_m: float = setting(0.15, "standard deviation of a range", unit="m", low=0.0, high=5.0)
    dropout: float = setting(0.10, "share of rays without a return", low=0.0, high=1.0)
    hidden_sectors: int = setting(8, "at most so many sectors are hidden, beyond a random range, by vehicles and trees", low=0, high=50)
    hidden_sector_rad: float = setting(0.5, "widest hidden sector", unit="rad", low=0.0, high=3.1416)
    minimum_range_m: float = setting(
        30.0, "tiles are cut at a random range between this and the tile's: sensors differ in reach", unit="m", low=1.0
    )
    missing_buildings: float = setting(
        0.05, "share of buildings that a tile's world lacks: maps are older or newer than scans", low=0.0, high=1.0
    )
    clutter: float = setting(0.05, "share of rays stopped early by something taken for a wall (hedge, fence, lorry)", low=0.0, high=1.0)
    moved_building_m: float = setting(
        0.6, "how far a building's wall may be moved along the ray, triangular about 0", unit="m", low=0.0, high=10.0
    )
    bare_walls: float = setting(0.05, "share of buildings that hide what is behind but give no hits (ivy, trees, glass)", low=0.0, high=1.0)
