# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""UTM coordinates to latitude and longitude (Krueger's series of order four, WGS84): under 1 mm inside a zone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from urban_map_loc.geometry.geodesy import ECCENTRICITY_SQUARED, SEMI_MAJOR_M
from urban_map_loc.geometry.pose2 import FloatArray

SCALE = 0.9996
FALSE_EASTING_M = 500_000.0
FALSE_NORTHING_SOUTH_M = 10_000_000.0


def utm_to_geodetic(easting_m: ArrayLike, northing_m: ArrayLike, zone: int, south: bool = False) -> FloatArray:
    """Latitude, longitude `(N, 2)` [deg] of eastings and northings `(N,)` [m] in a UTM zone (1 to 60)."""
    flattening = 1.0 - np.sqrt(1.0 - ECCENTRICITY_SQUARED)
    n = flattening / (2.0 - flattening)
    radius = SEMI_MAJOR_M / (1.0 + n) * (1.0 + n**2 / 4.0 + n**4 / 64.0)
    beta = (
        n / 2.0 - 2.0 * n**2 / 3.0 + 37.0 * n**3 / 96.0 - n**4 / 360.0,
        n**2 / 48.0 + n**3 / 15.0 - 437.0 * n**4 / 1440.0,
        17.0 * n**3 / 480.0 - 37.0 * n**4 / 840.0,
        4397.0 * n**4 / 161280.0,
    )
    xi = (np.asarray(northing_m, float) - (FALSE_NORTHING_SOUTH_M if south else 0.0)) / (SCALE * radius)
    eta = (np.asarray(easting_m, float) - FALSE_EASTING_M) / (SCALE * radius)
    xi_sphere, eta_sphere = xi, eta
    for j, b in enumerate(beta, start=1):
        xi_sphere = xi_sphere - b * np.sin(2 * j * xi) * np.cosh(2 * j * eta)
        eta_sphere = eta_sphere - b * np.cos(2 * j * xi) * np.sinh(2 * j * eta)
    # Conformal latitude to geographic latitude: Newton's method on the tangent (Karney 2011).
    tan_conformal = np.sin(xi_sphere) / np.hypot(np.sinh(eta_sphere), np.cos(xi_sphere))
    eccentricity = np.sqrt(ECCENTRICITY_SQUARED)
    tan_lat = tan_conformal
    for _ in range(3):
        sigma = np.sinh(eccentricity * np.arctanh(eccentricity * tan_lat / np.hypot(1.0, tan_lat)))
        now = tan_lat * np.hypot(1.0, sigma) - sigma * np.hypot(1.0, tan_lat)
        slope = (1.0 + (1.0 - ECCENTRICITY_SQUARED) * tan_lat**2) / ((1.0 - ECCENTRICITY_SQUARED) * np.hypot(1.0, tan_lat))
        tan_lat = tan_lat + (tan_conformal - now) / np.hypot(1.0, now) * slope
    lon = np.arctan2(np.sinh(eta_sphere), np.cos(xi_sphere)) + np.radians(6.0 * zone - 183.0)
    return np.degrees(np.stack([np.arctan(tan_lat), lon], axis=-1))
