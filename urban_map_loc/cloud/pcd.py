# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""PCD files (Point Cloud Library, format 0.7: https://pointclouds.org/documentation/tutorials/pcd_file_format.html).

Fields in any order, of any type and count; `DATA` ascii, binary or binary_compressed. The viewpoint is not applied: points are
given as they stand in the file.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.errors import CloudError

LONGEST_HEADER = 16384
LARGEST_COUNT = 65536  # values of a field in one point; histograms have hundreds
# Type and size of a field to numpy; PCD files are little-endian wherever they are written today.
TYPES = {(kind, size): f"<{code}{size}" for kind, code in (("I", "i"), ("U", "u")) for size in (1, 2, 4, 8)}
TYPES |= {("F", 4): "<f4", ("F", 8): "<f8"}
# LZF makes at most 264 bytes of 3: a file that claims more lies, and no memory is set aside for it.
MOST_EXPANSION = 88


@dataclass(frozen=True)
class _Header:
    """What a file says of its points: names, numpy types and counts of the fields, number of points, kind of data."""

    names: tuple[str, ...]
    types: tuple[str, ...]
    counts: tuple[int, ...]
    points: int
    data: str

    @property
    def dtype(self) -> np.dtype[np.void]:
        """One point as bytes; fields of the same name, such as padding `_`, are numbered apart."""
        return np.dtype([(f"{k} {n}", t, (c,)) for k, (n, t, c) in enumerate(zip(self.names, self.types, self.counts, strict=True))])


def read_pcd(content: bytes) -> dict[str, NDArray[np.generic]]:
    """Single-valued fields by name, each `(N,)`, in the file's order.

    Raises:
        CloudError: no PCD file, or one that is damaged or cut short; the message does not name the file.
    """
    header, begin = _header(content)
    body = memoryview(content)[begin:]
    if header.data == "ascii":
        return _ascii(header, bytes(body))
    dtype = header.dtype
    needed = header.points * dtype.itemsize
    if header.data == "binary":
        if len(body) < needed:
            raise CloudError(f"it is cut short: {len(body)} bytes of {needed}; copy it again")
        table = np.frombuffer(body, dtype, header.points)
        return {n: table[dtype.names[k]][:, 0] for k, n in enumerate(header.names) if dtype.names and header.counts[k] == 1}
    return _compressed(header, body, needed)


def _header(content: bytes) -> tuple[_Header, int]:
    """The header, and where the data begin."""
    lines: dict[str, list[str]] = {}
    at = 0
    while "DATA" not in lines:
        end = content.find(b"\n", at, LONGEST_HEADER)
        if end < 0:
            raise CloudError("it has no PCD header that ends with a line DATA; give a .pcd file")
        words = content[at:end].decode("ascii", "replace").split()
        at = end + 1
        if words and not words[0].startswith("#"):
            lines[words[0]] = words[1:]
    try:
        names = lines["FIELDS"]
        counts = [int(c) for c in lines.get("COUNT", ["1"] * len(names))]
        kinds = [(t, int(s)) for t, s in zip(lines["TYPE"], lines["SIZE"], strict=True)]
        points = int(lines["POINTS"][0]) if "POINTS" in lines else int(lines["WIDTH"][0]) * int(lines["HEIGHT"][0])
        data = lines["DATA"][0]
    except (KeyError, IndexError, ValueError) as error:
        raise CloudError(f"its PCD header is damaged ({type(error).__name__}: {error}); copy it again") from None
    fits = len(names) == len(counts) == len(kinds) and all(1 <= c <= LARGEST_COUNT for c in counts)
    if not fits or not names or points < 0:
        raise CloudError("its PCD header is damaged (FIELDS, SIZE, TYPE, COUNT and POINTS do not fit together); copy it again")
    if unknown := [f"{t}{s}" for t, s in kinds if (t, s) not in TYPES]:
        raise CloudError(f"its PCD header names the type {unknown[0]}, which does not exist; copy it again")
    if data not in ("ascii", "binary", "binary_compressed"):
        raise CloudError(f"its data are {data!r}; write it as ascii, binary or binary_compressed")
    return _Header(tuple(names), tuple(TYPES[k] for k in kinds), tuple(counts), points, data), at


def _ascii(header: _Header, body: bytes) -> dict[str, NDArray[np.generic]]:
    """Rows of numbers; integers beyond 2^53 lose their last digits, which no field in use has."""
    if not header.points:
        return {name: np.zeros(0) for name in header.names}
    if not body.strip() or header.points > len(body):  # a row has a byte at least
        raise CloudError(f"it is cut short: no row of {header.points}; copy it again")
    try:
        table = np.loadtxt(io.BytesIO(body), dtype=np.float64, comments=None, ndmin=2, max_rows=header.points)
    except (ValueError, UnicodeDecodeError) as error:
        raise CloudError(f"a row is damaged ({error}); copy it again") from None
    columns = np.cumsum((0, *header.counts))
    if table.shape != (header.points, columns[-1]):
        raise CloudError(f"it is cut short: {table.shape[0]} x {table.shape[1]} numbers of {header.points} x {columns[-1]}; copy it again")
    return {n: table[:, columns[k]] for k, n in enumerate(header.names) if header.counts[k] == 1}


def _compressed(header: _Header, body: memoryview, needed: int) -> dict[str, NDArray[np.generic]]:
    """Two sizes, then all values of the first field, all of the second, ..., packed by LZF."""
    sizes = np.frombuffer(body[:8], "<u4") if len(body) >= 8 else np.zeros(0, "<u4")
    packed = body[8 : 8 + int(sizes[0])] if len(sizes) else body[:0]
    if not len(sizes) or len(packed) < int(sizes[0]):
        raise CloudError("it is cut short: the packed data end early; copy it again")
    if int(sizes[1]) != needed or needed > MOST_EXPANSION * len(packed):
        raise CloudError(f"its packed data claim {int(sizes[1])} bytes where {header.points} points need {needed}; copy it again")
    plain = np.empty(needed, np.uint8)
    if _unpack(np.frombuffer(packed, np.uint8), plain) != needed:
        raise CloudError("its packed data are damaged; copy it again")
    out: dict[str, NDArray[np.generic]] = {}
    at = 0
    for name, kind, count in zip(header.names, header.types, header.counts, strict=True):
        size = np.dtype(kind).itemsize * count * header.points
        if count == 1:
            out[name] = plain[at : at + size].view(kind)
        at += size
    return out


@njit(cache=True)
def _unpack(packed: NDArray[np.uint8], plain: NDArray[np.uint8]) -> int:
    """Undo LZF (Marc Lehmann's format): bytes written to `plain`, -1 where the packed data are damaged.

    A first byte below 32 says how many bytes, plus one, follow as they are; else its upper three bits are a length and its lower five,
    with the next byte, a distance back to what is repeated. The length 7 is continued in a byte of its own.
    """
    i, o = 0, 0
    while i < packed.size:
        control = int(packed[i])
        i += 1
        if control < 32:
            length = control + 1
            if i + length > packed.size or o + length > plain.size:
                return -1
            for _ in range(length):
                plain[o] = packed[i]
                i += 1
                o += 1
            continue
        length = control >> 5
        if length == 7:
            if i >= packed.size:
                return -1
            length += int(packed[i])
            i += 1
        length += 2
        if i >= packed.size:
            return -1
        source = o - ((control & 31) << 8) - int(packed[i]) - 1
        i += 1
        if source < 0 or o + length > plain.size:
            return -1
        for _ in range(length):  # one by one: a run repeats what it is writing
            plain[o] = plain[source]
            source += 1
            o += 1
    return o
