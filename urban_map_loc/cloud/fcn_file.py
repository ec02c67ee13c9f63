# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Segmentations as files: safetensors with configuration, what training reached, and sums that find damage; nothing in them is code."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from safetensors.torch import save

from urban_map_loc import __version__
from urban_map_loc.cloud.fcn import Fcn, FcnNetwork
from urban_map_loc.config import FcnConfig
from urban_map_loc.errors import ConfigurationError, ModelError
from urban_map_loc.mapnet.checkpoint import METADATA_SUM, TENSORS_SUM, read_tensors, sum_of_metadata, sum_of_tensors
from urban_map_loc.output import final_file
from urban_map_loc.reading import object_of
from urban_map_loc.settings import from_dict, to_dict

FORMAT = "urban_map_loc segmentation"
FORMAT_VERSION = 1
REMEDY = "make one with `urban_map_loc train-fcn --out FCN.safetensors` and give its path as cloud.fcn_model"


def save_fcn(fcn: Fcn, path: Path) -> None:
    """Write under the final name only when whole.

    Raises:
        OutputError: the file cannot be written there.
    """
    tensors = {name: tensor.contiguous().cpu() for name, tensor in fcn.network.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "package_version": __version__,
        "config": json.dumps(to_dict(fcn.config)),
        "summary": json.dumps(fcn.summary),
        TENSORS_SUM: sum_of_tensors(tensors),
    }
    metadata[METADATA_SUM] = sum_of_metadata(metadata)
    with final_file(path) as partial:
        partial.write_bytes(save(tensors, metadata))


@lru_cache(maxsize=4)
def load_fcn(path: Path) -> Fcn:
    """Rebuild a segmentation, in evaluation mode; a file is read once.

    Raises:
        ModelError: missing, damaged, no segmentation of this project, or of another format.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; {REMEDY}")
    tensors, metadata = read_tensors(path)
    if metadata.get("format") != FORMAT:
        raise ModelError(f"{path} is no segmentation of urban_map_loc; {REMEDY}")
    if metadata.get("format_version") != str(FORMAT_VERSION):
        raise ModelError(
            f"{path} has format {metadata.get('format_version')}, urban_map_loc {__version__} reads {FORMAT_VERSION}; "
            "train anew, or use the version that made it"
        )
    if metadata.get(METADATA_SUM) != sum_of_metadata(metadata) or metadata.get(TENSORS_SUM) != sum_of_tensors(tensors):
        raise ModelError(f"{path} is damaged: its SHA-256 sums are not those written with it; copy it again or train anew")
    try:
        network = FcnNetwork()
        network.load_state_dict(tensors)
        config, summary = from_dict(FcnConfig, object_of(metadata["config"])), object_of(metadata["summary"])
    except (KeyError, ValueError, TypeError, RuntimeError, ConfigurationError) as error:
        made_by = f"urban_map_loc {metadata.get('package_version')}"
        raise ModelError(f"{path} was made by {made_by} and does not fit {__version__} ({_first_line(error)}); train anew") from None
    return Fcn(network.eval(), config, summary)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
