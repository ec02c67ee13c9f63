# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: a safetensors file that rebuilds its network and knows its area.

The header's metadata carry the format's and the package's version, the configuration, the datum, the area's content hash, what training
reached, and SHA-256 sums of tensors and metadata; nothing in the file is code. The sums find damage; they are no signature.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from urban_map_loc import __version__
from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import TrainConfig
from urban_map_loc.errors import ConfigurationError, ModelError
from urban_map_loc.geometry.geodesy import GeoPoint
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.network import NO_REFERENCES, MapNet
from urban_map_loc.output import final_file
from urban_map_loc.reading import json_of, object_of, require_size
from urban_map_loc.settings import from_dict, to_dict

# 2: sums, package version, calibration.
FORMAT_VERSION = 2
FORMAT = "urban_map_loc MapNet"
# Most of a model file: what the network makes of the map, kept in half precision.
REFERENCES = "head.references"
TENSORS_SUM, METADATA_SUM = "tensors_sha256", "metadata_sha256"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network with what it was trained on."""

    network: MapNet
    config: TrainConfig
    datum: GeoPoint
    area_hash: str
    summary: dict[str, Any]

    def check_area(self, area: AreaMap, area_name: str) -> None:
        """Refuse to localize on an area other than the one trained on.

        Raises:
            ModelError: naming both hashes and both datums.
        """
        if self.area_hash != area.content_hash or self.datum != area.datum:
            raise ModelError(
                f"the model was trained on area {self.area_hash[:12]} about {self.datum.lat_deg:.6f}, {self.datum.lon_deg:.6f}, but "
                f"{area_name} is {area.content_hash[:12]} about {area.datum.lat_deg:.6f}, {area.datum.lon_deg:.6f}; "
                "train again on this area, or give the area the model was trained on"
            )

    def metadata(self) -> dict[str, str]:
        """What the file says of itself beside its tensors, without sums."""
        return {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "package_version": __version__,
            "config": json.dumps(to_dict(self.config)),
            "datum": json.dumps([self.datum.lat_deg, self.datum.lon_deg]),
            "area_hash": self.area_hash,
            "summary": json.dumps(self.summary),
        }


def sum_of_tensors(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and values, in the names' order."""
    digest = sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def sum_of_metadata(metadata: dict[str, str]) -> str:
    """SHA-256 of all entries but this sum's own."""
    entries = sorted(item for item in metadata.items() if item[0] != METADATA_SUM)
    return sha256(json.dumps(entries).encode()).hexdigest()


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write under the final name only when whole.

    Raises:
        OutputError: the file cannot be written there.
    """
    tensors = {name: tensor.contiguous().cpu() for name, tensor in checkpoint.network.state_dict().items()}
    if REFERENCES in tensors:
        tensors[REFERENCES] = tensors[REFERENCES].half()  # as `fill_references` rounded them
    metadata = checkpoint.metadata() | {TENSORS_SUM: sum_of_tensors(tensors)}
    metadata[METADATA_SUM] = sum_of_metadata(metadata)
    with final_file(path) as partial:
        partial.write_bytes(save(tensors, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        ModelError: missing or damaged.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; make it with `urban_map_loc train AREA.gpkg --out {path.name}`")
    require_size(path, "largest_model_mb", ModelError)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged or no safetensors file ({_reason(error)}); copy it again or train anew") from None


def load_checkpoint(path: Path) -> Checkpoint:
    """Rebuild the network, in evaluation mode, from a file.

    Raises:
        ModelError: missing, damaged, not a MapNet of this project, or of another format.
    """
    tensors, metadata = read_tensors(path)
    _check(path, tensors, metadata)
    try:
        if not all(bool(tensor.isfinite().all()) for tensor in tensors.values() if tensor.is_floating_point()):
            raise ValueError("tensors hold numbers that are not finite")
        config = from_dict(TrainConfig, object_of(metadata["config"]))
        cells = tensors["head.cells"].double().numpy()
        reference_poses = tensors["head.reference_poses"].double().numpy() if REFERENCES in tensors else NO_REFERENCES
        network = MapNet(config.network, config.tile, cells, reference_poses)
        network.load_state_dict(tensors)
        if isinstance(network.head, CellsHead) and bool((network.head.reference_cell < 0).any()):
            raise ValueError("views of the map lie outside of all cells")
        datum = GeoPoint(*json_of(metadata["datum"]))
        area_hash, summary = metadata["area_hash"], object_of(metadata["summary"])
    except (KeyError, IndexError, ValueError, TypeError, RuntimeError, ConfigurationError) as error:
        made_by = f"urban_map_loc {metadata.get('package_version')}"
        raise ModelError(f"{path} was made by {made_by} and does not fit {__version__} ({_reason(error)}); train anew") from None
    return Checkpoint(network.eval(), config, datum, area_hash, summary)


def _reason(error: Exception) -> str:
    """An error's kind and the beginning of what it says, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def _check(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Refuse what is of another kind or format, then what was changed since it was written."""
    if metadata.get("format") != FORMAT:
        raise ModelError(f"{path} is no model of urban_map_loc; make one with `urban_map_loc train`")
    version = metadata.get("format_version", "")
    if not version.isdecimal():
        raise ModelError(f"{path} is damaged: its format version is {version!r}; copy it again or train anew")
    if int(version) != FORMAT_VERSION:
        age, remedy = ("newer", "update urban_map_loc, or train anew") if int(version) > FORMAT_VERSION else ("older", "train anew")
        raise ModelError(f"{path} has format {version}, {age} than the format {FORMAT_VERSION} of urban_map_loc {__version__}; {remedy}")
    sums = {METADATA_SUM: ("metadata", sum_of_metadata(metadata)), TENSORS_SUM: ("tensors", sum_of_tensors(tensors))}
    for name, (part, found) in sums.items():
        if metadata.get(name) != found:
            raise ModelError(f"{path} is damaged: its {part} do not have the SHA-256 written with them; copy it again or train anew")
