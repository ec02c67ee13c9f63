# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the localizer saw and thought at each cloud: the file frames.jsonl.gz of a RUN, which report.html plays back.

Gzipped text, one JSON object a cloud in the order of estimates.csv, after a first line that names the format. Bounded: some 0.5 kB a
cloud. `zcat frames.jsonl.gz | head` reads it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isqrt
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.config import ReportConfig
from urban_map_loc.errors import BagError
from urban_map_loc.localization.result import LocalizationResult
from urban_map_loc.reading import MB, bounds, json_of, refusal
from urban_map_loc.tile.from_cloud import BuildingTile

FloatArray = NDArray[np.float64]

FRAMES_FILE = "frames.jsonl.gz"
FORMAT = "urban_map_loc frames 1"
COMPRESSION = 5  # 0.3 ms a cloud


@dataclass(frozen=True, eq=False)
class Frame:
    """One cloud.

    Attributes:
        reason: why this state, or why the cloud was skipped.
        skipped: whether it was.
        hypotheses: `(K, 4)` east, north [m], yaw [rad], score (NaN where unknown), best first.
        judged: index of the cloud at which these hypotheses were judged: until there are new ones, the old are repeated.
        tile: bits `(2 * S * S / 8,)` uint8 of walls, then of free space, row by row, or None.
    """

    reason: str
    skipped: bool = False
    hypotheses: FloatArray = field(default_factory=lambda: np.zeros((0, 4)))
    judged: int = 0
    tile: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Frames:
    """All clouds of a RUN.

    Attributes:
        tile_m: side of a tile's pixel [m].
        frames: one a cloud.
    """

    tile_m: float
    frames: list[Frame]


class FrameWriter:
    """Writes the file, cloud by cloud.

    Args:
        path: the file.
        tile_m: side of a tile's pixel [m].
    """

    def __init__(self, path: Path, tile_m: float, config: ReportConfig | None = None) -> None:
        self._config = config or ReportConfig()
        self._file = gzip.open(path, "wt", compresslevel=COMPRESSION, encoding="utf-8", newline="\n")  # noqa: SIM115  closed by __exit__
        self._last: tuple[str, Any] = ("", None)
        self._line({"format": FORMAT, "tile_m": tile_m})

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, result: LocalizationResult) -> None:
        """Append one cloud. What is as it was at the cloud before is left out."""
        reason = result.reason[: self._config.reason_letters]
        scores = result.scores if len(result.scores) == len(result.hypotheses) else np.full(len(result.hypotheses), np.nan)
        kept = self._config.hypotheses
        hypotheses = [
            [*(round(float(v), 3) for v in pose), _score(score)]
            for pose, score in zip(result.hypotheses[:kept], scores[:kept], strict=True)
        ]
        line: dict[str, Any] = {}
        if reason != self._last[0]:
            line["reason"] = reason
        if hypotheses != self._last[1]:
            line["hypotheses"] = hypotheses
        if result.skipped:
            line["skipped"] = True
        if result.tile is not None:
            line["tile"] = tile_bits(result.tile).tobytes().hex()  # hexadecimal: gzip finds what repeats, in base64 it does not
        self._last = (reason, hypotheses)
        self._line(line)

    def _line(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n")


def read_frames(path: Path) -> Frames:
    """Read the file.

    Raises:
        BagError: it is missing or damaged.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = _lines(file, path)
            head = json_of(next(lines))
            if head["format"] != FORMAT:
                raise ValueError(f"its format is {head['format']!r}, not {FORMAT!r}")
            frames: list[Frame] = []
            reason, hypotheses, judged = "", np.zeros((0, 4)), 0
            for k, text in enumerate(lines):
                line = json_of(text)
                reason = line.get("reason", reason)
                if "hypotheses" in line:
                    hypotheses, judged = np.array(line["hypotheses"], dtype=np.float64).reshape(-1, 4), k
                tile = np.frombuffer(bytes.fromhex(line["tile"]), dtype=np.uint8) if "tile" in line else None
                frames.append(Frame(reason, line.get("skipped", False), hypotheses, judged, tile))
            return Frames(float(head["tile_m"]), frames)
    except (OSError, EOFError, StopIteration, ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        cause = str(error) or type(error).__name__
        raise BagError(f"{path} is missing or damaged ({cause}); run `urban_map_loc localize` again") from error


def _lines(file: IO[str], path: Path) -> Iterator[str]:
    """Lines as long as there are no more letters than bounded: a small packed file may unpack to any size."""
    left = most = int(bounds().largest_frames_mb * MB)
    while line := file.readline(left + 1):
        left -= len(line)
        if left < 0:
            raise BagError(refusal(f"{path}, unpacked,", "largest_frames_mb", (most - left) / MB))
        yield line


def tile_planes(bits: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Walls and free space `(S, S)` of `tile_bits`."""
    size = isqrt(len(bits) * 8 // 2)
    hits, free = np.unpackbits(bits)[: 2 * size * size].reshape(2, size, size)
    return hits, free


def tile_bits(tile: BuildingTile) -> NDArray[np.uint8]:
    """Bits `(2 * S * S / 8,)` of walls, then of free space, row by row, the first pixel in the highest bit."""
    return np.packbits(np.stack([tile.hits, tile.free]) != 0)


def _score(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
