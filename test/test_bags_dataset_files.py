# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Datasets as downloaded: folders, tars and zips side by side, whole and cut off."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from urban_map_loc.bags.dataset_files import DatasetFiles
from urban_map_loc.errors import BagError

FILES = {f"run/lms_front/{k}.bin": bytes([k]) * (100 + 700 * k) for k in range(5)}


def tar_of(path: Path, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in FILES.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_folders_tars_and_zips_look_the_same(tmp_path: Path) -> None:
    for name, content in FILES.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    for source in (tmp_path / "folder", tmp_path / "a.zip", tar_of(tmp_path / "a.tar")):
        files = DatasetFiles(source)
        assert {name: files.read(name) for name in files} == FILES
        assert "run/lms_front/0.bin" in files
        with pytest.raises(BagError, match=r"has no run/gps\.csv"):
            files.read("run/gps.csv")


@given(share=st.floats(0.0, 1.0))
@settings(max_examples=30)
def test_a_tar_that_was_cut_off(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    """Every file that is whole before the cut is read, and one that is not is an error of its own."""
    path = tar_of(tmp_path_factory.mktemp("cut") / "a.tar")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    try:
        files = DatasetFiles(path)
    except BagError:
        assert share < 0.1
        return
    for name, content in FILES.items():
        if content in path.read_bytes():
            assert files.read(name) == content
        elif name in files:
            with pytest.raises(BagError, match="cut short"):
                files.read(name)


def test_what_cannot_be_read_in_place_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tar_of(tmp_path / "a.tar.gz", "w:gz")
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(BagError, match="holds no file"):
        DatasetFiles(tmp_path)
    assert "unpack it" in caplog.text
    assert "b.zip is damaged" in caplog.text
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(BagError, match="no folder, tar or zip"):
        DatasetFiles(tmp_path / "notes.txt")
    with pytest.raises(BagError, match="does not exist"):
        DatasetFiles(tmp_path / "nothing")


def test_names_that_lead_out_stay_inside(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        entry = tarfile.TarInfo("../../etc/passwd")
        archive.addfile(entry, io.BytesIO())
    assert list(DatasetFiles(tmp_path / "a.tar")) == ["etc/passwd"]
