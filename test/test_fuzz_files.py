# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Damaged files of every kind that is read: a result or an error of the project's own; no crash, no hang, no runaway memory."""

from __future__ import annotations

import fuzz_guided
import pytest
from fuzz_input import FUZZ, Reader, damaged, damages
from fuzz_targets import TARGETS
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    made = Reader(tmp_path_factory.mktemp("fuzz"))
    yield made
    made.close()


@pytest.mark.parametrize("target", TARGETS)
@FUZZ
@given(data=st.data())
def test_damaged_files(reader, target, data):
    seeds = reader.seeds(target)
    read, files = data.draw(st.sampled_from(seeds))
    name = data.draw(st.sampled_from(sorted(files)))
    other = data.draw(st.sampled_from(sorted(content for _, names in seeds for content in names.values())))
    content = damaged(files[name], data.draw(damages()), other)
    reader.read_files(target, {**files, name: content}, read)


def test_what_coverage_leads_through_are_targets_with_files() -> None:
    assert set(fuzz_guided.TARGETS) < set(TARGETS)
    assert fuzz_guided.files("pcd") == [(0, "a.pcd"), (1, "a.pcd"), (2, "a.pcd")]
