# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""BuildingRaster: exact distances about one block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from towns import area_of, crossing, one_block

from urban_map_loc.area.raster import BuildingRaster, quantised_distance
from urban_map_loc.config import RasterConfig

ROAD = [shapely.LineString([(0, -60), (0, 60)])]


def at(raster: BuildingRaster, east: float, north: float) -> float:
    return float(raster.distance_m(np.array([[east, north]]))[0])


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


def test_points_outside_are_far_from_everything() -> None:
    raster = BuildingRaster.from_area(one_block(), RasterConfig())
    assert raster.distance_m(np.array([[1e6, -1e6]]))[0] == pytest.approx(12.7)


def test_no_building_is_far_from_everything() -> None:
    assert quantised_distance(np.zeros((4, 4), dtype=bool), 0.5).min() == 127


def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = BuildingRaster.from_area(crossing(), RasterConfig())
    monkeypatch.setattr("urban_map_loc.area.blocks.BLOCK_PX", 64)
    blocks = BuildingRaster.from_area(crossing(), RasterConfig())
    np.testing.assert_array_equal(whole.distance, blocks.distance)
    np.testing.assert_array_equal(whole.building > 0, blocks.building > 0)


def test_the_cache_is_used_again_and_made_anew_for_another_area_or_setting(tmp_path: Path) -> None:
    cache = tmp_path / "a.gpkg.raster"
    first = BuildingRaster.from_area(crossing(), RasterConfig(), cache)
    np.testing.assert_array_equal(first.distance, BuildingRaster.from_area(crossing(), RasterConfig()).distance)
    made = (cache / "distance.npy").stat().st_mtime_ns
    BuildingRaster.from_area(crossing(), RasterConfig(), cache)
    assert (cache / "distance.npy").stat().st_mtime_ns == made
    finer = BuildingRaster.from_area(crossing(), RasterConfig(resolution_m=0.25), cache)
    assert finer.shape[0] > 1.9 * first.shape[0]
    other = BuildingRaster.from_area(one_block(), RasterConfig(), cache)
    assert at(other, 14.0, 0.0) < 0.0


def test_a_place_that_is_no_cache_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("x")
    raster = BuildingRaster.from_area(one_block(), RasterConfig(), tmp_path / "mine")
    assert at(raster, 14.0, 0.0) < 0.0
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["precious.txt"]
