# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is read of bags that were cut off, are damaged or lack their metadata.yaml."""

from __future__ import annotations

from typing import NamedTuple

from urban_map_loc.reading import MB, bounds


class Salvaged(NamedTuple):
    """A message: bag time [ns], topic, type such as nav_msgs/msg/Odometry, CDR bytes."""

    time_ns: int
    topic: str
    kind: str
    data: bytes


ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def unpacked(data: bytes) -> bytes:
    """A message's CDR bytes, which bags with `compression_mode: MESSAGE` compress one by one; CDR itself never begins like that.

    Empty, as a message that is damaged, where they are more than bounded.
    """
    if not data.startswith(ZSTD_MAGIC):
        return data
    from backports import zstd

    try:
        return unpacked_zstd(data, int(bounds().largest_chunk_mb * MB))
    except (zstd.ZstdError, EOFError):
        return b""


def unpacked_zstd(data: bytes, most: int) -> bytes:
    """The content of a zstd stream, at most `most` bytes: of a few packed ones billions may come.

    Raises:
        ZstdError: the stream is damaged.
        EOFError: it is cut short, or holds more.
    """
    from backports import zstd

    decompressor = zstd.ZstdDecompressor()
    content = decompressor.decompress(data, max_length=most + 1)
    if not decompressor.eof or len(content) > most:
        raise EOFError(f"a packed stream of {len(data)} bytes is cut short or holds more than {most}")
    return bytes(content)
