# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Warm start: begin with what another model has learned, on whatever area."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from urban_map_loc.config import TrainConfig
from urban_map_loc.errors import ModelError
from urban_map_loc.mapnet.checkpoint import Checkpoint, load_checkpoint
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.mapnet.packaged import packaged_weights

# The start that is none.
NOTHING = "none"
# What a network knows of its area: not to be taken along.
OF_THE_AREA = ("cells", "reference_poses", "references", "position_mean", "position_deviation")


def start_of(given: str | None, config: TrainConfig) -> Checkpoint | None:
    """The model to begin with: that of the file that is given, else the packaged one if it fits; None to begin with random weights.

    Raises:
        ModelError: the file is missing or damaged.
    """
    if given == NOTHING:
        return None
    if given is not None:
        return load_checkpoint(Path(given))
    packaged = packaged_weights()
    return packaged if fits(config, packaged) else None


def fits(config: TrainConfig, start: Checkpoint) -> bool:
    """Whether a training of these settings can begin with the weights of `start`."""
    return not _difference(MapNet(config.network, config.tile, np.zeros((1, 2))), start)


def take_weights(network: MapNet, start: Checkpoint) -> None:
    """Copy into `network` what does not belong to an area: with position cells, all that is learned.

    Raises:
        ModelError: the networks differ.
    """
    difference = _difference(network, start)
    if difference:
        raise ModelError(
            f"the model to start from has another network ({difference} differs); train with its --preset, --head, --channels and --set"
        )
    network.load_state_dict(network.state_dict() | _of_no_area(start.network))


def without_area(trained: Checkpoint) -> Checkpoint:
    """The model with what it has learned, and without what belongs to its area: small, and good to begin with."""
    network = MapNet(trained.config.network, trained.config.tile, np.zeros((1, 2)))
    take_weights(network, trained)
    return replace(trained, network=network.eval())


def _difference(network: MapNet, start: Checkpoint) -> str:
    """A tensor that only one of them has, or in another shape; empty where there is none."""
    own, known = (_of_no_area(net) for net in (network, start.network))
    differ = [name for name in own.keys() | known.keys() if name not in own or name not in known or own[name].shape != known[name].shape]
    return min(differ, default="")


def _of_no_area(network: MapNet) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in network.state_dict().items() if name.rpartition(".")[2] not in OF_THE_AREA}
