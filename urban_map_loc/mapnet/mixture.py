# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The distinct places that a tile may show, each with its pose and probability: what the evidence of a drive is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.se2 import wrap

# Headings of a place are told apart by this many sectors: a street looks alike both ways far more often than askew.
SECTORS = 4


@dataclass(frozen=True, eq=False)
class Gallery:
    """References that tiles are compared with.

    Attributes:
        views: `(M, D A)` as `CellsHead.references`.
        poses: `(M, 3)` [m, rad] where they were taken.
        place: `(M,)` references with the same number are one place.
    """

    views: Tensor
    poses: Tensor
    place: Tensor

    @classmethod
    def of_area(cls, head: CellsHead) -> Gallery:
        """The area's references; a position cell is a place."""
        return cls(head.references, head.reference_poses, head.reference_cell)

    @classmethod
    def apart(cls, views: Tensor, poses: Tensor) -> Gallery:
        """References each of which is a place of its own."""
        return cls(views, poses, torch.arange(len(poses), device=poses.device))


def pose_mixture(head: CellsHead, view: Tensor, gallery: Gallery, count: int) -> tuple[Tensor, Tensor]:
    """The `count` most probable of (place, sector of heading) for views `(N, D, A)`.

    Poses `(N, K, 3)` [m, rad] of the most alike reference, its heading read between bins, and log-probabilities `(N, K)`.
    """
    likeness = head.likeness(view, gallery.views)  # (N, M, A)
    tiles, _, directions = likeness.shape
    sectors = SECTORS if directions % SECTORS == 0 else 1
    width = directions // sectors
    bins = torch.arange(directions, device=view.device).roll(width // 2).view(sectors, width)  # sector k is about k / sectors of a turn
    toward = torch.logsumexp(likeness[:, :, bins], dim=3)  # (N, M, sectors)
    places = int(gallery.place.max()) + 1
    highest = toward.amax(dim=(1, 2), keepdim=True)
    mass = toward.new_zeros(tiles, places, sectors).index_add(1, gallery.place, torch.exp(toward - highest))
    log_mass = torch.log(mass.clamp(min=torch.finfo(mass.dtype).tiny)).flatten(1)
    log_probability, chosen = torch.log_softmax(log_mass, dim=1).topk(min(count, log_mass.shape[1]), dim=1)
    reference = _most_alike(toward.detach(), gallery.place, places).flatten(1).gather(1, chosen)
    logits = likeness.gather(1, reference[..., None].expand(-1, -1, directions))  # (N, K, A)
    candidates = bins[chosen % sectors]  # (N, K, width)
    best = candidates.gather(2, logits.gather(2, candidates).argmax(dim=2, keepdim=True))
    turn = (best[..., 0] + between_bins(logits, best)) * (2.0 * math.pi / directions)
    pose = gallery.poses[reference]
    return torch.cat([pose[..., :2], wrap(pose[..., 2] + turn)[..., None]], dim=2), log_probability


def between_bins(logits: Tensor, best: Tensor) -> Tensor:
    """How far `(...)` [bins] the heading lies from bins `best (..., 1)`, from how alike logits `(..., A)` are on either side."""
    directions = logits.shape[-1]
    around = torch.cat([logits.gather(-1, (best + k) % directions) for k in (-1, 0, 1)], dim=-1)
    share = torch.softmax(around, dim=-1)
    return share[..., 2] - share[..., 0]


def _most_alike(toward: Tensor, place: Tensor, places: int) -> Tensor:
    """The most alike reference `(N, P, S)` of each place and sector, given logits `(N, M, S)`; the first of all where there is none."""
    index = place[:, None].expand_as(toward)
    highest = toward.new_full((len(toward), places, toward.shape[2]), -math.inf).scatter_reduce(1, index, toward, "amax")
    numbers = torch.arange(len(place), device=place.device)[:, None].expand_as(toward)
    owner = torch.where(toward == highest.gather(1, index), numbers, -1)
    return torch.zeros_like(highest, dtype=torch.long).scatter_reduce(1, index, owner, "amax")
