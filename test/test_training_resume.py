# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training through interruptions: Ctrl-C, kill -9, another try; the result is that of a training in one go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from towns import crossing
from trainings import CONFIG, CPU, TRAINING, assert_identical, weights

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cli.main import FAILED, INTERRUPTED, run
from urban_map_loc.config import MapNetConfig
from urban_map_loc.errors import ModelError
from urban_map_loc.mapnet.checkpoint import read_tensors
from urban_map_loc.training.interruption import Interruption
from urban_map_loc.training.run import train
from urban_map_loc.training.state import load_state, resume_path, save_state
from urban_map_loc.training.trainer import Trainer

NETWORKS = {
    "cells": CONFIG.network,
    "regression with dropout": MapNetConfig(head="regression", feature_size=32, dropout=0.5),
}


def press_ctrl_c_at(step: int):
    def show(done: float, figures: dict[str, float]) -> None:
        if figures["steps"] == step:
            os.kill(os.getpid(), signal.SIGINT)

    return show


@pytest.mark.parametrize("name", NETWORKS)
def test_ctrl_c_saves_and_resuming_ends_at_the_same_model(tmp_path: Path, name: str) -> None:
    area, config = crossing(), replace(CONFIG, network=NETWORKS[name])
    train(area, config, tmp_path / "whole", device="cpu")
    with pytest.raises(KeyboardInterrupt, match="after 4 steps; the same command with --resume goes on"):
        train(area, config, tmp_path / "cut", device="cpu", progress=press_ctrl_c_at(3))
    assert not (tmp_path / "cut").exists()
    steps: list[float] = []
    train(area, config, tmp_path / "cut", device="cpu", resume=True, progress=lambda _, f: steps.append(f["steps"]))
    assert steps == [5, 6]
    assert_identical(weights(tmp_path / "cut"), weights(tmp_path / "whole"))
    assert not resume_path(tmp_path / "cut").exists()


def test_the_first_signal_is_noted_and_the_second_interrupts() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        assert not interruption.requested
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_model_that_could_not_be_finished_is_finished_by_resuming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    area = crossing()
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "checkpoint", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(area, CONFIG, tmp_path / "m", device="cpu")
    monkeypatch.setattr(Trainer, "step", lambda self: pytest.fail("a step too many"))
    assert train(area, CONFIG, tmp_path / "m", device="cpu", resume=True)["steps"] == TRAINING.steps


def test_the_state_has_the_average_and_leaves_out_what_is_computed_anew(tmp_path: Path) -> None:
    trainer = Trainer(crossing(), CONFIG, CPU)
    for _ in range(3):
        trainer.step()
    trainer.validate()  # fills the average's views of the map
    trainer.save_state(tmp_path / "s")
    assert not [name for name in read_tensors(tmp_path / "s")[0] if "head.references" in name]
    again = Trainer(crossing(), CONFIG, CPU)
    again.load_state(tmp_path / "s")
    assert (again.steps, again.seconds) == (3, trainer.seconds)
    averages = (t.average.network.state_dict() for t in (trainer, again))
    mine, loaded = ({n: t for n, t in average.items() if n != "head.references"} for average in averages)
    assert_identical(mine, loaded)
    assert not torch.equal(mine["neck.describe.weight"], trainer.network.state_dict()["neck.describe.weight"])


def test_resuming_with_other_settings_or_from_a_damaged_state_is_refused(tmp_path: Path) -> None:
    area = crossing()
    Trainer(area, CONFIG, CPU).save_state(resume_path(tmp_path / "m"))
    with pytest.raises(ModelError, match="other settings"):
        train(area, replace(CONFIG, seed=9), tmp_path / "m", device="cpu", resume=True)
    whole = resume_path(tmp_path / "m").read_bytes()
    resume_path(tmp_path / "m").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="damaged"):
        train(area, CONFIG, tmp_path / "m", device="cpu", resume=True)


def test_moments_are_loaded_in_the_layout_of_their_weights(tmp_path: Path) -> None:
    def steps(convolution: nn.Conv2d, optimizer: torch.optim.Optimizer, count: int) -> None:
        for k in range(count):
            optimizer.zero_grad()
            torch.manual_seed(k)
            convolution(torch.randn(2, 3, 8, 8)).square().sum().backward()
            optimizer.step()

    def begun() -> tuple[nn.Conv2d, torch.optim.Optimizer]:
        torch.manual_seed(0)
        convolution = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        return convolution, torch.optim.AdamW(convolution.parameters(), fused=True)

    whole, cut, resumed = begun(), begun(), begun()
    steps(*whole, 2)
    steps(*whole, 2)
    steps(*cut, 2)
    save_state(tmp_path / "s", {"c": cut[0]}, cut[1], {"identity": "x"})
    load_state(tmp_path / "s", {"c": resumed[0]}, resumed[1], "x")
    steps(*resumed, 2)
    assert_identical(resumed[0].state_dict(), whole[0].state_dict())


def wait_for(condition, process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_killed_it_goes_on_from_the_last_state_and_told_to_stop_it_says_how_to(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    area, model = tmp_path / "a.gpkg", tmp_path / "m.safetensors"
    write_area(crossing(), area)
    state = resume_path(model)
    small = ["--set", "training.batch_size=8", "--set", "training.validation_tiles=16", "--set", "training.checkpoint_seconds=1"]
    options = ["train", str(area), "--out", str(model), "--device", "cpu", "--minutes", "600", *small]
    command = [sys.executable, "-m", "urban_map_loc", *options]

    killed = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(state.exists, killed)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    killed.communicate()
    assert not model.exists()
    after_kill = int(read_tensors(state)[1]["steps"])
    written = state.stat().st_mtime_ns

    stopped = subprocess.Popen([*command, "--resume"], stderr=subprocess.PIPE, text=True)
    wait_for(lambda: state.stat().st_mtime_ns != written, stopped)
    stopped.terminate()
    said = stopped.communicate()[1]
    assert stopped.returncode == INTERRUPTED, said
    steps = int(read_tensors(state)[1]["steps"])
    assert steps > after_kill > 0
    assert f"interrupted after {steps} steps; the same command with --resume goes on from there" in said

    assert run([*options, "--resume", "--seed", "5"]) == FAILED
    assert "repeat the settings it was started with" in capfd.readouterr().err
