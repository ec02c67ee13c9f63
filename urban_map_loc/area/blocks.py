# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Arrays over an area, filled block by block and kept in files.

Given a cache folder, arrays live in files that are mapped into memory: only the pages that are looked at take memory, and the
next start maps them at once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import RasterConfig
from urban_map_loc.errors import OutputError
from urban_map_loc.output import final_folder

BLOCK_PX = 1024
CACHE_MARK = "raster.json"


def extent(area: AreaMap, config: RasterConfig, on_grid: bool = False) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """East, north `(2,)` [m] of the centre of pixel (0, 0), and rows and columns, of every raster of an area.

    Args:
        on_grid: pixels' centres are at whole multiples of the resolution, so that they coincide with those of other areas of the datum.
    """
    west, south, east, north = area.bounds
    origin = np.array([west, south]) - config.margin_m
    if on_grid:
        west, south = (origin := np.floor(origin / config.resolution_m) * config.resolution_m) + config.margin_m
    rows, columns = (
        int(np.ceil((high - low + 2 * config.margin_m) / config.resolution_m)) + 1 for low, high in ((south, north), (west, east))
    )
    return origin, (rows, columns)


def blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the blocks that make up an array `(H, W)`."""
    for row in range(0, shape[0], BLOCK_PX):
        for column in range(0, shape[1], BLOCK_PX):
            yield slice(row, min(row + BLOCK_PX, shape[0])), slice(column, min(column + BLOCK_PX, shape[1]))


def kept_arrays(
    cache: Path | None, key: dict[str, Any], files: Mapping[str, DTypeLike], shape: tuple[int, int], fill: Callable[..., None]
) -> tuple[NDArray[Any], ...]:
    """The arrays `(H, W)` that `fill` writes, from the cache folder where it holds those of the same key.

    Args:
        cache: folder to keep them in; none, or one that cannot be written: they are made in memory.
        key: all that the arrays depend on.
        files: file name and type of each array, in the order in which `fill` takes them.
    """
    if cache is not None:
        try:
            _make(cache, key, files, shape, fill)
            # As plain arrays: numba compiles its kernels for those.
            return tuple(np.asarray(np.load(cache / name, mmap_mode="r")) for name in files)
        except OutputError as error:
            logging.getLogger(__name__).warning("rasters are made anew at every start: %s", error)
    arrays = tuple(np.empty(shape, dtype=kind) for kind in files.values())
    fill(*arrays)
    return arrays


def _make(cache: Path, key: dict[str, Any], files: Mapping[str, DTypeLike], shape: tuple[int, int], fill: Callable[..., None]) -> None:
    """Fill the cache folder unless it holds just this."""
    mark = cache / CACHE_MARK
    if mark.is_file() and mark.read_text(encoding="utf-8") == json.dumps(key):
        return
    with final_folder(cache, CACHE_MARK) as folder:
        arrays = [np.lib.format.open_memmap(folder / name, mode="w+", dtype=kind, shape=shape) for name, kind in files.items()]
        fill(*arrays)
        for array in arrays:
            array.flush()
        (folder / CACHE_MARK).write_text(json.dumps(key), encoding="utf-8")
