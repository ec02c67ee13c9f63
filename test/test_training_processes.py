# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Several processes train what one would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import two_processes
from safetensors.torch import load_file
from torch import nn
from towns import crossing

from urban_map_loc.area.geopackage import write_area
from urban_map_loc.cli.main import DONE
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.training.processes import SharedBatchNorm, share_batch_statistics


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A group of one process."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("shape", [(8, 3), (6, 3, 5), (4, 3, 5, 7)])
def test_a_shared_batch_norm_of_one_process_is_a_batch_norm(group: None, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    kind = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d)[len(shape) - 2]
    plain, shared = (nn.Sequential(kind(3)).double() for _ in range(2))
    for norm in (plain[0], shared[0]):
        nn.init.constant_(norm.weight, 1.5)
        nn.init.constant_(norm.bias, -0.5)
    share_batch_statistics(shared)
    assert isinstance(shared[0], SharedBatchNorm)
    images = torch.randn(shape, dtype=torch.float64) * 2.0 + 3.0
    target = torch.randn(shape, dtype=torch.float64)
    gradients = []
    for network in (plain, shared):
        x = images.clone().requires_grad_()
        ((network(x) - target) ** 2).sum().backward()
        gradients.append([x.grad, *(p.grad for p in network.parameters())])
        network.eval()
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(shared.state_dict(), plain.state_dict(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(shared(images), plain(images), rtol=1e-6, atol=1e-6)


def torchrun(*what: str) -> str:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *what]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == DONE, done.stderr
    return done.stdout


@pytest.mark.timeout(300)  # PyTorch is loaded three times
def test_two_processes_compute_what_one_does(tmp_path: Path) -> None:
    """Up to rounding, which another number of threads changes as much: the loss to seven digits, gradients to a few thousandths."""
    torchrun(two_processes.__file__, str(tmp_path / "found"))
    two, one = load_file(tmp_path / "found"), two_processes.first_steps()
    for name in two_processes.CASES:
        torch.testing.assert_close(two[f"{name} losses"], one[f"{name} losses"], rtol=1e-4, atol=0.0)
        gradient, expected = two[f"{name} gradient"], one[f"{name} gradient"]
        assert float((gradient - expected).norm()) < 0.02 * float(expected.norm()), name


@pytest.mark.timeout(300)  # PyTorch is loaded three times
def test_two_processes_write_one_model_and_stop_together(tmp_path: Path) -> None:
    write_area(crossing(), tmp_path / "a.gpkg")
    model = tmp_path / "m.safetensors"
    small = ["batch_size=24", "validation_tiles=16"]
    options = ["--device", "cpu", "--minutes", "0.01", *(word for s in small for word in ("--set", f"training.{s}"))]
    said = torchrun("-m", "urban_map_loc", "train", str(tmp_path / "a.gpkg"), "--out", str(model), *options)
    assert said.count(str(model)) == 1  # one of them speaks
    summary = load_checkpoint(model).summary
    assert summary["tiles"] == 24 * summary["steps"] > 0
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.gpkg", "m.safetensors"]
