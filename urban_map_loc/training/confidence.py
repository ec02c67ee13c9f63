# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Making a trained network's confidence mean something: fitted on some held-out tiles, judged on others."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.mapnet.calibration import fit_temperature, heading_spread, in_map, mode_reach, reliability, residual_covariance
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.mapnet.regression_head import RegressionHead
from urban_map_loc.mapnet.se2 import relative, wrap

# Tiles at a time: a head may compare each with all of the map.
CHUNK = 32
# Squared Mahalanobis distances within which 68.3 and 95.4 % of errors in three numbers lie, as of one within 1 and 2 sigma.
WITHIN = {"1_sigma": 3.527, "2_sigma": 8.025}


@torch.inference_mode()
def calibrate(network: MapNet, batch: Batch) -> None:
    """Fit what the head states of its answers, probabilities and covariance, on tiles held out from training."""
    head = network.head
    features = _features(network, batch)
    if isinstance(head, CellsHead):
        errors = _calibrate_cells(head, features, batch)
    else:
        poses = head.poses(features)
        errors = relative(poses, batch.poses)
        inside = _inside(head, poses, batch)
        head.confidence.fill_((float(inside.sum()) + 1.0) / (len(inside) + 2.0))
    head.residual_covariance.copy_(residual_covariance(errors, head.residual_covariance))


def _calibrate_cells(head: CellsHead, views: Tensor, batch: Batch) -> Tensor:
    """Fit temperatures; the errors `(M, 3)` of answers with the right cell and heading."""
    logits, poses, headings, heading_logits = _answers(head, views, batch.cells)
    head.temperature.fill_(fit_temperature(logits, batch.cells))
    right = logits.argmax(dim=1) == batch.cells
    true_heading = wrap(headings - batch.poses[:, 2:]).abs().argmin(dim=1)
    head.heading_temperature.fill_(fit_temperature(heading_logits[right], true_heading[right]))
    errors = relative(poses, batch.poses)
    # A heading further off is another mode of the heading's distribution, whose spread each answer states for itself.
    return errors[right & (errors[:, 2].abs() <= mode_reach(headings.shape[1]))]


@torch.inference_mode()
def confidence(network: MapNet, batch: Batch) -> dict[str, Any]:
    """What the head states and how far it comes true, on tiles that it was not calibrated on."""
    head = network.head
    features = _features(network, batch)
    if isinstance(head, CellsHead):
        logits, poses, headings, heading_logits = _answers(head, features)
        right = logits.argmax(dim=1) == batch.cells
        before, after = (torch.softmax(logits / t, dim=1).amax(dim=1) for t in (torch.ones_like(head.temperature), head.temperature))
        spread = heading_spread(heading_logits / head.heading_temperature, headings, poses[:, 2])
        fitted = {"temperature": head.temperature, "heading_temperature": head.heading_temperature}
    else:
        poses = head.poses(features)
        right, spread = _inside(head, poses, batch), torch.zeros_like(poses[:, 2])
        before, after = torch.ones_like(spread), torch.ones_like(spread) * head.confidence
        fitted = {"confidence": head.confidence}
    along, across, turn = head.residual_covariance.diagonal().sqrt().tolist()
    error = torch.cat([batch.poses[:, :2] - poses[:, :2], wrap(batch.poses[:, 2:] - poses[:, 2:])], dim=1)[right].double()
    covariance = in_map(head.residual_covariance, poses[:, 2], spread)[right].double()
    distance = (error * torch.linalg.solve(covariance, error)).sum(dim=1)
    within = {name: round(float((distance <= limit).double().mean()), 4) if len(distance) else None for name, limit in WITHIN.items()}
    return {
        **{name: round(float(value), 4) for name, value in fitted.items()},
        "sigma_of_right": {"along_m": round(along, 3), "across_m": round(across, 3), "heading_deg": round(math.degrees(turn), 2)},
        "right_within": within,
        "before": reliability(before, right),
        "after": reliability(after, right),
    }


def _features(network: MapNet, batch: Batch) -> Tensor:
    return torch.cat([network.feature(chunk) for chunk in batch.tiles.split(CHUNK)])


def _answers(head: CellsHead, views: Tensor, cells: Tensor | None = None) -> tuple[Tensor, ...]:
    """`CellsHead.answers` of many views."""
    parts = []
    for k, view in enumerate(views.split(CHUNK)):
        parts.append(head.answers(view, None if cells is None else cells[k * CHUNK : (k + 1) * CHUNK]))
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def _inside(head: RegressionHead, poses: Tensor, batch: Batch) -> Tensor:
    """Whether the truth lies in the answers' regions `(N,)`."""
    return (batch.poses[:, :2] - poses[:, :2]).abs().amax(dim=1) <= head.reach_m
