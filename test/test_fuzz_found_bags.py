# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What fuzzing found in bags and models, and what unpacks there to more than it is: each as small as it gets."""

from __future__ import annotations

import sqlite3
import struct

import pytest
import yaml
from backports import zstd

from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.salvage_mcap import MAGIC, read_cut_mcap
from urban_map_loc.bags.salvaged import unpacked
from urban_map_loc.errors import BagError, ModelError

DEEP = "[" * 100_000
BOMB = 8_000_000  # zeros, which pack to almost nothing


# --- bags


def test_a_record_that_claims_to_be_everything(tmp_path):
    (tmp_path / "a.mcap").write_bytes(MAGIC + struct.pack("<BQ", 5, 1 << 62) + bytes(30))
    assert list(read_cut_mcap(tmp_path / "a.mcap")) == []


def test_a_message_or_chunk_that_unpacks_to_more_than_bounded(tmp_path, small):
    packed = zstd.compress(bytes(BOMB))
    assert unpacked(packed) == b""
    assert unpacked(zstd.compress(b"\x00\x01abc")) == b"\x00\x01abc"
    chunk = struct.pack("<QQQII", 0, 0, BOMB, 0, 4) + b"zstd" + struct.pack("<Q", len(packed)) + packed
    (tmp_path / "a.mcap").write_bytes(MAGIC + struct.pack("<BQ", 6, len(chunk)) + chunk)
    assert list(read_cut_mcap(tmp_path / "a.mcap")) == []
    from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

    from urban_map_loc.bags import bounded

    assert bounded.DECOMPRESSORS is DECOMPRESSORS
    with pytest.raises(EOFError, match="holds more than"):
        DECOMPRESSORS["zstd"](packed, 1000)


def bag(folder, **change):
    """metadata.yaml of a bag without messages, changed, beside an empty storage file."""
    topic = {"topic_metadata": {"name": "/a", "type": "std_msgs/msg/String", "serialization_format": "cdr"}, "message_count": 1}
    information = {
        "version": 9, "storage_identifier": "mcap", "relative_file_paths": ["a.mcap"], "duration": {"nanoseconds": 1},
        "message_count": 1, "starting_time": {"nanoseconds_since_epoch": 1}, "topics_with_message_count": [topic],
        "compression_format": "", "compression_mode": "",
    }  # fmt: skip
    (folder / "a.mcap").write_bytes(MAGIC)
    (folder / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": information | change}))


def test_yaml_whose_references_stand_for_billions(tmp_path):
    bag(tmp_path, compression_mode="file", compression_format="BOMB")
    lists = "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 12))
    text = (tmp_path / "metadata.yaml").read_text().replace("BOMB", "*a11")
    (tmp_path / "metadata.yaml").write_text(f"a0: &a0 [x]\n{lists}{text}")
    with pytest.raises(BagError, match="entries, more than 1e\\+06"):
        BagReader(tmp_path)
    (tmp_path / "metadata.yaml").write_text("&a [*a]\n")
    with pytest.raises(BagError, match="entries, more than"):
        BagReader(tmp_path)


@pytest.mark.parametrize("name", [None, 3, ["/a"]])
def test_metadata_that_name_no_topic(tmp_path, name):
    topic = {"topic_metadata": {"name": name, "type": "std_msgs/msg/String", "serialization_format": "cdr"}, "message_count": 1}
    bag(tmp_path, topics_with_message_count=[topic])
    with pytest.raises(BagError, match="damaged or was not closed"):
        BagReader(tmp_path)


def test_a_file_that_unpacks_to_more_than_bounded(tmp_path, small):
    (tmp_path / "a.mcap.zstd").write_bytes(zstd.compress(bytes(BOMB)))
    with pytest.raises(BagError, match=r"a.mcap.zstd, unpacked, has .* MB, more than 1; .*LARGEST_UNPACKED_MB"):
        BagReader(tmp_path)


def test_a_bag_that_computes(tmp_path):
    with sqlite3.connect(tmp_path / "a.db3") as database:
        database.execute("CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT)")
        database.execute(
            "CREATE TABLE messages (id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB AS (zeroblob(1 << 30)))"
        )
    with pytest.raises(BagError, match="holds 'messages', which SQLite would have to compute"):
        BagReader(tmp_path / "a.db3")


# --- models


def test_models_with_right_sums_and_wrong_content(tmp_path):
    from test_mapnet_checkpoint import checkpoint, rewrite

    from urban_map_loc.mapnet.checkpoint import load_checkpoint, read_tensors, save_checkpoint

    path = tmp_path / "m.safetensors"
    save_checkpoint(checkpoint(rings=4, headings=4, view_size=16), path)
    tensors, metadata = read_tensors(path)
    rewrite(path, tensors | {"head.reference_poses": tensors["head.reference_poses"] + 1e4}, metadata)
    with pytest.raises(ModelError, match="views of the map lie outside of all cells"):
        load_checkpoint(path)
    rewrite(path, tensors | {"head.temperature": tensors["head.temperature"] * float("nan")}, metadata)
    with pytest.raises(ModelError, match="not finite"):
        load_checkpoint(path)
    rewrite(path, tensors, metadata | {"config": DEEP})
    with pytest.raises(ModelError, match="nested too deep"):
        load_checkpoint(path)


def test_an_unfinished_training_that_is_damaged(tmp_path):
    from fuzz_targets import _training_parts, _training_state
    from safetensors.torch import save_file

    from urban_map_loc.mapnet.checkpoint import read_tensors
    from urban_map_loc.training.state import load_state

    _training_state(tmp_path)
    tensors, metadata = read_tensors(tmp_path / "m.resume")
    module, optimizer = _training_parts()
    for name, other in (("optimizer.0.step", "optimizer.0.stop"), ("optimizer.0.step", "optimizer.9.step"), ("network.bias", "network.x")):
        save_file({(other if n == name else n): t for n, t in tensors.items()}, tmp_path / "d.resume", metadata)
        with pytest.raises(ModelError, match="drop --resume to begin anew"):
            load_state(tmp_path / "d.resume", {"network": module}, optimizer, "a")
