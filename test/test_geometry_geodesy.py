# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The local tangent plane against pyproj's exact topocentric conversion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane

latitudes, longitudes = st.floats(-85.0, 85.0), st.floats(-180.0, 180.0)


@given(latitudes, longitudes, st.floats(-20e3, 20e3), st.floats(-20e3, 20e3))
def test_round_trip_is_under_a_millimetre(lat: float, lon: float, east: float, north: float) -> None:
    plane = LocalTangentPlane(GeoPoint(lat, lon))
    target = np.array([[east, north]])
    back = plane.to_geodetic(target)
    np.testing.assert_allclose(plane.to_enu(back[:, 0], back[:, 1]), target, atol=1e-3)


def exact(lat: float, lon: float) -> Transformer:
    return Transformer.from_pipeline(
        f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=cart +ellps=WGS84 "
        f"+step +proj=topocentric +ellps=WGS84 +lat_0={lat} +lon_0={lon} +h_0=0"
    )


@given(latitudes, longitudes, st.floats(-0.15, 0.15), st.floats(-0.15, 0.15))
def test_it_equals_pyproj(lat: float, lon: float, dlat: float, dlon: float) -> None:
    east, north, _ = exact(lat, lon).transform(lon + dlon, lat + dlat, 0.0)
    np.testing.assert_allclose(LocalTangentPlane(GeoPoint(lat, lon)).to_enu([lat + dlat], [lon + dlon])[0], [east, north], atol=1e-3)


@pytest.mark.parametrize("lat", [-54.8, -33.9, 0.0, 47.07, 69.6])
@pytest.mark.parametrize(("radius", "shorter"), [(5e3, 0.001), (20e3, 0.04)])
def test_error_and_shortening_at_a_distance(lat: float, radius: float, shorter: float) -> None:
    """Points at this distance along the ground: the plane's coordinates are pyproj's, and as much shorter as the docstring says."""
    lon, azimuths = 15.44, np.arange(0.0, 360.0, 15.0)
    lons, lats, _ = Geod(ellps="WGS84").fwd(np.full(24, lon), np.full(24, lat), azimuths, np.full(24, radius))
    east, north, _ = exact(lat, lon).transform(lons, lats, np.zeros(24))
    ours = LocalTangentPlane(GeoPoint(lat, lon)).to_enu(lats, lons)
    np.testing.assert_allclose(ours, np.column_stack([east, north]), atol=1e-3)
    assert np.all(np.abs(radius - np.hypot(*ours.T)) < shorter)


def test_swapped_coordinates_are_refused() -> None:
    with pytest.raises(ValueError, match="swapped"):
        GeoPoint(-120.0, 40.0)


@pytest.mark.parametrize(("lat", "lon"), [(90.5, 0.0), (-90.5, 0.0), (0.0, 180.5), (0.0, -180.5)])
def test_what_lies_beyond_poles_or_date_line_is_refused(lat: float, lon: float) -> None:
    with pytest.raises(ValueError, match="no latitude and longitude"):
        GeoPoint(lat, lon)


def test_poles_and_date_line_are_places() -> None:
    assert GeoPoint(90.0, 180.0).lat_deg == -GeoPoint(-90.0, -180.0).lat_deg


@pytest.mark.parametrize(("lon", "east", "there"), [(179.999, 1000.0, -179.988), (-179.999, -1000.0, 179.988), (8.0, 1000.0, 8.013)])
def test_a_map_may_lie_across_the_date_line(lon: float, east: float, there: float) -> None:
    (found,) = LocalTangentPlane(GeoPoint(47.0, lon)).to_geodetic(np.array([[east, 0.0]]))
    assert found[1] == pytest.approx(there, abs=1e-3)
