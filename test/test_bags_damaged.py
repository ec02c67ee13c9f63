# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Bags that were cut off or damaged, at many places and in every storage: read up to there, never a crash; and topics by their type."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from urban_map_loc.bags.messages import (
    CLOUD_TYPE,
    FIX_TYPE,
    ODOMETRY_TYPE,
    cloud_message,
    fix_message,
    nanoseconds,
    odometry_message,
    typestore,
)
from urban_map_loc.bags.reader import BagReader, CloudRecord, FixRecord, OdometryRecord
from urban_map_loc.cli.main import run
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.pose2 import Pose2

MCAP, SQLITE = StoragePlugin.MCAP, StoragePlugin.SQLITE3
STORAGES = {
    "mcap": (MCAP, CompressionMode.NONE),
    "mcap in zstd chunks": (MCAP, CompressionMode.STORAGE),
    "mcap of zstd messages": (MCAP, CompressionMode.MESSAGE),
    "mcap as zstd file": (MCAP, CompressionMode.FILE),
    "sqlite3": (SQLITE, CompressionMode.NONE),
    "sqlite3 of zstd messages": (SQLITE, CompressionMode.MESSAGE),
    "sqlite3 as zstd file": (SQLITE, CompressionMode.FILE),
}
FRAMES = 30  # clouds of 60 kB: chunks of mcap are closed at about a megabyte


def write(path: Path, storage: str, messages: list[tuple[float, str, str, Any]]) -> None:
    plugin, mode = STORAGES[storage]
    writer = Writer(path, version=9, storage_plugin=plugin)
    if mode is not CompressionMode.NONE:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        kinds = {topic: kind for _, topic, kind, _ in messages}
        connections = {topic: writer.add_connection(topic, kind, typestore=typestore()) for topic, kind in kinds.items()}
        for time_s, topic, kind, message in messages:
            writer.write(connections[topic], nanoseconds(time_s), typestore().serialize_cdr(message, kind))


@cache
def drive() -> list[tuple[float, str, str, Any]]:
    random = np.random.default_rng(0)
    messages: list[tuple[float, str, str, Any]] = []
    for k in range(FRAMES):
        at = 100.0 + 0.1 * k
        messages.append((at, "/odom", ODOMETRY_TYPE, odometry_message(at, Pose2(k, 0.0, 0.0), (1.0, 0.0))))
        points = random.normal(0.0, 10.0, (5000, 3)).astype(np.float32)
        messages.append((at + 0.01, "/points", CLOUD_TYPE, cloud_message(at, points, None, None, "base_link")))
    return messages


@cache
def whole(storage: str) -> tuple[dict[str, bytes], list[tuple[int, str, str, bytes]]]:
    """Files of a bag, and its messages."""
    with TemporaryDirectory() as folder:
        bag = Path(folder, "drive")
        write(bag, storage, drive())
        return {f.name: f.read_bytes() for f in bag.iterdir()}, list(BagReader(bag).raw())


def read(files: dict[str, bytes]) -> list[tuple[int, str, str, bytes]]:
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        return list(BagReader(Path(folder)).raw())


@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_is_read(storage: str) -> None:
    files, messages = whole(storage)
    assert [(t, topic, kind) for t, topic, kind, _ in messages] == [(nanoseconds(t), topic, kind) for t, topic, kind, _ in drive()]
    without = {name: content for name, content in files.items() if name != "metadata.yaml"}
    assert len(without) == len(files) - 1
    assert read(without) == messages


@pytest.mark.parametrize("storage", STORAGES)
@settings(max_examples=12)
@given(share=st.floats(0.0, 1.0), metadata=st.booleans())
def test_cut_anywhere(storage: str, share: float, metadata: bool) -> None:
    """Nothing that is read is other than it was written, no gap, and all that lies whole before the cut is there."""
    files, messages = whole(storage)
    (name,) = [n for n in files if n != "metadata.yaml"]
    content = files[name][: int(share * len(files[name]))]
    cut = {name: content} | ({"metadata.yaml": files["metadata.yaml"]} if metadata else {})
    try:
        found = read(cut)
    except BagError as error:
        found, text = [], str(error)
        if "damaged" not in text or "\n" in text:
            raise
    assert found == messages[: len(found)]
    if storage in ("mcap", "sqlite3"):
        page = 4096 if storage == "sqlite3" else 1
        there = content[: len(content) // page * page]
        clouds = {m[3] for m in found}
        assert all(m[3] in clouds for m in messages if m[1] == "/points" and m[3][:150] in there and m[3][-150:] in there)
    elif storage in ("mcap in zstd chunks", "mcap of zstd messages", "sqlite3 of zstd messages"):
        assert len(found) >= (share - 0.1) * len(messages) - 4  # a block of zstd, 128 kB, may be lost, and what ends a file


@settings(max_examples=25)
@given(at=st.floats(0.0, 1.0), length=st.integers(1, 3000), value=st.sampled_from([0x00, 0xFF, 0x41]))
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_overwritten_anywhere(storage: str, at: float, length: int, value: int) -> None:
    """Whatever stands in the file, records come or an error in one line."""
    files, messages = whole(storage)
    (name,) = [n for n in files if n != "metadata.yaml"]
    content = bytearray(files[name])
    first = int(at * len(content))
    content[first : first + length] = bytes([value]) * len(content[first : first + length])
    try:
        found = read({name: bytes(content), "metadata.yaml": files["metadata.yaml"]})
    except BagError as error:
        found = []
        if "\n" in str(error):
            raise
    assert len(found) <= len(messages)


def test_a_cut_bag_localizes_up_to_the_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files, _ = whole("mcap")
    (name,) = [n for n in files if n != "metadata.yaml"]
    (tmp_path / name).write_bytes(files[name][: len(files[name]) // 2])
    bag = BagReader(tmp_path)
    assert "cut off" in caplog.text
    assert len(caplog.records) == 1
    records = list(bag.records())
    clouds = [r for r in records if isinstance(r, CloudRecord)]
    assert bag.cloud_count == len(clouds)
    assert FRAMES // 2 - 2 <= len(clouds) <= FRAMES // 2
    assert bag.duration_s == pytest.approx(records[-1].stamp_s - 100.0, abs=0.02)
    assert bag.cloud_at(0.5).stamp_s == pytest.approx(100.5)
    assert next(iter(bag.raw(1.0)))[0] == nanoseconds(101.0)


def test_a_storage_file_alone(tmp_path: Path) -> None:
    files, messages = whole("mcap")
    (name,) = [n for n in files if n != "metadata.yaml"]
    (tmp_path / name).write_bytes(files[name])
    assert list(BagReader(tmp_path / name).raw()) == messages
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(BagError, match="no storage file"):
        BagReader(tmp_path / "notes.txt")


def test_files_of_a_split_bag_come_in_order(tmp_path: Path) -> None:
    """Without metadata.yaml, `_2` comes before `_10`."""
    for k in range(11):
        write(tmp_path / "part", "mcap", [(1.0 + k, "/odom", ODOMETRY_TYPE, odometry_message(1.0 + k, Pose2(k, 0.0, 0.0), (0.0, 0.0)))])
        (tmp_path / "part" / "part.mcap").rename(tmp_path / f"drive_{k}.mcap")
        shutil.rmtree(tmp_path / "part")
    assert [t for t, *_ in BagReader(tmp_path).raw()] == [nanoseconds(1.0 + k) for k in range(11)]


@pytest.mark.parametrize("text", ["", "hello", "rosbag2_bagfile_information: 3", "{"])
def test_damaged_metadata_is_done_without(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    files, messages = whole("mcap")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "metadata.yaml").write_text(text)
    assert list(BagReader(tmp_path).raw()) == messages
    assert "damaged" in caplog.text


def test_a_damaged_message_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def bag(broken: int) -> BagReader:
        path = tmp_path / f"bag{broken}"
        with Writer(path, version=9, storage_plugin=MCAP) as writer:
            points = writer.add_connection("/points", CLOUD_TYPE, typestore=typestore())
            odom = writer.add_connection("/odom", ODOMETRY_TYPE, typestore=typestore())
            for k in range(3):
                odometry = odometry_message(1.0 + k, Pose2(k, 0.0, 0.0), (0.0, 0.0))
                data = bytes(typestore().serialize_cdr(odometry, ODOMETRY_TYPE))
                writer.write(odom, nanoseconds(1.0 + k), data[:20] if k == broken else data)
            cloud = cloud_message(1.0, np.ones((2, 3)), None, None, "base_link")
            writer.write(points, nanoseconds(4.0), typestore().serialize_cdr(cloud, CLOUD_TYPE))
        return BagReader(path)

    poses = [r.T_odom_base.x for r in bag(1).records() if isinstance(r, OdometryRecord)]
    assert poses == [0.0, 2.0]
    assert "a message on /odom is damaged" in caplog.text
    with pytest.raises(BagError, match="a message on /odom is damaged"):
        list(bag(0).records())


# Topics.


def named(tmp_path: Path, *topics: tuple[str, str]) -> Path:
    """A bag with one message on each topic, of its type."""
    make: dict[str, Callable[[], Any]] = {
        CLOUD_TYPE: lambda: cloud_message(1.0, np.ones((4, 3)), None, None, "base_link"),
        ODOMETRY_TYPE: lambda: odometry_message(1.0, Pose2.identity(), (0.0, 0.0)),
        FIX_TYPE: lambda: fix_message(1.0, 47.0, 15.0, np.eye(2), "base_link"),
    }
    path = tmp_path / f"bag{time.monotonic_ns()}"
    write(path, "mcap", [(1.0, topic, kind, make[kind]()) for topic, kind in topics])
    return path


VELODYNE, WHEELS, GPS = ("/velodyne_points", CLOUD_TYPE), ("/wheels/odometry", ODOMETRY_TYPE), ("/gps/fix", FIX_TYPE)


def test_topics_are_found_by_their_type(tmp_path: Path) -> None:
    path = named(tmp_path, VELODYNE, WHEELS, GPS, ("/urban_map_loc/odometry", ODOMETRY_TYPE), ("/urban_map_loc/fix", FIX_TYPE))
    bag = BagReader(path)
    assert {type(r) for r in bag.records()} == {CloudRecord, OdometryRecord, FixRecord}
    assert bag.cloud_count == 1


def test_the_usual_name_comes_first(tmp_path: Path) -> None:
    bag = BagReader(named(tmp_path, VELODYNE, WHEELS, ("/points", CLOUD_TYPE)))
    assert len(list(bag.records())) == 2


def test_several_of_a_type_are_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = named(tmp_path, VELODYNE, ("/ouster/points", CLOUD_TYPE), WHEELS, GPS, ("/rtk/fix", FIX_TYPE))
    with pytest.raises(BagError, match=r"only /ouster/points, /velodyne_points; choose one with --topic points=/ouster/points"):
        list(BagReader(path).records())
    bag = BagReader(path, {"points": "/velodyne_points"})
    assert len(list(bag.records())) == 2
    assert "(/gps/fix, /rtk/fix), none is used" in caplog.text
    assert len(list(BagReader(path, {"points": "/velodyne_points", "fix": "/rtk/fix"}).records())) == 3


def test_a_topic_that_is_none(tmp_path: Path) -> None:
    path = named(tmp_path, VELODYNE, WHEELS)
    for given_, reason in (({"points": "/wheels/odometry"}, "only /velodyne_points"), ({"lidar": "/velodyne_points"}, "lidar is no input")):
        with pytest.raises(BagError, match=reason):
            BagReader(path, given_)
    with pytest.raises(BagError, match=r"no /odom of type .* only /velodyne_points; record it"):
        list(BagReader(named(tmp_path, VELODYNE)).records())


def test_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = named(tmp_path, VELODYNE, WHEELS)
    command = ["localize", str(path), "--area", "a", "--model", "m", "--out", str(tmp_path / "run")]
    assert run([*command, "--topic", "points=/lidar"]) == 1
    assert "has no /lidar of type" in capsys.readouterr().err
    for wrong in ("points", "points=lidar", "lidar=/points"):
        with pytest.raises(SystemExit):
            run([*command, "--topic", wrong])
