# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A data set of north-up map tiles: PNG pictures on a regular grid, a table of their places, and a contact sheet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.raster import NO_BUILDING, BuildingRaster
from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.config import TileSetConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.evaluation.area_picture import attribution_of
from urban_map_loc.evaluation.contact_sheet import ContactSheet
from urban_map_loc.output import final_folder

TABLE, SHEET, FOLDER = "tiles.csv", "contact_sheet.png", "tiles"
# Values of a tile's pixels, far enough apart for the eye.
GROUND, ROAD, BUILDING = 0, 127, 255


@dataclass(frozen=True)
class TileRow:
    """One row of the table.

    Attributes:
        name: picture, relative to the table.
        row: from the north, 0 first.
        column: from the west, 0 first.
        east_m: offset of the tile's centre from that of the reference tile, row 0 and column 0 [m].
        north_m: the same towards north; 0 or negative, since the reference is the northernmost [m].
        lat_deg: latitude of the tile's centre.
        lon_deg: its longitude.
        building_share: share of the tile that buildings cover.
    """

    name: str
    row: int
    column: int
    east_m: float
    north_m: float
    lat_deg: float
    lon_deg: float
    building_share: float


class TileSet:
    """The tiles of an area: a grid from its north-western corner that covers all of it."""

    def __init__(self, area: AreaMap, config: TileSetConfig, buildings: BuildingRaster, roads: RoadRaster | None = None) -> None:
        """`roads`: of the same area and pixels, drawn where given.

        Raises:
            ConfigurationError: the tile is no whole number of the raster's pixels wide.
        """
        step = buildings.resolution_m
        self.size_px = round(config.size_m / step)
        if abs(self.size_px * step - config.size_m) > 1e-6:
            raise ConfigurationError(f"a tile of {config.size_m:g} m is no whole number of pixels; choose a multiple of {step:g} m")
        self._stride = max(1, round(self.size_px * (1.0 - config.overlap)))
        self._area, self._buildings, self._roads, self._config = area, buildings, roads, config
        west, south, east, north = area.bounds
        self._west_px, self._north_px = (round(float(v)) for v in (np.array([west, north]) - buildings.origin) / step)
        across = np.array([north - south, east - west]) / step + 1.0
        rows, columns = (1 + np.maximum(0, np.ceil((across - self.size_px) / self._stride))).astype(int)
        self.shape = (int(rows), int(columns))

    def __len__(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def spacing_m(self) -> float:
        """Distance between neighbours' centres [m]: the tile without the overlap, in whole pixels."""
        return self._stride * self._buildings.resolution_m

    def picture(self, row: int, column: int) -> NDArray[np.uint8]:
        """Tile `(P, P)`, north up: 255 building, 127 road, 0 neither."""
        south, west = self._north_px + 1 - row * self._stride - self.size_px, self._west_px + column * self._stride
        tile = np.full((self.size_px, self.size_px), GROUND, dtype=np.uint8)
        if self._roads is not None:
            tile[_window(self._roads.surface, south, west, self.size_px) != 0] = ROAD
        tile[_window(self._buildings.building, south, west, self.size_px) != NO_BUILDING] = BUILDING
        return tile[::-1]

    def rows(self) -> Iterator[tuple[TileRow, NDArray[np.uint8]]]:
        """Every tile with its row of the table, row by row from the north-west."""
        step, digits = self._buildings.resolution_m, len(str(max(self.shape) - 1))
        reference = np.array([self._west_px, self._north_px + 1 - self.size_px]) + 0.5 * (self.size_px - 1)
        places = np.stack(np.unravel_index(np.arange(len(self)), self.shape), axis=1)
        offsets = places[:, ::-1] * np.array([self.spacing_m, -self.spacing_m])
        degrees = self._area.plane.to_geodetic(self._buildings.origin + reference * step + offsets)
        numbers = np.column_stack([(offsets + 0.0).round(3), degrees.round(8)]).tolist()
        for (row, column), (east, north, lat, lon) in zip(places.tolist(), numbers, strict=True):
            picture = self.picture(row, column)
            name = f"{FOLDER}/r{row:0{digits}d}_c{column:0{digits}d}.png"
            yield TileRow(name, row, column, east, north, lat, lon, round(float(np.mean(picture == BUILDING)), 5)), picture

    def write(self, out: Path, title: str, advance: Callable[[], None] = lambda: None) -> None:
        """Write the folder whole or not at all: pictures, table, contact sheet.

        Args:
            out: folder; one that holds an older set is replaced.
            title: what the contact sheet is of.
            advance: called after every tile.

        Raises:
            OutputError: it cannot be written there, or holds something else.
        """
        rights = PngInfo()
        rights.add_itxt("Copyright", attribution_of(self._area))
        rows, columns = self.shape
        spacing = f"{rows} x {columns} tiles of {self._config.size_m:g} m, {self.spacing_m:g} m apart, north up"
        sheet = ContactSheet(self.shape, f"{title}: {spacing}", attribution_of(self._area))
        with final_folder(out, TABLE) as folder:
            (folder / FOLDER).mkdir()
            with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
                table = csv.writer(file, lineterminator="\n")
                table.writerow([field.name for field in fields(TileRow)])
                for tile, picture in self.rows():
                    Image.fromarray(np.ascontiguousarray(picture)).save(folder / tile.name, pnginfo=rights)
                    table.writerow(astuple(tile))
                    sheet.add(tile.row, tile.column, picture)
                    advance()
            sheet.save(folder / SHEET, rights)


def _window(array: NDArray[np.generic], row: int, column: int, size: int) -> NDArray[np.generic]:
    """A square `(size, size)` of an array from a row and column on, zero outside of it."""
    window = np.zeros((size, size), dtype=array.dtype)
    top, left = max(row, 0), max(column, 0)
    inside = array[top : max(row + size, 0), left : max(column + size, 0)]
    window[top - row : top - row + inside.shape[0], left - column : left - column + inside.shape[1]] = inside
    return window
