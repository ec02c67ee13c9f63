# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A bag's storage files, whole or damaged: topics, times and messages.

Whole bags are read by rosbags: rosbag2 folders of mcap and sqlite3, split or not, compressed by file, message or chunk. rclpy's own
rosbag2_py reads no more kinds than that, so it is not used where it is installed: one way of reading, the same with and without ROS.
What rosbags refuses, a recording that broke off, a file that was cut in copying, a folder without metadata.yaml, is read from the front
up to the damage.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from rosbags.interfaces import Connection, ConnectionExtRosbag2, QosDurability

from urban_map_loc.bags.bounded import bounded_reader, require_bounded
from urban_map_loc.bags.salvage_mcap import read_cut_mcap
from urban_map_loc.bags.salvage_sqlite import read_cut_sqlite
from urban_map_loc.bags.salvaged import Salvaged, unpacked
from urban_map_loc.bags.writer import METADATA_FILE
from urban_map_loc.errors import BagError

log = logging.getLogger(__name__)

SALVAGES = {".mcap": read_cut_mcap, ".db3": read_cut_sqlite}
REMEDY = "copy or record it again"
LARGEST_NS = 1 << 63


class Storage(Protocol):
    """What a bag holds.

    Attributes:
        topics: message type of each topic.
        counts: messages of each topic.
        start_ns: bag time of the first message.
        end_ns: bag time of the last message.
        latched: topics recorded as transient local: their last messages are kept for whoever comes later.
    """

    topics: dict[str, str]
    latched: set[str]
    counts: dict[str, int]
    start_ns: int
    end_ns: int

    def messages(self, topics: Collection[str], from_ns: int) -> Iterator[Salvaged]:
        """Messages of these topics (all where none is named) from a bag time on, by their time."""


def open_storage(path: Path) -> Storage:
    """The storage of a bag: its folder, or one storage file.

    Raises:
        BagError: it does not exist, is no bag, or nothing in it can be read.
    """
    files = _storage_files(path)
    if path.is_dir() and not (path / METADATA_FILE).is_file() and not files:
        raise BagError(f"{path} has no metadata.yaml, so it is no rosbag2 folder; {_give()}")
    if not path.exists():
        raise BagError(f"{path} does not exist; {_give()}")
    if path.is_file() and not files:
        raise BagError(f"{path} is no storage file of a bag (.mcap or .db3); {_give()}")
    require_bounded(path, files)
    try:
        return _Whole(path, files)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            raise BagError(f"{path} cannot be read: {error.strerror or error}; check the disk and the permissions") from error
        cause: Exception = error
    except Exception as error:  # rosbags lets errors of struct, yaml, zstd and its own through
        cause = error
    # Without metadata.yaml, as after a recording that was killed, a single file may still be whole.
    if path.is_dir() and len(files) == 1 and not (path / METADATA_FILE).is_file():
        with suppress(Exception):
            whole = _Whole(files[0], files)
            log.warning("%s has no metadata.yaml; %s is read by itself", path, files[0].name)
            return whole
    cut = _Cut(path, files)
    if not cut.topics:
        raise BagError(f"{path} is damaged or was not closed ({_one_line(cause)}), and no message can be read; {REMEDY}") from cause
    count = sum(cut.counts.values())
    log.warning("%s is damaged or was cut off (%s); the %d messages before that are read", path, _one_line(cause), count)
    return cut


class _Whole:
    """A bag that rosbags reads."""

    def __init__(self, path: Path, files: list[Path]) -> None:
        self.path, self._files = path, files
        with bounded_reader(path) as reader:
            self.topics = {c.topic: c.msgtype for c in reader.connections}
            self.counts = dict.fromkeys(self.topics, 0)
            for connection in reader.connections:
                self.counts[connection.topic] += connection.msgcount
            self.latched = {c.topic for c in reader.connections if _is_latched(c)}
            if not reader.message_count:
                self.start_ns = self.end_ns = 0
            else:
                self.start_ns, self.end_ns = reader.start_time, reader.end_time - 1
            names = [text for c in reader.connections for text in (c.topic, c.msgtype)]
            numbers = [self.start_ns, self.end_ns, *self.counts.values()]
            # YAML may hold anything in their place.
            if not all(isinstance(n, str) for n in names) or not all(isinstance(n, int) and abs(n) < LARGEST_NS for n in numbers):
                raise ValueError("topics, counts or times of metadata.yaml are none")

    def messages(self, topics: Collection[str], from_ns: int) -> Iterator[Salvaged]:
        read = 0
        try:
            for message in self._read(topics, from_ns):
                read += 1
                yield message
        except _UnreadableError as error:
            cause = error.__cause__ or error
            if read:
                log.warning("%s is damaged (%s); what comes before that was read", self.path, _one_line(cause))
                return
            # Nothing at all: its index may be broken, the messages not.
            cut = _Cut(self.path, self._files)
            if not cut.topics:
                raise BagError(f"{self.path} is damaged ({_one_line(cause)}), and no message can be read; {REMEDY}") from cause
            log.warning("%s is damaged (%s); the messages before that are read", self.path, _one_line(cause))
            yield from cut.messages(topics, from_ns)

    def _read(self, topics: Collection[str], from_ns: int) -> Iterator[Salvaged]:
        with _unreadable(), bounded_reader(self.path) as reader:
            wanted = [c for c in reader.connections if c.topic in topics] if topics else reader.connections
            if topics and not wanted:
                return
            for connection, time_ns, data in reader.messages(wanted, start=from_ns):
                yield Salvaged(time_ns, connection.topic, connection.msgtype, unpacked(bytes(data)))


def _is_latched(connection: Connection) -> bool:
    profiles = connection.ext.offered_qos_profiles if isinstance(connection.ext, ConnectionExtRosbag2) else []
    return any(profile.durability is QosDurability.TRANSIENT_LOCAL for profile in profiles)


class _UnreadableError(Exception):
    """Something in the file, and not whoever uses its messages, failed."""


@contextmanager
def _unreadable() -> Iterator[None]:
    try:
        yield
    except GeneratorExit:
        raise
    except Exception as error:
        raise _UnreadableError from error


class _Cut:
    """A bag of which the front is read; it is gone through once for what it holds."""

    def __init__(self, path: Path, files: list[Path]) -> None:
        self.path, self._files = path, files
        self.topics: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.latched: set[str] = set()
        times: list[int] = []
        for message in self._read():
            self.topics.setdefault(message.topic, message.kind)
            self.counts[message.topic] = self.counts.get(message.topic, 0) + 1
            times = [min([message.time_ns, *times]), max([message.time_ns, *times])]
        self.start_ns, self.end_ns = times or (0, 0)

    def messages(self, topics: Collection[str], from_ns: int) -> Iterator[Salvaged]:
        return (m for m in self._read() if m.time_ns >= from_ns and (not topics or m.topic in topics))

    def _read(self) -> Iterator[Salvaged]:
        for file in self._files:
            if file.suffix != ".zstd":
                yield from SALVAGES[file.suffix](file)
                continue
            with tempfile.TemporaryDirectory() as folder:
                unpacked = Path(folder, file.stem)
                _unpack(file, unpacked)
                yield from SALVAGES[unpacked.suffix](unpacked)


def _unpack(packed: Path, unpacked: Path) -> None:
    """Decompress as much of a file as can be."""
    from backports import zstd

    # zstd's errors and the end of a cut file: what came out before them counts.
    with packed.open("rb") as source, unpacked.open("wb") as goal, suppress(zstd.ZstdError, EOFError), zstd.open(source, "rb") as stream:
        shutil.copyfileobj(stream, goal, 1 << 16)


def _storage_files(path: Path) -> list[Path]:
    """Storage files in the order of their numbers: `drive_2.mcap` before `drive_10.mcap`."""
    found = path.iterdir() if path.is_dir() else [path] if path.is_file() else []
    files = [f for f in found if f.suffix in SALVAGES or (f.suffix == ".zstd" and f.with_suffix("").suffix in SALVAGES)]
    return sorted(files, key=lambda f: [(int(t), "") if t.isdecimal() else (0, t) for t in re.split(r"(\d+)", f.name)])


def _give() -> str:
    return "give the folder that `ros2 bag record`, `simulate` or `convert` made"


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__} {error}".split())
