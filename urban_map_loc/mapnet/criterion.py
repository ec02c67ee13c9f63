"""What training minimises, for each head."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from urban_map_loc.config import TrainingConfig
from urban_map_loc.mapnet.heads import CellsHead, RegressionHead
from urban_map_loc.mapnet.network import MapNet


class CellsCriterion(nn.Module):
    """Cross-entropy of the true cell and heading bin, and L1 of the offsets, measured in cells and bins."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, head: CellsHead, feature: Tensor, poses: Tensor, cells: Tensor) -> Tensor:
        """Mean loss of features `(N, F)` at poses `(N, 3)` [m, rad] in cells `(N,)`."""
        smoothing = self.config.label_smoothing
        offset, bin_logits, residual = head.conditional(feature, cells)
        true_offset = (poses[:, :2] - head.cells[cells]) / head.size_m
        heading_bin, true_residual = head.heading_bin(poses[:, 2])
        error = (offset - true_offset).abs().sum(dim=1) + (residual.gather(1, heading_bin[:, None])[:, 0] - true_residual).abs()
        loss: Tensor = (
            cross_entropy(head.logits(feature), cells, label_smoothing=smoothing)
            + cross_entropy(bin_logits, heading_bin, label_smoothing=smoothing)
            + self.config.offset_weight * error.mean()
        )
        return loss


class PoseCriterion(nn.Module):
    """Absolute pose term of MapNet: L1 with learned log-variance weights (Brahmbhatt et al. 2018, equation 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.translation_weight = nn.Parameter(torch.tensor(0.0))
        self.rotation_weight = nn.Parameter(torch.tensor(-3.0))

    def forward(self, head: RegressionHead, feature: Tensor, poses: Tensor, cells: Tensor) -> Tensor:
        """Mean loss of features `(N, F)` at poses `(N, 3)` [m, rad]; cells are not used."""
        translation, rotation = head(feature)
        mean, deviation = head.statistics
        true_translation = (poses[:, :2] - mean) / deviation
        true_rotation = torch.stack([torch.cos(poses[:, 2]), torch.sin(poses[:, 2])], dim=1)
        translation_error = (translation - true_translation).abs().sum(dim=1).mean()
        rotation_error = (rotation - true_rotation).abs().sum(dim=1).mean()
        loss: Tensor = (
            translation_error * torch.exp(-self.translation_weight)
            + self.translation_weight
            + rotation_error * torch.exp(-self.rotation_weight)
            + self.rotation_weight
        )
        return loss


def criterion_for(network: MapNet, config: TrainingConfig) -> CellsCriterion | PoseCriterion:
    """The criterion that belongs to the network's head."""
    return CellsCriterion(config) if isinstance(network.head, CellsHead) else PoseCriterion()
