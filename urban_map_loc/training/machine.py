# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The machine that trains: how many threads, and kernels that give the same result every time."""

from __future__ import annotations

import os

import numba
import torch

from urban_map_loc.training.processes import Processes


def prepare(device: torch.device, processes: Processes) -> None:
    """Set what PyTorch and numba keep for the whole process.

    Several processes on a machine share its cores: `torchrun` gives each one thread only. numba starts first, since it sets the
    number of OpenMP's threads, which are PyTorch's too.
    """
    threads = torch.get_num_threads()
    if processes.on_machine > 1:
        threads = max(1, len(os.sched_getaffinity(0)) // processes.on_machine)
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(threads)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS may add up in another order every time
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def half_precision(device: torch.device) -> bool:
    """Whether the network computes in bfloat16, which needs no scaling of the loss: on GPUs that have it."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
