# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The PyTorch renderer draws what the compiled kernel draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage
from towns import crossing

from urban_map_loc import tile as tile_room
from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import BUILDINGS_AND_ROADS, RasterConfig, RoadConfig, ScanEffectsConfig, TileConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.tile.from_map import NO_EFFECTS, MapRenderer
from urban_map_loc.tile.from_map_torch import TorchMapRenderer

AREA = crossing()
BOTH = TileConfig(sectors=360, channels=BUILDINGS_AND_ROADS)


def poses(count: int) -> np.ndarray:
    random = np.random.default_rng(2)
    return np.column_stack([random.uniform(-130, 130, count), random.normal(0, 12, count), random.uniform(-np.pi, np.pi, count)])


def pair(tile: TileConfig, cache: Path | None = None) -> tuple[MapRenderer, TorchMapRenderer]:
    raster = BuildingRaster.from_area(AREA, RasterConfig(), cache)
    roads = RoadRaster.from_area(AREA, RasterConfig(), RoadConfig(), cache) if tile.planes > 1 else None
    return MapRenderer(raster, tile, roads), TorchMapRenderer(raster, tile, roads)


def assert_within_a_pixel(a: np.ndarray, b: np.ndarray) -> None:
    """Every pixel of one tile has one of the other at most one pixel away."""
    near = np.ones((1,) * (a.ndim - 2) + (3, 3))
    assert a.any()
    assert not (a.astype(bool) & ~ndimage.binary_dilation(b, near)).any()
    assert not (b.astype(bool) & ~ndimage.binary_dilation(a, near)).any()


@pytest.mark.parametrize(
    "tile",
    [
        TileConfig(),
        BOTH,
        replace(BOTH, field_of_view_rad=1.6, sectors=200),
        replace(BOTH, size_px=61, resolution_m=1.3, range_m=33.0),
        replace(BOTH, sensor_height_m=9.0),  # all houses are 8 m high
    ],
)
def test_same_tiles_within_a_pixel(tile: TileConfig) -> None:
    compiled, on_torch = pair(tile)
    there = poses(64)
    want, got = compiled.tiles(there), on_torch.tiles(torch.from_numpy(there)).numpy()
    assert want.shape == got.shape
    if tile.sensor_height_m > 8.0:
        assert not got[:, 0].any()
        assert not want[:, 0].any()
    else:
        assert_within_a_pixel(want, got)
    assert (want != got).mean() < 1e-5


def test_occluders_hide_the_same_in_both() -> None:
    compiled, on_torch = pair(BOTH)
    there = poses(64)
    reach = np.where(np.random.default_rng(1).random((64, 360)) < 0.4, 9.0, 100.0)
    reach[0] = 0.0  # shut in
    want = compiled.tiles(there, occluded=reach)
    got = on_torch.tiles(torch.from_numpy(there), occluded=torch.from_numpy(reach)).numpy()
    assert not want[0].any()
    assert not got[0].any()
    assert_within_a_pixel(want, got)
    assert 0 < got.sum() < on_torch.tiles(torch.from_numpy(there)).numpy().sum()


# What is decided for a ray alone is drawn by other generators: left out where tiles shall be the same.
SINGLE_RAYS = {"range_noise_m": 0.0, "dropout": 0.0, "far_dropout": 0.0}
STRONG = ScanEffectsConfig(
    **SINGLE_RAYS,
    narrow_views=0.3,
    tilt_rad=0.05,
    submaps=0.3,
    strips=0.3,
    vehicles=3.0,
    vegetation=10.0,
    extra_walls=8.0,
    missing_buildings=0.3,
    bare_walls=0.2,
    moved_building_m=1.0,
    simplified_m=1.0,
    map_shift_m=2.0,
)


@pytest.mark.parametrize("stretch", [1, 3])
@pytest.mark.parametrize("tile", [TileConfig(), BOTH, replace(BOTH, field_of_view_rad=1.6, sectors=200)])
def test_the_same_scene_gives_the_same_tiles(tile: TileConfig, stretch: int) -> None:
    compiled, on_torch = pair(tile)
    there = poses(64)
    want = compiled.tiles(there, STRONG, 7, stretch=stretch)
    got = on_torch.tiles(torch.from_numpy(there), STRONG, 7, stretch=stretch).numpy()
    assert_within_a_pixel(want, got)
    assert (want != got).mean() < 1e-5
    assert (want != compiled.tiles(there)).mean() > 0.005


@pytest.mark.parametrize(("name", "strength"), [("range_noise_m", 0.5), ("dropout", 0.5), ("far_dropout", 1.0)])
def test_noise_of_single_rays_is_alike(name: str, strength: float) -> None:
    compiled, on_torch = pair(TileConfig())
    there = poses(300)
    clean = compiled.tiles(there).astype(bool)
    effects = replace(NO_EFFECTS, **{name: strength})
    lost, found = [], []
    for tiles in (compiled.tiles(there, effects, 1), on_torch.tiles(torch.from_numpy(there), effects, 1).numpy()):
        lost.append((clean & (tiles == 0)).sum() / clean.sum())
        found.append((~clean & (tiles == 1)).sum() / clean.sum())
    assert lost[0] > 0.05
    assert lost[0] == pytest.approx(lost[1], rel=0.05)
    assert found[0] == pytest.approx(found[1], rel=0.05, abs=1e-3)


def test_the_seed_alone_decides() -> None:
    on_torch, there = pair(TileConfig())[1], torch.from_numpy(poses(8))
    first = on_torch.tiles(there, ScanEffectsConfig(), 5)
    assert torch.equal(on_torch.tiles(there, ScanEffectsConfig(), 5), first)
    assert not torch.equal(on_torch.tiles(there, ScanEffectsConfig(), 6), first)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_a_gpu_draws_the_same() -> None:
    raster, there = BuildingRaster.from_area(AREA, RasterConfig()), torch.from_numpy(poses(64))
    want = TorchMapRenderer(raster, TileConfig()).tiles(there, STRONG, 7)
    got = TorchMapRenderer(raster, TileConfig(), device="cuda").tiles(there, STRONG, 7).cpu()
    assert_within_a_pixel(want.numpy(), got.numpy())


def test_arrays_mapped_from_files_will_do(tmp_path: Path) -> None:
    compiled, on_torch = pair(BOTH, tmp_path / "a.gpkg.raster")
    np.testing.assert_array_equal(on_torch.tiles(torch.from_numpy(poses(3))).numpy().shape, compiled.tiles(poses(3)).shape)


def test_no_poses_are_no_tiles() -> None:
    assert pair(BOTH)[1].tiles(torch.zeros(0, 3)).shape == (0, 2, 96, 96)


def test_roads_must_be_given_where_they_are_drawn() -> None:
    raster = BuildingRaster.from_area(AREA, RasterConfig())
    for kind in (MapRenderer, TorchMapRenderer):
        with pytest.raises(ConfigurationError, match=r"channels buildings\+roads need .* RoadRaster"):
            kind(raster, BOTH)


def test_no_other_file_of_the_room_needs_torch() -> None:
    room = Path(tile_room.__file__).parent
    assert [path.name for path in room.glob("*.py") if "import torch" in path.read_text()] == ["from_map_torch.py"]
