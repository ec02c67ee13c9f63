# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Atlas: a folder of overlapping regions, each an area file and a model file, about one datum.

Since all regions share the datum, they share the `map` frame: a car that drives from one into the next keeps its coordinates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.area.geopackage import read_head
from urban_map_loc.errors import AreaError
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.reading import json_of, require_size

ATLAS_FILE = "atlas.json"
FORMAT = "urban_map_loc atlas"
FORMAT_VERSION = 1
_REBUILD = "build it again with `urban_map_loc area build --region-size METRES`"

Box = tuple[float, float, float, float]
Positions = NDArray[np.float64]


@dataclass(frozen=True)
class Region:
    """A region of an atlas.

    Attributes:
        name: such as `r02_c11`, row from the south and column from the west.
        core: west, south, east, north [m] in `map` of the square that is this region's own; its map goes on beyond.
        area: area file.
        area_hash: content hash of the area.
        model: model file; there once it is trained.
    """

    name: str
    core: Box
    area: Path
    area_hash: str
    model: Path


@dataclass(frozen=True, eq=False)
class Atlas:
    """The index of an atlas.

    Attributes:
        folder: where its files are.
        datum: origin of the `map` frame of all regions.
        overlap_m: how far each region's map goes on beyond its core [m].
        regions: all that have drivable roads and buildings.
    """

    folder: Path
    datum: GeoPoint
    overlap_m: float
    regions: tuple[Region, ...]

    @cached_property
    def plane(self) -> LocalTangentPlane:
        """The `map` frame's projection."""
        return LocalTangentPlane(self.datum)

    @cached_property
    def cores(self) -> NDArray[np.float64]:
        """`(N, 4)` west, south, east, north [m] of the regions' own squares."""
        return np.array([region.core for region in self.regions])

    @cached_property
    def bounds(self) -> Box:
        """West, south, east, north [m] of all regions' maps."""
        low, high = self.cores[:, :2].min(axis=0) - self.overlap_m, self.cores[:, 2:].max(axis=0) + self.overlap_m
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hexadecimal) of datum, squares and the regions' own hashes."""
        content = [self.datum.lat_deg, self.datum.lon_deg, self.overlap_m, [[*r.core, r.area_hash] for r in self.regions]]
        return sha256(json.dumps(content).encode()).hexdigest()

    def distances_m(self, positions: Positions) -> Positions:
        """How far `(K, N)` [m] positions `(K, 2)` lie from each region's core; 0 inside. Along the axis in which it is more."""
        return distances_m(self.cores, positions)

    def owner(self, positions: Positions) -> NDArray[np.int64]:
        """Number `(K,)` of the region in whose core positions `(K, 2)` lie, else of the nearest."""
        return self.distances_m(positions).argmin(axis=1)


def distances_m(cores: Positions, positions: Positions) -> Positions:
    """How far `(K, N)` [m] positions `(K, 2)` lie from boxes `(N, 4)`; negative inside. Along the axis in which it is more."""
    at = positions[:, None, :]
    return np.asarray(np.maximum(cores[None, :, :2] - at, at - cores[None, :, 2:]).max(axis=2))


def is_atlas(path: Path) -> bool:
    """Whether a path is that of an atlas, not of an area file."""
    return path.is_dir()


def datum_of(path: Path) -> GeoPoint:
    """Origin of the `map` frame of an area file or an atlas.

    Raises:
        AreaError: it is missing or damaged.
    """
    return read_atlas(path).datum if is_atlas(path) else read_head(path).datum


def write_index(atlas: Atlas) -> None:
    """Write `atlas.json` into the atlas's folder, which is being made."""
    index = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "datum_deg": [atlas.datum.lat_deg, atlas.datum.lon_deg],
        "overlap_m": atlas.overlap_m,
        "attribution": "© OpenStreetMap contributors, ODbL",
        "regions": [
            {"name": r.name, "core_m": list(r.core), "area": r.area.name, "area_hash": r.area_hash, "model": r.model.name}
            for r in atlas.regions
        ],
    }
    (atlas.folder / ATLAS_FILE).write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_atlas(folder: Path) -> Atlas:
    """Read an atlas's index; its regions' files are looked at when they are needed.

    Raises:
        AreaError: the folder is no atlas, or its index is damaged or of a newer format.
    """
    path = folder / ATLAS_FILE
    try:
        require_size(path, "largest_note_mb", AreaError)
        index = json_of(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AreaError(f"{folder} has no {ATLAS_FILE}, so it is no atlas; give an area file, or {_REBUILD}") from None
    except (OSError, ValueError) as error:
        raise AreaError(f"{path} is damaged ({error}); {_REBUILD}") from error
    try:
        if index["format"] != FORMAT:
            raise ValueError(f"format {index['format']!r}")
        version = int(index["format_version"])
        if version > FORMAT_VERSION:
            raise AreaError(f"{path} has format {version}, this version reads up to {FORMAT_VERSION}; upgrade urban_map_loc")
        regions = tuple(_region(folder, entry) for entry in index["regions"])
        overlap_m = float(index["overlap_m"])
        if not regions or not 0.0 <= overlap_m < np.inf:
            raise ValueError("no regions, or an overlap that is none")
        return Atlas(folder, GeoPoint(*(float(v) for v in index["datum_deg"])), overlap_m, regions)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise AreaError(f"{path} is damaged ({type(error).__name__}: {error}); {_REBUILD}") from error


def _region(folder: Path, entry: dict[str, Any]) -> Region:
    west, south, east, north = (float(v) for v in entry["core_m"])
    names = [str(entry[key]) for key in ("name", "area", "model")]
    if not (np.isfinite([west, south, east, north]).all() and west < east and south < north):
        raise ValueError(f"region {names[0]} has no square")
    if any(Path(name).name != name for name in names):  # files of this folder and of no other
        raise ValueError(f"region {names[0]} names a file elsewhere")
    return Region(names[0], (west, south, east, north), folder / names[1], str(entry["area_hash"]), folder / names[2])
