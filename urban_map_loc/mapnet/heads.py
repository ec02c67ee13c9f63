"""Heads: from a feature to a ranked list of poses. Both are interchangeable behind `MapNet.hypotheses`."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from urban_map_loc.config import MapNetConfig
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle
from urban_map_loc.mapnet.hypotheses import Hypotheses


class CellsHead(nn.Module):
    """A probability per position cell; for a chosen cell, the offset inside it and a heading distribution.

    P(pose) = P(cell) P(heading bin | cell). What depends on the chosen cell comes from the feature gated by the cell's
    learned embedding, so that the head grows with the number of cells by two vectors each.
    """

    cells: Tensor

    def __init__(self, config: MapNetConfig, cells: FloatArray) -> None:
        super().__init__()
        self.size_m = config.cell_size_m
        self.bins = config.heading_bins
        self.register_buffer("cells", torch.as_tensor(cells, dtype=torch.float32))
        self.logits = nn.Linear(config.feature_size, len(cells))
        self.gate = nn.Embedding(len(cells), config.gate_size)
        nn.init.normal_(self.gate.weight, 1.0, 0.5)
        self.query = nn.Linear(config.feature_size, config.gate_size)
        self.inside = nn.Sequential(
            nn.Linear(config.gate_size, config.gate_size), nn.ReLU(inplace=True), nn.Linear(config.gate_size, 2 + 2 * self.bins)
        )

    def conditional(self, feature: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Offset `(N, 2)` [cells], heading-bin logits `(N, B)` and heading residuals `(N, B)` [bins], given cells `(N,)`."""
        out = self.inside(self.query(feature) * self.gate(cell))
        return out[:, :2], out[:, 2 : 2 + self.bins], out[:, 2 + self.bins :]

    def heading_bin(self, yaw: Tensor) -> tuple[Tensor, Tensor]:
        """Bin `(N,)` of headings `(N,)` [rad] and the residual from its centre [bins], in [-0.5, 0.5]."""
        position = torch.remainder(yaw, 2.0 * math.pi) * self.bins / (2.0 * math.pi)
        nearest = torch.round(position)
        return nearest.long() % self.bins, position - nearest

    @torch.inference_mode()
    def hypotheses(self, feature: Tensor, count: int) -> Hypotheses:
        """The `count` best cells for one feature `(1, F)`, each with its best heading."""
        log_probability = torch.log_softmax(self.logits(feature)[0].float(), dim=0)
        best = torch.topk(log_probability, min(count, len(self.cells)))
        offset, bin_logits, residual = self.conditional(feature.expand(len(best.indices), -1), best.indices)
        chosen = bin_logits.argmax(dim=1)
        position = chosen + residual.gather(1, chosen[:, None])[:, 0]
        centres = self.cells[best.indices]
        poses = torch.cat([centres + offset * self.size_m, (position * (2.0 * math.pi / self.bins))[:, None]], dim=1).double()
        array = poses.cpu().numpy()
        array[:, 2] = wrap_angle(array[:, 2])
        half = self.size_m / 2.0
        region = torch.cat([centres - half, centres + half], dim=1).double().cpu().numpy()
        return Hypotheses(array, best.values.double().cpu().numpy(), region)


class RegressionHead(nn.Module):
    """Position and heading directly, as PoseNet and MapNet regress them; normalised by the area's statistics."""

    cells: Tensor

    def __init__(self, config: MapNetConfig, cells: FloatArray) -> None:
        super().__init__()
        self.reach_m = config.regression_reach_m
        self.register_buffer("cells", torch.as_tensor(cells, dtype=torch.float32))
        self.translation = nn.Linear(config.feature_size, 2)
        self.rotation = nn.Linear(config.feature_size, 2)

    @property
    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation `(2,)` [m] of the drivable area, by which positions are normalised."""
        return self.cells.mean(dim=0), self.cells.std(dim=0) + 1.0

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised position `(N, 2)` and (cos, sin) of yaw `(N, 2)`, not normalised to length 1."""
        return self.translation(feature), self.rotation(feature)

    @torch.inference_mode()
    def hypotheses(self, feature: Tensor, count: int) -> Hypotheses:
        """The one pose of one feature `(1, F)`, whatever `count`."""
        translation, rotation = self(feature)
        mean, deviation = self.statistics
        position = (translation * deviation + mean)[0].double().cpu().numpy()
        cos_sin = rotation[0].double().cpu().numpy()
        pose = np.array([[*position, math.atan2(cos_sin[1], cos_sin[0])]])
        region = np.concatenate([position - self.reach_m, position + self.reach_m])[None]
        return Hypotheses(pose, np.zeros(1), region)
