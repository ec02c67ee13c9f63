# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What training minimises: MapNet's criterion (Brahmbhatt et al. 2018), in the form that belongs to each head.

Tiles come in tuples, each along one drive: an absolute term for every tile, a relative one for the motion between them. The relative
term needs no more than odometry, so that drives without known poses can be learned from. PoseNet is the same criterion with tuples of
one tile and fixed weights. docs/training.md has the equations.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from urban_map_loc.config import CriterionConfig
from urban_map_loc.mapnet.batch import Batch
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.drive_evidence import drive_evidence
from urban_map_loc.mapnet.mixture import Gallery, pose_mixture
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.mapnet.regression_head import RegressionHead
from urban_map_loc.mapnet.se2 import relative, wrap


class Scales(nn.Module):
    """By what errors of translation and rotation are divided: `log_scales (2,)`, learned or fixed."""

    def __init__(self, config: CriterionConfig) -> None:
        super().__init__()
        learned = config.weights == "learned"
        start = (config.translation_log_scale, config.rotation_log_scale) if learned else (0.0, -math.log(config.beta))
        self.log_scales = nn.Parameter(torch.tensor(start), requires_grad=learned)

    def forward(self, translation: Tensor, rotation: Tensor) -> Tensor:
        """Weighted mean of errors `(N,)`: `t exp(-s_t) + s_t + r exp(-s_r) + s_r` (equation 3 of the paper)."""
        errors = torch.stack([translation.mean(), rotation.mean()])
        return (errors * torch.exp(-self.log_scales) + self.log_scales).sum()


class RegressionCriterion(nn.Module):
    """L1 of pose and of relative pose, in units of the area's standard deviation and [rad]."""

    def __init__(self, config: CriterionConfig) -> None:
        super().__init__()
        self.relative_weight = config.relative_weight
        self.absolute_scales, self.relative_scales = Scales(config), Scales(config)

    def forward(self, head: RegressionHead, feature: Tensor, batch: Batch) -> Tensor:
        """Mean loss of features `(N, F)` of the batch's tiles."""
        poses, tuple_length = batch.poses, batch.tuple_length
        translation, rotation = head(feature)
        position_error = (translation - head.normalised(poses[:, :2])).abs().sum(dim=1)
        loss: Tensor = self.absolute_scales(position_error, head.rotation_error(rotation, poses[:, 2]))
        if tuple_length > 1:
            loss = loss + self.relative_weight * self.relative(head, feature, poses, tuple_length)
        return loss

    def relative(self, head: RegressionHead, feature: Tensor, drive: Tensor, tuple_length: int) -> Tensor:
        """Mean loss of the relative poses of every two tiles of each tuple.

        `drive (N, 3)`: the car's poses at the tiles in any one frame of each tuple, such as odometry's.
        """
        answers, driven = (p.unflatten(0, (-1, tuple_length)) for p in (head.poses(feature), drive))
        a, b = torch.triu_indices(tuple_length, tuple_length, 1, device=drive.device)
        error = relative(relative(driven[:, a], driven[:, b]), relative(answers[:, a], answers[:, b])).abs()
        loss: Tensor = self.relative_scales(error[..., :2].sum(dim=-1) / head.position_deviation.mean(), error[..., 2])
        return loss


class CellsCriterion(nn.Module):
    """Which of the batch's references does each tile show, and in which heading; evidence of the drive.

    Cross-entropy over all of them (InfoNCE, van den Oord et al. 2018). A heading between two bins counts for both, by nearness.
    """

    def __init__(self, config: CriterionConfig) -> None:
        super().__init__()
        self.config = config
        self.relative_scales = Scales(config)
        self.recall = 0.0  # share of the last batch's tiles that recognised their own reference

    def forward(self, head: CellsHead, feature: Tensor, batch: Batch) -> Tensor:
        """Mean loss of views `(2 N, D, A)`: of the batch's N tiles, then of its N references."""
        views, own_references = feature.split(len(batch.poses))
        references = of_all_processes(own_references.flatten(1))
        likeness = head.likeness(views, references)
        log_probability = torch.log_softmax(likeness.flatten(1), dim=1)
        headings = likeness.shape[2]
        turn = wrap(batch.poses[:, 2] - batch.reference_poses[:, 2]) * (headings / (2.0 * math.pi))
        below = torch.floor(turn)
        share = turn - below
        own = first_of_this_process(len(views)) + torch.arange(len(views), device=views.device)
        at, above = (own * headings + (below.long() + k) % headings for k in (0, 1))
        chosen = torch.stack([log_probability.gather(1, index[:, None])[:, 0] for index in (at, above)])
        loss: Tensor = -((1.0 - share) * chosen[0] + share * chosen[1]).mean()
        self.recall = float((log_probability.detach().argmax(dim=1) // headings == own).float().mean())
        if batch.tuple_length > 1:
            among = Gallery.apart(references, of_all_processes(batch.reference_poses))
            loss = loss + self.config.relative_weight * self.relative(head, views, batch.poses, batch.tuple_length, among)
        return loss

    def relative(self, head: CellsHead, views: Tensor, drive: Tensor, tuple_length: int, among: Gallery | None = None) -> Tensor:
        """Minus the mean evidence of the tuples, a motion between two tiles; `drive (N, 3)` as for regression.

        `among`: references in place of the area's.
        """
        mixture = pose_mixture(head, views, among or Gallery.of_area(head), self.config.hypotheses)
        poses, log_probability = (t.unflatten(0, (-1, tuple_length)) for t in mixture)
        area_m2 = len(head.cells) * head.size_m**2
        driven = drive.unflatten(0, (-1, tuple_length))
        evidence = drive_evidence(poses, log_probability, driven, self.relative_scales.log_scales, self.config.outliers, area_m2)
        return -evidence.mean() / (tuple_length - 1)


class _OfAllProcesses(torch.autograd.Function):
    """Each process's loss depends on the tensors of all: their gradients add up."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]


def of_all_processes(tensor: Tensor) -> Tensor:
    """The tensors `(N, ...)` of all processes that train together, one after the other, with gradients."""
    return _OfAllProcesses.apply(tensor) if _several() else tensor


def first_of_this_process(count: int) -> int:
    """Where among them the `count` of this process begin."""
    return dist.get_rank() * count if _several() else 0


def _several() -> bool:
    return dist.is_available() and dist.is_initialized()


def criterion_for(network: MapNet, config: CriterionConfig) -> CellsCriterion | RegressionCriterion:
    """The criterion that belongs to the network's head."""
    return CellsCriterion(config) if isinstance(network.head, CellsHead) else RegressionCriterion(config)
