# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A box in degrees, as users write it: west,south,east,north."""

from __future__ import annotations

from math import cos, radians
from typing import NamedTuple

from urban_map_loc.errors import AreaError

DEGREE_KM = 111.2  # of latitude


class GeoBox(NamedTuple):
    """West, south, east, north [deg]; across the antimeridian `east` exceeds 180, so that west < east always."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def parse(cls, text: str) -> GeoBox:
        """Read `W,S,E,N`; W > E means a box across the antimeridian.

        Raises:
            AreaError: not four numbers, out of range, or empty.
        """
        try:
            west, south, east, north = (float(part) for part in text.split(","))
        except ValueError:
            raise AreaError(f"{text!r} is no box; give west,south,east,north in degrees, such as -1.27,51.75,-1.25,51.77") from None
        if west == 180.0:
            west = -180.0  # the same meridian, from its east
        if not (-180.0 <= west <= 180.0 and -180.0 <= east <= 180.0 and -90.0 <= south < north <= 90.0) or west == east:
            raise AreaError(f"{text!r} is no box on Earth; give west,south,east,north in degrees with south < north")
        return cls(west, south, east if east > west else east + 360.0, north)

    @property
    def halves(self) -> tuple[GeoBox, ...]:
        """The same box with longitudes within 180 degrees: one box, or two where it crosses the antimeridian."""
        if self.east <= 180.0:
            return (self,)
        return GeoBox(self.west, self.south, 180.0, self.north), GeoBox(-180.0, self.south, self.east - 360.0, self.north)

    @property
    def size_km2(self) -> float:
        """Area [km2], to a percent."""
        height = DEGREE_KM * (self.north - self.south)
        return height * DEGREE_KM * (self.east - self.west) * cos(radians((self.north + self.south) / 2.0))

    def __str__(self) -> str:
        east = self.east - 360.0 if self.east > 180.0 else self.east
        return ",".join(f"{value:.7f}".rstrip("0").rstrip(".") for value in (self.west, self.south, east, self.north))
