# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Messages, settings and answers of any content: taken, or refused in one line; no crash, no hang, no runaway memory."""

from __future__ import annotations

import pytest
from fuzz_input import FUZZ, NUMBERS, RARELY, Reader
from hypothesis import given
from hypothesis import strategies as st

from urban_map_loc import config
from urban_map_loc.settings import flat_settings

SECTIONS = sorted(n for n in config.__all__ if n.endswith("Config"))
NAMES = {section: [name for name, _, _ in flat_settings(getattr(config, section))] for section in SECTIONS}

counts = st.one_of(st.integers(0, 40), st.sampled_from(NUMBERS), st.integers(-3, 2**33))
words = st.one_of(st.text(max_size=8), st.sampled_from(["nan", "cells", "small", "label", "\x00", "\n", "é", "a" * 400]))
numbers = st.one_of(
    st.integers(-5, 70), st.sampled_from([*NUMBERS, -(2**63), 10**30]), st.floats(), st.sampled_from([1e308, -1e308, 5e-324, 0.5])
)
plain = st.one_of(numbers, st.booleans(), words, st.none())
anything = st.one_of(plain, st.lists(plain, max_size=4), st.dictionaries(st.text(max_size=4), plain, max_size=2))


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    made = Reader(tmp_path_factory.mktemp("fuzz"))
    yield made
    made.close()


FIELD_NAMES = st.sampled_from(["x", "y", "z", "label", "t", "time", "timestamp", "intensity", "offset_time", "ring", ""])


@st.composite
def clouds(draw):
    """Messages that are mostly whole: a layout that fits, then one or two of its numbers changed."""
    names = draw(st.sampled_from([["x", "y", "z"], ["x", "y", "z", "label"], ["x", "y", "z", "t"], ["z", "time", "y", "x", "label"]]))
    fields, at = [], 0
    for name in names:
        kind = draw(st.sampled_from([7, 7, 7, 8, 1, 2, 5, 6]))
        fields.append([name, at, kind, 1])
        at += {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 8: 8}[kind]
    height, width, padding = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(0, 3))
    step = at + padding
    data = draw(st.binary(max_size=height * width * step).map(lambda b: b + bytes(height * width * step - len(b))))
    message = {
        "height": height, "width": width, "point_step": step, "row_step": width * step, "is_bigendian": draw(st.booleans()),
        "fields": fields, "data": data.hex(), "sec": 100, "nanosec": 5, "frame_id": "base_link",
    }  # fmt: skip
    for name in draw(
        st.lists(st.sampled_from(["height", "width", "point_step", "row_step", "sec", "nanosec", "fields", "data"]), max_size=2)
    ):
        if name == "fields":
            message["fields"] = [*fields, [draw(FIELD_NAMES), draw(counts), draw(st.integers(0, 9)), draw(counts)]][
                draw(st.integers(0, 1)) :
            ]
        elif name == "data":
            message["data"] = data[: draw(st.integers(0, len(data)))].hex()
        else:
            message[name] = draw(counts)
    return message


@FUZZ
@given(message=clouds())
def test_clouds(reader, message):
    reader.check({"do": "take", "target": "cloud", "value": message})


@FUZZ
@given(data=st.data())
def test_settings(reader, data):
    section = data.draw(st.sampled_from(SECTIONS))
    values = data.draw(st.dictionaries(st.one_of(st.sampled_from(NAMES[section]), words), anything, max_size=4))
    reader.check({"do": "take", "target": "settings", "value": {"section": section, "values": values}})


def osm_answer(number: int) -> list[dict[str, object]]:
    nodes = [{"type": "node", "id": 10 * number + k, "lat": 50.0 + 1e-4 * (k // 2), "lon": 8.0 + 1e-4 * (k % 2)} for k in range(4)]
    ids = [node["id"] for node in nodes]
    way = {"type": "way", "id": 5, "nodes": [ids[0], ids[1], ids[3], ids[2], ids[0]], "tags": {"building": "yes"}}
    road = {"type": "way", "id": 6, "nodes": ids, "tags": {"highway": "residential"}}
    members = [{"type": "way", "ref": 5, "role": "outer"}]
    return [*nodes, way, road, {"type": "relation", "id": 7, "members": members, "tags": {"type": "multipolygon", "building": "yes"}}]


@FUZZ
@given(data=st.data())
def test_answers_of_overpass(reader, data):
    answer = {"osm3s": {"timestamp_osm_base": "2026-01-01T00:00:00Z"}, "elements": osm_answer(1)}
    parts = [answer, answer["elements"], *answer["elements"]]  # as they are before any of them is damaged
    for _ in range(data.draw(st.integers(1, 3))):
        what = data.draw(st.sampled_from(parts))
        if isinstance(what, dict):
            what[data.draw(st.sampled_from(["id", "lat", "lon", "nodes", "tags", "type", "members", "elements", "osm3s"]))] = data.draw(
                anything
            )
        elif isinstance(what, list) and what:
            what[data.draw(st.integers(0, len(what) - 1))] = data.draw(anything)
    reader.check({"do": "take", "target": "answer", "value": [answer]})


@FUZZ
@given(
    settings=st.lists(
        st.one_of(
            st.tuples(st.just("network"), st.sampled_from(NAMES["MapNetConfig"]), anything),
            st.tuples(st.just("tile"), st.sampled_from(NAMES["TileConfig"]), anything),
            st.tuples(words, words, anything),
        ),
        max_size=2,
    ),
    metadata=st.dictionaries(
        st.sampled_from(["config", "datum", "area_hash", "summary", "format", "format_version", "package_version"]),
        st.one_of(
            words, st.sampled_from(["[1, 2]", "[1e999, 2]", "{}", "[" * 5000, "[[]]", "null", '{"network": 1}', '{"seed": "a"}', "3"])
        ),
        max_size=2,
    ),
    tensors=st.lists(
        st.tuples(
            st.integers(0, 60), st.lists(st.integers(0, 20), max_size=4), st.sampled_from([0.0, 1.0, float("nan"), float("inf"), 1e30])
        ),
        max_size=2,
    ),
)
def test_models_with_right_sums(reader, settings, metadata, tensors):
    reader.check({"do": "take", "target": "model", "value": {"settings": settings, "metadata": metadata, "tensors": tensors}})


PARAMETERS = [*NAMES["NodeConfig"], *NAMES["LocalizerConfig"]]
ros_integers = st.one_of(st.integers(-5, 70), st.integers(-(2**63), 2**63 - 1))
ros_values = st.one_of(
    ros_integers,
    st.floats(),
    st.booleans(),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
    st.lists(st.floats(), min_size=1, max_size=7),
    st.lists(ros_integers, min_size=1, max_size=3),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=4), min_size=1, max_size=3),
)
assigned = st.dictionaries(st.sampled_from(PARAMETERS), ros_values, max_size=3)


strangers = st.dictionaries(st.sampled_from(["fusion", "a.b", "cloud.kin"]), ros_values, max_size=1)


@RARELY
@given(value=st.one_of(assigned, strangers))
def test_parameters_given_to_a_node(reader, value):
    reader.check({"do": "take", "target": "given parameters", "value": value})


@FUZZ
@given(change=assigned, configured=st.booleans())
def test_parameters_set_on_a_node(reader, change, configured):
    reader.check({"do": "take", "target": "set parameters", "value": {"set": change, "configured": configured}})
