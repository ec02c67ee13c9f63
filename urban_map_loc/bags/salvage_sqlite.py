# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""SQLite storage files that were cut off or damaged: rows are taken from the pages that are there.

SQLite itself finds rows from the root of a table down, and where a page on the way is missing, all below it is lost to it. This reader
goes through the file's pages in order and takes the rows of every leaf (the file format, sqlite.org/fileformat2.html): a row is whole
where all its pages are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from struct import unpack
from typing import BinaryIO

from urban_map_loc.bags.salvaged import Salvaged, unpacked

MAGIC = b"SQLite format 3\x00"
HEADER_BYTES = 100
TABLE_LEAF = 0x0D
# Bytes of a value by its serial type; larger types are blobs (even) and texts (odd).
FIXED_BYTES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
FIRST_BLOB, FIRST_TEXT = 12, 13

Value = int | bytes | str | None


def read_cut_sqlite(path: Path) -> Iterator[Salvaged]:
    """The messages whose pages are there, by their time; those of topics that are not there are left out."""
    try:
        with path.open("rb") as file:
            pages = _Pages(file)
            topics: dict[int, tuple[str, str]] = {}
            rows: list[tuple[int, int, int, int]] = []
            # The first time through only short values are read: what large rows there are, and where.
            for page, cell in pages.cells():
                row = pages.row(page, cell, longest=4096)
                if row is not None and (topic := _topic(row)):
                    topics[row[0]] = topic
                elif row is not None and (message := _message(row)):
                    rows.append((message[1], message[0], page, cell))
            rows.sort(key=lambda r: r[0])
            for time_ns, topic_id, page, cell in rows:
                whole = pages.row(page, cell)
                if whole is not None and topic_id in topics and isinstance(whole[-1][3], bytes):
                    yield Salvaged(time_ns, *topics[topic_id], unpacked(whole[-1][3]))
    except (OSError, ValueError, struct.error):
        return


def _topic(row: tuple[int, list[Value]]) -> tuple[str, str] | None:
    """Name and type of a row of `topics`: id, name, type, serialization format, ..."""
    values = row[1]
    name, kind = values[1:3] if len(values) >= 4 else (None, None)
    if isinstance(name, str) and isinstance(kind, str) and name.startswith("/") and "/" in kind and values[3] == "cdr":
        return name, kind
    return None


def _message(row: tuple[int, list[Value]]) -> tuple[int, int] | None:
    """Topic and time [ns] of a row of `messages`: id, topic_id, timestamp, data."""
    values = row[1]
    if (
        len(values) == 4
        and values[0] is None
        and isinstance(values[1], int)
        and isinstance(values[2], int)
        and isinstance(values[3], bytes)
    ):
        return values[1], values[2]
    return None


class _Pages:
    """Pages of a database file, cells of its table leaves, and rows.

    Raises:
        ValueError: no SQLite file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
            raise ValueError("no SQLite file")
        (size,) = unpack(">H", header[16:18])
        self.size = 65536 if size == 1 else size
        self.usable = self.size - header[20]
        if self.size < 512 or self.usable < 480:
            raise ValueError(f"pages of {self.size} bytes")
        self.count = file.seek(0, 2) // self.size
        self._number, self._page = 0, b""

    def page(self, number: int) -> bytes:
        """A page's bytes, the first being 1.

        Raises:
            ValueError: it is not there.
        """
        if not 1 <= number <= self.count:
            raise ValueError(f"page {number} of {self.count}")
        if number != self._number:
            self._file.seek((number - 1) * self.size)
            self._page, self._number = self._file.read(self.size), number
        return self._page

    def cells(self) -> Iterator[tuple[int, int]]:
        """Page and position of every cell of a table's leaf."""
        for number in range(1, self.count + 1):
            page, at = self.page(number), HEADER_BYTES if number == 1 else 0
            if page[at] != TABLE_LEAF:
                continue
            (cells,) = unpack(">H", page[at + 3 : at + 5])
            if at + 8 + 2 * cells > self.size:
                continue
            for position in unpack(f">{cells}H", page[at + 8 : at + 8 + 2 * cells]):
                yield number, position

    def row(self, number: int, position: int, longest: int = 1 << 31) -> tuple[int, list[Value]] | None:
        """Row number and values of a cell; None where it is not whole. Of what is longer than `longest` bytes blobs are left empty."""
        try:
            page = self.page(number)
            length, at = _varint(page, position)
            row, at = _varint(page, at)
            local = self._local(length)
            payload = page[at : at + local]
            if len(payload) < local:
                return None
            if local < length:
                (follows,) = unpack(">I", page[at + local : at + local + 4])
                if length <= longest:
                    payload = self._overflow(payload, length, follows)
                elif not self._reaches(length - local, follows):
                    return None
            return row, _values(payload, length)
        except (ValueError, IndexError, struct.error, UnicodeDecodeError):
            return None

    def _local(self, length: int) -> int:
        """How much of a payload lies in the leaf itself."""
        if length <= self.usable - 35:
            return length
        least = (self.usable - 12) * 32 // 255 - 23
        fitting = least + (length - least) % (self.usable - 4)
        return fitting if fitting <= self.usable - 35 else least

    def _overflow(self, payload: bytes, length: int, follows: int) -> bytes:
        parts, have = [payload], len(payload)
        while have < length:
            page = self.page(follows)
            (follows,) = unpack(">I", page[:4])
            part = page[4 : min(self.usable, 4 + length - have)]
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def _reaches(self, length: int, follows: int) -> bool:
        """Whether the pages that hold the rest of a payload are all there."""
        for _ in range(-(-length // (self.usable - 4))):
            self._file.seek((follows - 1) * self.size)
            if not 1 <= follows <= self.count:
                return False
            (follows,) = unpack(">I", self._file.read(4))
        return True


def _values(payload: bytes, length: int) -> list[Value]:
    """The values of a record; a blob that lies beyond `payload`, which is a part of `length` bytes, is empty."""
    head, at = _varint(payload, 0)
    if head > len(payload):
        raise ValueError("a record's header is longer than the record")
    kinds: list[int] = []
    while at < head:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        size = FIXED_BYTES[kind] if kind < len(FIXED_BYTES) else (kind - FIRST_BLOB) // 2
        content, at = payload[at : at + size], at + size
        if at > length:
            raise ValueError("a value is longer than its record")
        if kind == 0:
            values.append(None)
        elif kind <= 6:
            values.append(int.from_bytes(content, "big", signed=True))
        elif kind in (8, 9):
            values.append(kind - 8)
        elif kind >= FIRST_BLOB and kind % 2 == 0:
            values.append(content if len(content) == size else b"")
        elif kind >= FIRST_TEXT:
            values.append(content.decode("utf-8"))
        else:
            values.append(None)  # a float: no column that matters here is one
    return values


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 1 to 9 bytes, and where it ends."""
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
    return value << 8 | data[at], at + 1
