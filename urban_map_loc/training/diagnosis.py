# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Why a loss is not finite."""

from __future__ import annotations

import torch
from torch import nn

from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.mapnet.network import MapNet


@torch.inference_mode()
def cause(network: MapNet, criterion: nn.Module, batch: Batch) -> str:
    """The first thing that is not finite, in words: weights, a tile's pose, a tile's feature; or only the gradient."""
    for module in (network, criterion):
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                return f"the weights {name} are not finite"
    for what, values in (("pose", batch.poses), ("reference's pose", batch.reference_poses)):
        tile = _first_strange(values)
        if tile is not None:
            return f"the {what} of tile {tile} is {values[tile].tolist()}"
    network.eval()  # batch norms would carry one tile's fault into all others
    tile = _first_strange(network.feature(batch.images).flatten(1))
    if tile is not None:
        which = f"tile {tile}" if tile < len(batch) else f"the reference of tile {tile - len(batch)}"
        return f"the feature of {which}, at {batch.poses[tile % len(batch)].tolist()}, is not finite"
    return "weights, tiles and features are finite, their loss or its gradient overflows"


def _first_strange(values: torch.Tensor) -> int | None:
    rows = torch.nonzero(~torch.isfinite(values).all(dim=1))
    return int(rows[0]) if len(rows) else None
