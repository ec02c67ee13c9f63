"""Checkpoints: a safetensors file that rebuilds its network and knows its area.

The header's metadata carry the format version, the configuration, the datum, the area's content hash and what training
reached; nothing in the file is code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.config import TrainConfig
from urban_map_loc.errors import ConfigurationError, ModelError
from urban_map_loc.geometry.geodesy import GeoPoint
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.output import final_file
from urban_map_loc.settings import from_dict, to_dict

FORMAT_VERSION = 1
FORMAT = "urban_map_loc MapNet"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network with what it was trained on."""

    network: MapNet
    config: TrainConfig
    datum: GeoPoint
    area_hash: str
    summary: dict[str, Any]

    def check_area(self, area: AreaMap, area_name: str) -> None:
        """Refuse to localize on an area other than the one trained on, or with tiles that no cloud fills yet.

        Raises:
            ModelError: naming both hashes and both datums, or the channels.
        """
        if self.config.tile.planes > 1:
            raise ModelError(
                f"the model takes channels {self.config.tile.channels}, but clouds give building points only; "
                "train one with `urban_map_loc train --channels buildings`"
            )
        if self.area_hash != area.content_hash or self.datum != area.datum:
            raise ModelError(
                f"the model was trained on area {self.area_hash[:12]} about {self.datum.lat_deg:.6f}, {self.datum.lon_deg:.6f}, but "
                f"{area_name} is {area.content_hash[:12]} about {area.datum.lat_deg:.6f}, {area.datum.lon_deg:.6f}; "
                "train again on this area, or give the area the model was trained on"
            )


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write under the final name only when whole.

    Raises:
        OutputError: the file cannot be written there.
    """
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "config": json.dumps(to_dict(checkpoint.config)),
        "datum": json.dumps([checkpoint.datum.lat_deg, checkpoint.datum.lon_deg]),
        "area_hash": checkpoint.area_hash,
        "summary": json.dumps(checkpoint.summary),
    }
    tensors = {name: tensor.contiguous().cpu() for name, tensor in checkpoint.network.state_dict().items()}
    with final_file(path) as partial:
        partial.write_bytes(save(tensors, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        ModelError: missing or damaged.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; make it with `urban_map_loc train AREA.gpkg --out {path.name}`")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged or no safetensors file ({error}); copy it again or train anew") from None


def load_checkpoint(path: Path) -> Checkpoint:
    """Rebuild the network, in evaluation mode, from a file.

    Raises:
        ModelError: missing, damaged, not a MapNet of this project, or of a newer format.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("format") != FORMAT:
        raise ModelError(f"{path} is no model of urban_map_loc; make one with `urban_map_loc train`")
    if metadata["format_version"] != str(FORMAT_VERSION):
        raise ModelError(
            f"{path} has format {metadata['format_version']}, this version reads {FORMAT_VERSION}; update urban_map_loc or train anew"
        )
    try:
        config = from_dict(TrainConfig, json.loads(metadata["config"]))
        cells = tensors["head.cells"].double().numpy()
        network = MapNet(config.network, config.tile, cells)
        network.load_state_dict(tensors)
        datum = GeoPoint(*json.loads(metadata["datum"]))
        summary = json.loads(metadata["summary"])
    except (KeyError, ValueError, TypeError, RuntimeError, ConfigurationError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path} does not fit this version ({type(error).__name__}: {reason}); train anew") from None
    return Checkpoint(network.eval(), config, datum, metadata["area_hash"], summary)
