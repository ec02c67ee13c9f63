# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a network reaches on tiles at poses it was not trained on."""

from __future__ import annotations

import numpy as np
import torch

from urban_map_loc.geometry.pose2 import wrap_angle
from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.network import MapNet


@torch.inference_mode()
def validate(network: MapNet, batch: Batch) -> dict[str, float]:
    """Position error of the best hypothesis, recalls and heading error, for the tiles of a batch."""
    features = torch.cat([network.feature(chunk) for chunk in batch.tiles.split(128)])
    best = np.stack([network.head.hypotheses(f[None], 1).poses[0] for f in features])
    truth = batch.poses.double().cpu().numpy()
    error = np.hypot(*(best[:, :2] - truth[:, :2]).T)
    heading = np.degrees(np.abs(wrap_angle(best[:, 2] - truth[:, 2])))
    figures = {
        "median_m": float(np.median(error)),
        "within_5_m": float(np.mean(error <= 5.0)),
        "within_10_m": float(np.mean(error <= 10.0)),
        "heading_within_10_deg_of_those": float(np.mean(heading[error <= 10.0] <= 10.0)) if np.any(error <= 10.0) else 0.0,
    }
    if isinstance(network.head, CellsHead):
        logits = torch.cat([network.head.logits(chunk) for chunk in features.split(32)])
        rank = (logits > logits.gather(1, batch.cells[:, None])).sum(dim=1)
        figures |= {f"true_cell_in_best_{k}": float((rank < k).float().mean()) for k in (1, 5, 20)}
    return {name: round(value, 4) for name, value in figures.items()}
