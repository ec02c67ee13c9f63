# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The weights that come with the package: MapNet's default network, trained on generated towns (`urban_map_loc pretrain`)."""

from __future__ import annotations

from pathlib import Path

from urban_map_loc.mapnet.checkpoint import Checkpoint, load_checkpoint

# A model file like any other, of an area of one block: what it knows of that area is not taken along.
PACKAGED = Path(__file__).with_name("generated_towns.safetensors")


def packaged_weights() -> Checkpoint:
    """The network to begin a training with.

    Raises:
        ModelError: the installation is damaged.
    """
    return load_checkpoint(PACKAGED)
