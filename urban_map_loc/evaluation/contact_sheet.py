# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The contact sheet of a data set of tiles: small pictures of a regular choice of them, each with its row and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from urban_map_loc.evaluation.area_picture import DATUM, GROUND, INK, PAPER, ROAD, ROAD_EDGE

MOST_ROWS, MOST_COLUMNS = 10, 14
THUMB_PX, GAP_PX, LABEL_PX, BORDER_PX, LINE_PX = 112, 10, 15, 24, 30
BUILDING = "#7a6f62"  # darker than on maps: tiles are small


class ContactSheet:
    """Collects thumbnails while tiles are made; a large grid is thinned evenly."""

    def __init__(self, shape: tuple[int, int], title: str, attribution: str) -> None:
        self._title, self._attribution = title, attribution
        rows, columns = (
            np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()
            for count, most in zip(shape, (MOST_ROWS, MOST_COLUMNS), strict=True)
        )
        self._places = {(row, column): (i, j) for i, row in enumerate(rows) for j, column in enumerate(columns)}
        self._shown = f"{len(self._places)} of {shape[0] * shape[1]} tiles; " if len(self._places) < shape[0] * shape[1] else ""
        pitch, most = THUMB_PX + GAP_PX, max(len(columns), 7)  # wide enough for the words
        width = 2 * BORDER_PX + most * pitch - GAP_PX
        height = 2 * BORDER_PX + 2 * LINE_PX + len(rows) * (pitch + LABEL_PX) - GAP_PX
        self._sheet = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self._sheet)
        palette = [ImageColor.getrgb(GROUND), ImageColor.getrgb(ROAD), ImageColor.getrgb(BUILDING)]
        self._palette = np.array(palette, dtype=np.uint8)

    def add(self, row: int, column: int, picture: NDArray[np.uint8]) -> None:
        """Take a tile `(P, P)` of values 0, 127 and 255, if it is one of those shown."""
        place = self._places.get((row, column))
        if place is None:
            return
        left = BORDER_PX + place[1] * (THUMB_PX + GAP_PX)
        top = BORDER_PX + LINE_PX + place[0] * (THUMB_PX + GAP_PX + LABEL_PX)
        coloured = Image.fromarray(self._palette[(picture.astype(int) + 1) // 128])
        self._sheet.paste(coloured.resize((THUMB_PX, THUMB_PX), Image.Resampling.BOX), (left, top))
        reference = (row, column) == (0, 0)
        frame = (left - 2, top - 2, left + THUMB_PX + 1, top + THUMB_PX + 1)
        self._draw.rectangle(frame, outline=DATUM if reference else ROAD_EDGE, width=2)
        words = f"row {row}, column {column}" if not reference else "reference tile"
        self._draw.text((left, top + THUMB_PX + 3), words, fill=DATUM if reference else INK, font=ImageFont.load_default(11))

    def save(self, path: Path, rights: PngInfo | None = None) -> None:
        """Write the sheet as PNG, with the words above and below."""
        font, bottom = ImageFont.load_default(14), self._sheet.height - BORDER_PX + 4
        self._draw.text((BORDER_PX, BORDER_PX - 8), self._title, fill=INK, font=ImageFont.load_default(16))
        left = float(BORDER_PX)
        for colour, words in ((BUILDING, "building"), (ROAD, "road"), (GROUND, "neither")):
            self._draw.rectangle((left, bottom - 13, left + 13, bottom), fill=colour, outline=INK)
            self._draw.text((left + 19, bottom), words, fill=INK, font=font, anchor="ls")
            left += 35.0 + self._draw.textlength(words, font=font)
        right = self._sheet.width - BORDER_PX
        self._draw.text((right, bottom), f"{self._shown}{self._attribution}", fill=INK, font=font, anchor="rs")
        self._sheet.save(path, pnginfo=rights)
