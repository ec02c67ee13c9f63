# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What `torchrun` runs in test_training_processes.py: the first steps of some trainings, written down by the first process."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from towns import crossing
from trainings import CONFIG, CPU, TRAINING

from urban_map_loc.config import MapNetConfig, SamplerConfig
from urban_map_loc.training.machine import prepare
from urban_map_loc.training.processes import ALONE, Processes, joined
from urban_map_loc.training.trainer import Trainer

STEPS = 3
SLOWLY = replace(TRAINING, batch_size=24, learning_rate=1e-5)
CASES = {
    "cells": replace(CONFIG, training=SLOWLY),
    "cells in tuples": replace(CONFIG, training=SLOWLY, sampler=SamplerConfig(tuple_length=4)),
    "regression in tuples": replace(
        CONFIG, training=SLOWLY, sampler=SamplerConfig(tuple_length=3), network=MapNetConfig(head="regression", feature_size=32)
    ),
}


def first_steps(processes: Processes = ALONE) -> dict[str, torch.Tensor]:
    """Losses of some steps, and the gradient of the last, of each case."""
    found = {}
    for name, config in CASES.items():
        trainer = Trainer(crossing(), config, CPU, processes=processes)
        found[f"{name} losses"] = torch.tensor([trainer.step().loss for _ in range(STEPS)])
        found[f"{name} gradient"] = torch.cat([p.grad.flatten() for p in trainer.parameters if p.grad is not None])
    return found


if __name__ == "__main__":
    with joined(CPU) as (processes, device):
        prepare(device, processes)
        found = first_steps(processes)
        if processes.rank == 0:
            save_file(found, Path(sys.argv[1]))
