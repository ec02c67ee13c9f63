"""What training minimises: MapNet's criterion (Brahmbhatt et al. 2018), in the form that belongs to each head.

Tiles come in tuples, each along one drive: an absolute term for every tile, a relative one for the motion between them. The relative
term needs no more than odometry, so that drives without known poses can be learned from. PoseNet is the same criterion with tuples of
one tile and fixed weights. docs/training.md has the equations.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from urban_map_loc.config import CriterionConfig, TrainConfig
from urban_map_loc.mapnet.drive_evidence import drive_evidence
from urban_map_loc.mapnet.heads import CellsHead, RegressionHead
from urban_map_loc.mapnet.network import MapNet
from urban_map_loc.mapnet.se2 import relative


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

    def forward(self, head: RegressionHead, feature: Tensor, poses: Tensor, cells: Tensor, tuple_length: int = 1) -> Tensor:
        """Mean loss of features `(N, F)` at poses `(N, 3)` [m, rad]; cells are not used."""
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
    """Cross-entropy of the true cell and heading bin and L1 of the offsets inside, in cells and bins; evidence of the drive."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config, self.training_config = config.criterion, config.training
        self.relative_scales = Scales(config.criterion)

    def forward(self, head: CellsHead, feature: Tensor, poses: Tensor, cells: Tensor, tuple_length: int = 1) -> Tensor:
        """Mean loss of features `(N, F)` at poses `(N, 3)` [m, rad] in cells `(N,)`."""
        smoothing = self.training_config.label_smoothing
        offset, bin_logits, residual = head.conditional(feature, cells)
        true_offset = (poses[:, :2] - head.cells[cells]) / head.size_m
        heading_bin, true_residual = head.heading_bin(poses[:, 2])
        error = (offset - true_offset).abs().sum(dim=1) + (residual.gather(1, heading_bin[:, None])[:, 0] - true_residual).abs()
        loss: Tensor = (
            cross_entropy(head.logits(feature), cells, label_smoothing=smoothing)
            + cross_entropy(bin_logits, heading_bin, label_smoothing=smoothing)
            + self.training_config.offset_weight * error.mean()
        )
        if tuple_length > 1:
            loss = loss + self.config.relative_weight * self.relative(head, feature, poses, tuple_length)
        return loss

    def relative(self, head: CellsHead, feature: Tensor, drive: Tensor, tuple_length: int) -> Tensor:
        """Minus the mean evidence of the tuples, a motion between two tiles; `drive (N, 3)` as for regression."""
        poses, log_probability = (t.unflatten(0, (-1, tuple_length)) for t in pose_mixture(head, feature, self.config.hypotheses))
        area_m2 = len(head.cells) * head.size_m**2
        scales = self.relative_scales.log_scales
        driven = drive.unflatten(0, (-1, tuple_length))
        evidence = drive_evidence(poses, log_probability, driven, scales, self.config.outliers, area_m2)
        return -evidence.mean() / (tuple_length - 1)


def pose_mixture(head: CellsHead, feature: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` most probable poses `(N, K, 3)` [m, rad] for features `(N, F)`, and log P(cell) P(heading bin | cell) `(N, K)`."""
    tiles, considered = len(feature), min(count, len(head.cells))
    best, cells = torch.log_softmax(head.logits(feature).float(), dim=1).topk(considered, dim=1)
    answers, headings, bin_logits = head.poses(feature.repeat_interleave(considered, dim=0), cells.flatten())
    joint = best[..., None] + torch.log_softmax(bin_logits, dim=1).view(tiles, considered, -1)
    log_probability, chosen = joint.flatten(1).topk(min(count, joint[0].numel()), dim=1)
    cell = (chosen // joint.shape[2])[..., None].expand(-1, -1, 2)
    position = answers[:, :2].view(tiles, considered, 2).gather(1, cell)
    yaw = headings.view(tiles, -1).gather(1, chosen)
    return torch.cat([position, yaw[..., None]], dim=2), log_probability


def criterion_for(network: MapNet, config: TrainConfig) -> CellsCriterion | RegressionCriterion:
    """The criterion that belongs to the network's head."""
    return CellsCriterion(config) if isinstance(network.head, CellsHead) else RegressionCriterion(config.criterion)
