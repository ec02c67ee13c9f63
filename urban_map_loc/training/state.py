# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""An unfinished training's state on disk: weights, optimizer moments, counters, as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from urban_map_loc.errors import ModelError
from urban_map_loc.mapnet.checkpoint import REFERENCES, read_tensors
from urban_map_loc.output import final_file


def resume_path(out: Path) -> Path:
    """Where an unfinished training keeps its state, beside the model to be."""
    return out.with_name(out.name + ".resume")


def save_state(path: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, metadata: dict[str, str]) -> None:
    """Write all that `load_state` needs; views of the map are described anew and left out.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors = {f"{part}.{n}": t for part, module in modules.items() for n, t in module.state_dict().items() if n != REFERENCES}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
    with final_file(path) as partial:
        partial.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata))


def load_state(path: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, identity: str) -> dict[str, str]:
    """Put what `save_state` wrote into the modules and the optimizer; returns the metadata.

    Raises:
        ModelError: the file is missing, damaged, or its metadata name another `identity`.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("identity") != identity:
        raise ModelError(f"{path} is of another area or other settings; repeat the settings it was started with, or drop --resume")
    try:
        for part, module in modules.items():
            module.load_state_dict(_of(part, tensors) | {n: t for n, t in module.state_dict().items() if n == REFERENCES})
        _load_moments(_of("optimizer", tensors), optimizer)
    except (KeyError, IndexError, ValueError, RuntimeError, TypeError) as error:
        raise ModelError(f"{path} is damaged ({type(error).__name__}: {error}); drop --resume to begin anew") from error
    return metadata


def _of(part: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}


def _load_moments(tensors: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
    """Each moment gets its parameter's layout in memory, on which the fused step relies."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        parameter = parameters[int(index)]
        moment = torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor
        state.setdefault(int(index), {})[key] = moment
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
