# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Export: the network as ONNX or TorchScript, for use outside Python, checked against the network that it was made from."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from urban_map_loc.config import ExportConfig, TileConfig
from urban_map_loc.errors import ConfigurationError, ModelError
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.mapnet.inference import Ranking
from urban_map_loc.output import final_file

ONNX, TORCHSCRIPT = "onnx", "torchscript"
INPUT = "tile"
OUTPUTS = ("poses", "log_probability", "region", "covariance")

Outputs = list[NDArray[np.float32]]
Run = Callable[[NDArray[np.uint8]], Outputs]


def export_network(checkpoint: Checkpoint, kind: str, path: Path, count: int, config: ExportConfig) -> float:
    """Write the network that gives the `count` most probable poses; returns its largest difference from the original.

    The input `tile` is uint8, `(1, S, S)` or `(1, C, S, S)`, as `TileGrid` draws it. The outputs are the fields of `Hypotheses`, float32,
    K = `count` or the number of cells: `poses (K, 3)`, `log_probability (K,)`, `region (K, 4)`, `covariance (K, 3, 3)`.

    Raises:
        ConfigurationError: a package that ONNX needs is not installed.
        ModelError: the exported network answers otherwise.
        OutputError: the file cannot be written.
    """
    ranking = Ranking(checkpoint.network, count).cpu().eval()
    tiles = _tiles(checkpoint.config.tile, config.checked_tiles)
    write = {ONNX: _write_onnx, TORCHSCRIPT: _write_torchscript}[kind]
    with final_file(path) as partial:
        with torch.inference_mode(False), torch.no_grad(), _quiet():
            run = write(ranking, tiles[0], _metadata(checkpoint), partial, config)
        difference = max(_difference(_eager(ranking)(tile), run(tile), config.tolerance) for tile in tiles)
        if not difference <= config.tolerance:
            raise ModelError(
                f"the exported network's answers differ by {difference:.2g} from the model's, {config.tolerance:g} is allowed; "
                "export with the pinned versions of torch and onnx, or report it"
            )
    return difference


def _metadata(checkpoint: Checkpoint) -> dict[str, str]:
    """What the model file says of itself, and what is needed to make a tile and to read an answer."""
    cells = checkpoint.network.head.cells.double().cpu().numpy().round(3)
    tile = json.loads(checkpoint.metadata()["config"])["tile"]
    return checkpoint.metadata() | {"tile": json.dumps(tile), "cells": json.dumps(cells.tolist())}


def _write_onnx(ranking: Ranking, tile: NDArray[np.uint8], metadata: dict[str, str], path: Path, config: ExportConfig) -> Run:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  what torch.onnx needs, named here if it is missing
    except ImportError as error:
        raise ConfigurationError(f"export to ONNX needs {error.name}; install it with pip, see docs/dependencies.md") from error
    program = torch.onnx.export(
        ranking, (torch.from_numpy(tile),), input_names=[INPUT], output_names=OUTPUTS, opset_version=config.opset, verbose=False
    )
    assert program is not None
    program.model.metadata_props.update(metadata)
    program.save(str(path), external_data=False)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda tile: list(session.run(list(OUTPUTS), {INPUT: tile}))


def _write_torchscript(ranking: Ranking, tile: NDArray[np.uint8], metadata: dict[str, str], path: Path, config: ExportConfig) -> Run:
    frozen = torch.jit.freeze(torch.jit.trace(ranking, (torch.from_numpy(tile),)))
    frozen.save(str(path), _extra_files={name: value.encode() for name, value in metadata.items()})
    return _eager(torch.jit.load(str(path), map_location="cpu"))


def _eager(module: torch.nn.Module) -> Run:
    def run(tile: NDArray[np.uint8]) -> Outputs:
        with torch.inference_mode():
            return [output.numpy() for output in module(torch.from_numpy(tile))]

    return run


def _tiles(config: TileConfig, count: int) -> list[NDArray[np.uint8]]:
    """Random tiles, from empty to a third full."""
    random = np.random.default_rng(0)
    shape = (1, *(config.planes,) * (config.planes > 1), config.size_px, config.size_px)
    return [(random.random(shape) < share).astype(np.uint8) for share in np.linspace(0.0, 1.0 / 3.0, count)]


def _difference(wanted: Outputs, found: Outputs, tolerance: float) -> float:
    """Largest difference of outputs; hypotheses of equal probability may stand in another order, and the last be another."""
    (_, probability, region, _), (_, _, found_region, _) = wanted, found
    if [w.shape for w in wanted] != [f.shape for f in found]:
        return float("inf")
    distance = np.abs(found_region[None] - region[:, None]).max(axis=2)
    partner = distance.argmin(axis=1)
    left_out = (distance.min(axis=1) > 1.0) & (probability - probability[-1] <= tolerance)
    difference = [np.abs(wanted[1] - found[1]).max()]
    difference += [np.abs(w - f[partner])[~left_out].max(initial=0.0) for w, f in zip(wanted, found, strict=True)]
    return float(np.max(difference))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters say to their own developers."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
