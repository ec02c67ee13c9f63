# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Final files appear whole or not at all."""

import pytest

from urban_map_loc.errors import OutputError
from urban_map_loc.output import final_file, final_folder


def test_file_appears_at_the_end_only(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with final_file(path) as temporary:
        temporary.write_text("x")
        assert not path.exists()
        assert temporary.suffix == ".txt"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_failure_keeps_the_older_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with final_file(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_folder_replaces_only_one_of_its_kind(tmp_path):
    path = tmp_path / "bag"
    for text in ("first", "second"):
        with final_folder(path, "mark") as temporary:
            (temporary / "mark").write_text(text)
    assert (path / "mark").read_text() == "second"
    other = tmp_path / "photos"
    other.mkdir()
    (other / "holiday.jpg").write_text("dear")
    with pytest.raises(OutputError, match="is not replaced"), final_folder(other, "mark"):
        pass
    assert (other / "holiday.jpg").read_text() == "dear"


def test_failed_folder_leaves_nothing(tmp_path):
    def fail():
        with final_folder(tmp_path / "bag", "mark") as temporary:
            (temporary / "half").write_text("x")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
