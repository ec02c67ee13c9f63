# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""MCAP files that were cut off or damaged, read from the front up to the damage.

A whole file ends with an index, which other readers begin with. This one takes record after record as they were written (the MCAP
specification, mcap.dev/spec): schemas, channels, messages, and chunks of them. Of a chunk that is cut, what can be decompressed is used.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import SEEK_END, BytesIO
from pathlib import Path
from struct import unpack
from typing import Any, BinaryIO

from urban_map_loc.bags.salvaged import Salvaged, unpacked
from urban_map_loc.reading import MB, bounds

MAGIC = b"\x89MCAP0\r\n"
SCHEMA, CHANNEL, MESSAGE, CHUNK, DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F
CHUNK_HEAD_BYTES = 32  # times, size, checksum and the length of the compression's name


class _CutError(Exception):
    """The file ends or is damaged here."""


def read_cut_mcap(path: Path) -> Iterator[Salvaged]:
    """The messages before the damage, in the order in which they were written, those of a chunk by their time."""
    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return
            for op, body in _records(file):
                if op == DATA_END:
                    return
                if op == CHUNK:
                    records, whole = _chunk(body)
                    messages: list[Salvaged] = []
                    try:
                        for inner_op, inner in _records(BytesIO(records)):
                            messages += _take(inner_op, inner, schemas, channels)
                    except _CutError:
                        whole = False
                    yield from sorted(messages, key=lambda m: m.time_ns)
                    if not whole:
                        return
                else:
                    yield from _take(op, body, schemas, channels)
    except (_CutError, struct.error, UnicodeDecodeError, OSError):
        return


def _take(op: int, body: bytes, schemas: dict[int, str], channels: dict[int, tuple[str, str]]) -> Iterator[Salvaged]:
    """Note a schema or channel; the message of a message record, whole ones of known channels."""
    if op == SCHEMA:
        schemas[unpack("<H", body[:2])[0]] = _text(body, 2)[0]
    elif op == CHANNEL:
        number, schema = unpack("<HH", body[:4])
        channels[number] = (_text(body, 4)[0], schemas.get(schema, ""))
    elif op == MESSAGE and len(body) >= 22:
        channel, _, time_ns, _ = unpack("<HIQQ", body[:22])
        if channel in channels:
            yield Salvaged(time_ns, *channels[channel], unpacked(body[22:]))


def _records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Operation code and content of each record; a chunk that is cut comes as far as it goes, another record raises.

    Raises:
        _CutError: a record is not whole.
    """
    at = file.tell()
    end = file.seek(0, SEEK_END)
    file.seek(at)
    while head := file.read(9):
        if len(head) < 9:
            raise _CutError
        op, size = unpack("<BQ", head)
        if op == 0:
            raise _CutError
        at += 9
        body = file.read(min(size, end - at))  # memory is set aside for as much as is asked for, whatever is there
        at += len(body)
        if len(body) < size and op != CHUNK:
            raise _CutError
        yield op, body


def _chunk(body: bytes) -> tuple[bytes, bool]:
    """The records of a chunk, as far as they go, and whether that is all of them."""
    if len(body) < CHUNK_HEAD_BYTES:
        raise _CutError
    size, _, name_length = unpack("<QII", body[16:CHUNK_HEAD_BYTES])
    at = CHUNK_HEAD_BYTES + name_length
    compression = body[CHUNK_HEAD_BYTES:at].decode("ascii")
    if len(body) < at + 8:
        raise _CutError
    (packed_size,) = unpack("<Q", body[at : at + 8])
    packed = body[at + 8 : at + 8 + packed_size]
    records = _unpacked(packed, compression, min(size, int(bounds().largest_chunk_mb * MB)))
    return records, len(packed) == packed_size and len(records) == size


def _unpacked(packed: bytes, compression: str, most: int) -> bytes:
    """What a compressed stream, perhaps cut short or damaged, gives out; no more than `most` bytes."""
    if not compression:
        return packed
    decompressor = _decompressor(compression)
    out = bytearray()
    # In small pieces: a decompressor that meets damage gives nothing of the piece in which it lies.
    try:
        for k in range(0, len(packed), 4096):
            out += decompressor.decompress(packed[k : k + 4096], max_length=most - len(out))
            if len(out) >= most:
                break
    except Exception:  # lz4 raises RuntimeError, zstd an error of its own; what came before counts
        pass
    return bytes(out)


def _decompressor(compression: str) -> Any:
    if compression == "zstd":
        from backports.zstd import ZstdDecompressor

        return ZstdDecompressor()
    if compression == "lz4":
        from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]

        return LZ4FrameDecompressor()
    raise _CutError


def _text(body: bytes, at: int) -> tuple[str, int]:
    """A string with its length before it, and where it ends."""
    (length,) = unpack("<I", body[at : at + 4])
    return body[at + 4 : at + 4 + length].decode("utf-8"), at + 4 + length
