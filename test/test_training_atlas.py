# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training an atlas: finished regions are kept, processes share them, and that of a killed one is taken over."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from towns import uneven_crossing
from trainings import CONFIG, TRAINING

from urban_map_loc.area.atlas import Atlas
from urban_map_loc.area.regions import build_atlas
from urban_map_loc.cli.main import run
from urban_map_loc.config import AtlasTrainingConfig, MapNetConfig, RegionsConfig, TrainConfig
from urban_map_loc.errors import ConfigurationError, ModelError
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.training.atlas import is_trained, train_atlas
from urban_map_loc.training.claims import claim
from urban_map_loc.training.warm_start import start_of

# Only shown the map, by the packaged network.
SHOWN = TrainConfig(training=replace(TRAINING, steps=0))
SHARING = AtlasTrainingConfig(beat_s=0.1, silent_s=2.0)


def small_atlas(folder: Path) -> Atlas:
    return build_atlas(uneven_crossing(), folder, RegionsConfig(size_m=270.0, overlap_m=20.0))


def test_regions_are_trained_once_and_kept(tmp_path: Path) -> None:
    atlas = small_atlas(tmp_path / "town")
    seen: list[tuple[int, int]] = []
    assert train_atlas(atlas, SHOWN, device="cpu", progress=lambda done, total: seen.append((done, total))) == 0
    assert seen == [(1, 2), (2, 2)]
    for region in atlas.regions:
        model = load_checkpoint(region.model)
        assert model.area_hash == region.area_hash
        assert model.datum == atlas.datum
        assert model.summary["steps"] == 0
    written = {region.name: region.model.stat().st_mtime_ns for region in atlas.regions}
    atlas.regions[1].model.write_bytes(b"half a file")
    assert train_atlas(atlas, SHOWN, device="cpu") == 1
    again = {region.name for region in atlas.regions if region.model.stat().st_mtime_ns != written[region.name]}
    assert again == {"r00_c01"}
    assert not list(atlas.folder.glob("*.claim"))
    # Other settings are another model.
    start = start_of(None, SHOWN)
    assert is_trained(atlas.regions[0], SHOWN, start)
    assert not is_trained(atlas.regions[0], replace(SHOWN, seed=7), start)
    assert not is_trained(atlas.regions[0], SHOWN, None)


def test_a_region_that_fails_does_not_keep_the_others_from_being_trained(tmp_path: Path) -> None:
    atlas = small_atlas(tmp_path / "town")
    atlas.regions[0].area.write_bytes(b"no area")
    with pytest.raises(ModelError, match="1 of 2 regions could not be trained, such as r00_c00: .* is no area file"):
        train_atlas(atlas, SHOWN, device="cpu")
    assert [region.model.is_file() for region in atlas.regions] == [False, True]
    with pytest.raises(ConfigurationError, match="--head cells"):
        train_atlas(atlas, replace(SHOWN, network=MapNetConfig(head="regression")), device="cpu")


def test_a_killed_workers_region_is_trained_by_another(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    atlas = small_atlas(tmp_path / "town")
    longer = replace(CONFIG, training=replace(TRAINING, steps=12))  # from random weights: long enough to be caught at it
    killed: list[int] = []

    def kill_the_first() -> None:
        while not killed:
            for path in atlas.folder.glob("*.claim"):
                try:
                    pid = json.loads(path.read_text())["pid"]
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                except (OSError, ValueError):
                    continue
                return
            time.sleep(0.01)

    assassin = threading.Thread(target=kill_the_first, daemon=True)
    assassin.start()
    assert train_atlas(atlas, longer, jobs=2, device="cpu", start="none", sharing=SHARING) == 0
    assassin.join(5.0)
    assert len(killed) == 1
    assert all(is_trained(region, longer, None) for region in atlas.regions)
    assert not list(atlas.folder.glob("*.claim"))
    assert "Traceback" not in capfd.readouterr().err


def test_a_claim_is_one_processs_until_it_ends_or_dies(tmp_path: Path) -> None:
    path = tmp_path / "r.claim"
    first = claim(path, SHARING)
    assert first is not None
    with first:
        assert claim(path, SHARING) is None
        time.sleep(0.3)  # it is renewed meanwhile
    assert not path.exists()
    gone = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    gone.wait()
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": gone.pid, "attempt": 1}))
    second = claim(path, SHARING)  # its process is no more: at once
    assert second is not None
    assert second.attempt == 2
    path.write_text(json.dumps({"host": "another machine", "pid": 1, "attempt": 2}))
    assert claim(path, SHARING) is None  # nobody can tell, so it is waited for
    os.utime(path, (time.time() - 5.0, time.time() - 5.0))
    third = claim(path, SHARING)
    assert third is not None
    assert third.attempt == 3
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": gone.pid, "attempt": 3}))
    with pytest.raises(ModelError, match="3 processes died while they trained it"):
        claim(path, SHARING)
    path.write_text("half")  # a claim that is just being written is a claim
    assert claim(path, SHARING) is None


def test_a_claim_that_was_taken_over_is_left_to_its_new_owner(tmp_path: Path) -> None:
    path = tmp_path / "r.claim"
    slow = claim(path, SHARING)
    assert slow is not None
    with slow:
        path.unlink()
        other = claim(path, SHARING)
        assert other is not None
    assert path.exists()


def test_the_command_trains_an_atlas_and_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    atlas = build_atlas(uneven_crossing(), tmp_path / "town", RegionsConfig(size_m=400.0))
    small = ["--set", "training.validation_tiles=16", "--device", "cpu"]
    assert run(["train", str(atlas.folder), *small]) == 0
    assert "1 regions have models, 0 of them had theirs before" in capsys.readouterr().out
    assert run(["train", str(atlas.folder), *small]) == 0
    assert "1 of them had theirs before" in capsys.readouterr().out
    for wrong in (["--out", "m.safetensors"], ["--jobs", "0"]):
        with pytest.raises(SystemExit, match="2"):
            run(["train", str(atlas.folder), *wrong])
    for wrong in ([], ["--out", "m.safetensors", "--jobs", "2"]):
        with pytest.raises(SystemExit, match="2"):
            run(["train", str(atlas.regions[0].area), *wrong])
    assert "--jobs is for atlases" in capsys.readouterr().err


def test_processes_of_torchrun_train_regions_each_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atlas = build_atlas(uneven_crossing(), tmp_path / "town", RegionsConfig(size_m=400.0))
    # As the second of two: were it to wait for the first one, it would do so for ever.
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert train_atlas(atlas, SHOWN, device="cpu") == 0
    assert is_trained(atlas.regions[0], SHOWN, start_of(None, SHOWN))
