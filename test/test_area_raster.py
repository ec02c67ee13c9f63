"""BuildingRaster: exact distances about one block."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from towns import area_of, one_block

from urban_map_loc.area.raster import BuildingRaster, signed_distance
from urban_map_loc.config import RasterConfig

ROAD = [shapely.LineString([(0, -60), (0, 60)])]


def at(raster: BuildingRaster, east: float, north: float) -> float:
    row, column, inside = raster.index(np.array([[east, north]]))
    assert inside[0]
    return float(raster.distance[row[0], column[0]])


def test_distances_about_one_block() -> None:
    raster = BuildingRaster.from_area(one_block(), RasterConfig(resolution_m=0.25))
    assert at(raster, 5.0, 0.0) == pytest.approx(5.0, abs=0.2)
    assert at(raster, 14.0, 0.0) == pytest.approx(-4.0, abs=0.2)
    assert at(raster, 13.0, 14.0) == pytest.approx(4.0, abs=0.2)


def test_a_courtyard_is_outside_and_a_shared_wall_vanishes() -> None:
    ring = shapely.box(20, -10, 40, 10).difference(shapely.box(26, -4, 34, 4))
    terrace = [shapely.box(-30, 0, -20, 10), shapely.box(-20, 0, -10, 10)]
    raster = BuildingRaster.from_area(area_of([ring, *terrace], ROAD), RasterConfig(resolution_m=0.25))
    assert at(raster, 30.0, 0.0) > 3.0
    assert at(raster, -20.0, 5.0) < -4.0


def test_points_outside_are_clipped_and_told() -> None:
    raster = BuildingRaster.from_area(one_block(), RasterConfig())
    row, column, inside = raster.index(np.array([[1e6, -1e6]]))
    assert not inside[0]
    assert (row[0], column[0]) == (0, raster.shape[1] - 1)


def test_no_building_is_far_from_everything() -> None:
    assert signed_distance(np.zeros((4, 4), dtype=bool), 0.5).min() > 1e3
