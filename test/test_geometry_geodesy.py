"""The local tangent plane against pyproj's exact topocentric conversion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane

latitudes, longitudes = st.floats(-85.0, 85.0), st.floats(-180.0, 180.0)


@given(latitudes, longitudes, st.floats(-20e3, 20e3), st.floats(-20e3, 20e3))
def test_round_trip_is_under_a_millimetre(lat: float, lon: float, east: float, north: float) -> None:
    plane = LocalTangentPlane(GeoPoint(lat, lon))
    target = np.array([[east, north]])
    back = plane.to_geodetic(target)
    np.testing.assert_allclose(plane.to_enu(back[:, 0], back[:, 1]), target, atol=1e-3)


@given(latitudes, longitudes, st.floats(-0.15, 0.15), st.floats(-0.15, 0.15))
def test_it_equals_pyproj(lat: float, lon: float, dlat: float, dlon: float) -> None:
    exact = Transformer.from_pipeline(
        f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=cart +ellps=WGS84 "
        f"+step +proj=topocentric +ellps=WGS84 +lat_0={lat} +lon_0={lon} +h_0=0"
    )
    east, north, _ = exact.transform(lon + dlon, lat + dlat, 0.0)
    np.testing.assert_allclose(LocalTangentPlane(GeoPoint(lat, lon)).to_enu([lat + dlat], [lon + dlon])[0], [east, north], atol=1e-3)


def test_swapped_coordinates_are_refused() -> None:
    with pytest.raises(ValueError, match="swapped"):
        GeoPoint(-120.0, 40.0)
