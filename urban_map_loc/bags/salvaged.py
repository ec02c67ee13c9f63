# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is read of bags that were cut off, are damaged or lack their metadata.yaml."""

from __future__ import annotations

from typing import NamedTuple


class Salvaged(NamedTuple):
    """A message: bag time [ns], topic, type such as nav_msgs/msg/Odometry, CDR bytes."""

    time_ns: int
    topic: str
    kind: str
    data: bytes


ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def unpacked(data: bytes) -> bytes:
    """A message's CDR bytes, which bags with `compression_mode: MESSAGE` compress one by one; CDR itself never begins like that."""
    if not data.startswith(ZSTD_MAGIC):
        return data
    from backports import zstd

    try:
        return bytes(zstd.decompress(data))
    except zstd.ZstdError:
        return b""
