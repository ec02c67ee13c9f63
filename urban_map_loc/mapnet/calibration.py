# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Calibration: making stated probabilities and covariances agree with what held-out tiles show (Guo et al. 2017).

Pure functions on logits, headings and errors `(N, ...)`; the heads keep what is fitted in buffers, which the model file carries.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from urban_map_loc.mapnet.se2 import wrap

LARGEST_TEMPERATURE = 20.0
# This share of truths may be what the network holds for impossible: places where no view of the map lies. Without it, those few
# decide the temperature of all.
OUTLIERS = 0.01
# The uncalibrated covariance weighs as much as so many errors: a handful of answers does not make a network certain.
PRIOR_ERRORS = 4.0


def fit_temperature(logits: Tensor, truth: Tensor) -> float:
    """The temperature that makes classes `truth (N,)` most likely under logits `(N, C)` divided by it; 1 where nothing is to be learned."""
    count, classes = logits.shape
    if count == 0 or classes < 2:
        return 1.0
    limit = math.log(LARGEST_TEMPERATURE)

    def surprise(log_temperature: float) -> float:
        probability = torch.softmax(logits.float() / math.exp(log_temperature), dim=1).gather(1, truth[:, None])
        return -float(torch.log((1.0 - OUTLIERS) * probability + OUTLIERS / classes).mean())

    middle, step = 0.0, limit / 4.0
    for _ in range(5):  # each time a finer grid about the best of the one before, the last with steps of 1 %
        grid = [min(max(middle + k * step, -limit), limit) for k in range(-4, 5)]
        middle, step = min(grid, key=surprise), step / 3.0
    return math.exp(middle)


def residual_covariance(errors: Tensor, prior: Tensor) -> Tensor:
    """Second moment `(3, 3)` about zero of errors `(N, 3)`, so that a constant error counts as uncertainty.

    An error is where the truth is seen from the answer: ahead and left [m], turn [rad]. `prior (3, 3)` is believed without errors.
    """
    return (errors.T @ errors + PRIOR_ERRORS * prior) / (len(errors) + PRIOR_ERRORS)


def heading_spread(logits: Tensor, headings: Tensor, chosen: Tensor) -> Tensor:
    """Variance `(K,)` [rad²] about headings `chosen (K,)` that other modes add, of logits `(K, B)` over `headings (K, B)` [rad].

    What lies within one and a half bins belongs to the chosen mode, whose own width is part of the fitted covariance. Two opposite
    headings of equal probability give pi² / 2: the answer says that it does not know which.
    """
    away = wrap(headings - chosen[:, None])
    return (torch.softmax(logits, dim=1) * away**2 * (away.abs() > mode_reach(headings.shape[1]))).sum(dim=1)


def mode_reach(bins: int) -> float:
    """How far [rad] from the best of so many headings another is still the same mode."""
    return 1.5 * 2.0 * math.pi / bins


def in_map(covariance: Tensor, yaw: Tensor, spread: Tensor) -> Tensor:
    """Covariances `(K, 3, 3)` of east [m], north [m], yaw [rad] at headings `(K,)`.

    `covariance (3, 3)` is that of along, across, heading; `spread (K,)` [rad²] is added to the heading's variance.
    """
    cos, sin, zero, one = torch.cos(yaw), torch.sin(yaw), torch.zeros_like(yaw), torch.ones_like(yaw)
    turn = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1).reshape(-1, 3, 3)
    turned = turn @ covariance @ turn.transpose(1, 2)
    return turned + torch.stack([zero, zero, spread], dim=1)[:, :, None] * torch.eye(3, device=yaw.device)


def reliability(probability: Tensor, right: Tensor, bins: int = 10) -> dict[str, Any]:
    """Compare stated probabilities `(N,)` with whether each came true `(N,)`.

    Returns:
        `expected_calibration_error`: mean distance of stated probability and share that was right, weighted by answers.
        `bins`: for each tenth of probability with answers in it: mean stated probability, share that was right, answers.
    """
    tenth = (probability.double() * bins).long().clamp(0, bins - 1)
    rows = []
    for k in range(bins):
        inside = tenth == k
        if bool(inside.any()):
            stated, came_true = float(probability[inside].double().mean()), float(right[inside].double().mean())
            rows.append([round(stated, 4), round(came_true, 4), int(inside.sum())])
    error = sum(abs(stated - came_true) * count for stated, came_true, count in rows) / max(len(probability), 1)
    return {"expected_calibration_error": round(error, 4), "bins": rows}
