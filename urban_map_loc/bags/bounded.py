# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""rosbags within bounds: it trusts what a bag says of itself, and a few bytes may unpack to any size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.reader import DirectoryReader
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from urban_map_loc.bags.salvaged import unpacked_zstd
from urban_map_loc.bags.writer import METADATA_FILE
from urban_map_loc.errors import BagError
from urban_map_loc.reading import MB, bounds, refusal, require_plain_tables, require_size

PIECE_BYTES = 1 << 20


def require_bounded(path: Path, files: list[Path]) -> None:
    """Refuse what would fill memory or disk, or compute for ever, before rosbags opens it: metadata.yaml and the storage files.

    Raises:
        BagError: naming what is too large.
    """
    if path.is_dir():
        require_size(path / METADATA_FILE, "largest_note_mb", BagError)
        _require_short(path / METADATA_FILE)
    for file in files:
        if file.suffix == ".zstd":
            _require_fitting(file)
        elif file.suffix == ".db3":
            require_plain_tables(file, BagError)


@contextmanager
def bounded_reader(path: Path) -> Iterator[Reader]:
    """Rosbags's reader, opened; messages that are compressed one by one come as they are, for `salvaged.unpacked`."""
    with Reader(path) as reader:
        if isinstance(reader.storage, DirectoryReader):
            reader.storage.metadata = reader.storage.metadata._replace(compression_mode=None)
        yield reader


def _require_short(path: Path) -> None:
    """YAML's references may make ten lists of ten of ten ...: what its entries come to is counted before anybody follows them."""
    value: Any = None
    with suppress(OSError, ValueError, yaml.YAMLError, RecursionError):  # rosbags says what is wrong
        value = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    count, most, waiting = 0, bounds().longest_list, [value]
    while waiting:
        item = waiting.pop()
        inside = list(item.values()) if isinstance(item, dict) else item if isinstance(item, list) else []
        count += 1 + len(inside)
        if count > most:
            raise BagError(refusal(str(path), "longest_list", count))
        waiting += inside


def _require_fitting(file: Path) -> None:
    """Unpack a file for its size alone."""
    from backports import zstd

    most = bounds().largest_unpacked_mb * MB
    size = 0
    with suppress(OSError, EOFError, zstd.ZstdError), zstd.open(file, "rb") as stream:
        while piece := stream.read(PIECE_BYTES):
            size += len(piece)
            if size > most:
                break
    if size > most:
        raise BagError(refusal(f"{file}, unpacked,", "largest_unpacked_mb", size / MB))


def _most(declared: int) -> int:
    return min(declared, int(bounds().largest_chunk_mb * MB))


def _unpacked_lz4(data: bytes, declared: int) -> bytes:
    from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]

    return bytes(LZ4FrameDecompressor().decompress(data, max_length=_most(declared) + 1))


# A chunk gives out no more than it declares; rosbags compares the two afterwards.
DECOMPRESSORS["zstd"] = lambda data, declared: unpacked_zstd(data, _most(declared))
DECOMPRESSORS["lz4"] = _unpacked_lz4
