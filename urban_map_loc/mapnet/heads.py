"""Heads: from a feature to a ranked list of poses. Both are interchangeable behind `MapNet.hypotheses`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from urban_map_loc.config import MapNetConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.calibration import heading_spread, in_map
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.se2 import wrap


class Head(nn.Module):
    """What both heads share.

    Buffers:
        cells: `(C, 2)` [m] centres of the drivable cells, in `map`.
        residual_covariance: `(3, 3)` of a right answer's error along and across its heading [m] and in heading [rad]; fitted on
            held-out tiles after training.
    """

    cells: Tensor
    residual_covariance: Tensor

    def __init__(self, cells: FloatArray) -> None:
        super().__init__()
        self.register_buffer("cells", torch.as_tensor(cells, dtype=torch.float32))
        self.register_buffer("residual_covariance", torch.eye(3))

    def ranked(self, feature: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The fields of `Hypotheses` as tensors: at most `count` poses, log-probabilities, regions and covariances."""
        raise NotImplementedError

    @torch.inference_mode()
    def hypotheses(self, feature: Tensor, count: int) -> Hypotheses:
        """The at most `count` most probable poses for one feature `(1, F)`."""
        return Hypotheses(*(tensor.double().cpu().numpy() for tensor in self.ranked(feature, count)))


class CellsHead(Head):
    """A probability per position cell; for a chosen cell, the offset inside it and a heading distribution.

    P(pose) = P(cell) P(heading bin | cell). What depends on the chosen cell comes from the feature gated by the cell's
    learned embedding, so that the head grows with the number of cells by two vectors each. Both are softened or sharpened by a
    temperature, fitted on held-out tiles after training.
    """

    temperature: Tensor
    heading_temperature: Tensor

    def __init__(self, config: MapNetConfig, cells: FloatArray) -> None:
        super().__init__(cells)
        self.size_m = config.cell_size_m
        self.bins = config.heading_bins
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("heading_temperature", torch.ones(()))
        # Until it is fitted: anywhere in the cell and the heading's bin.
        anywhere = torch.tensor([self.size_m, self.size_m, 2.0 * math.pi / self.bins]) ** 2 / 12.0
        self.residual_covariance.copy_(torch.diag(anywhere))
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

    def poses(self, feature: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Most probable poses `(N, 3)` [m, rad] given cells `(N,)`, with the headings `(N, B)` [rad] to choose from and their logits."""
        offset, bin_logits, residual = (out.float() for out in self.conditional(feature, cell))
        headings = (torch.arange(self.bins, device=feature.device) + residual.clamp(-0.5, 0.5)) * (2.0 * math.pi / self.bins)
        yaw = headings.gather(1, bin_logits.argmax(dim=1, keepdim=True))
        return torch.cat([self.cells[cell] + offset * self.size_m, wrap(yaw)], dim=1), headings, bin_logits

    def ranked(self, feature: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The `count` best cells for one feature `(1, F)`, each with its best heading."""
        log_probability = torch.log_softmax(self.logits(feature)[0].float() / self.temperature, dim=0)
        best, cell = torch.topk(log_probability, min(count, len(self.cells)))
        poses, headings, bin_logits = self.poses(feature.expand(len(cell), -1), cell)
        spread = heading_spread(bin_logits / self.heading_temperature, headings, poses[:, 2])
        centres, half = self.cells[cell], self.size_m / 2.0
        region = torch.cat([centres - half, centres + half], dim=1)
        return poses, best, region, in_map(self.residual_covariance, poses[:, 2], spread)


class RegressionHead(Head):
    """Position and heading directly, as PoseNet and MapNet regress them.

    Buffers:
        position_mean, position_deviation: `(2,)` [m] of the drivable area, by which positions are normalised.
        confidence: probability of the answer; fitted on held-out tiles after training.
    """

    position_mean: Tensor
    position_deviation: Tensor
    confidence: Tensor

    def __init__(self, config: MapNetConfig, cells: FloatArray) -> None:
        super().__init__(cells)
        self.reach_m = config.regression_reach_m
        self.log_quaternion = config.rotation == "log_quaternion"
        deviation = self.cells.std(dim=0, correction=0) + config.cell_size_m / math.sqrt(12.0)  # of cells' centres, and inside one
        self.register_buffer("position_mean", self.cells.mean(dim=0))
        self.register_buffer("position_deviation", deviation)
        # Until they are fitted: surely right, and anywhere in the area with any heading.
        self.register_buffer("confidence", torch.ones(()))
        self.residual_covariance.copy_(torch.diag(torch.cat([deviation**2, torch.tensor([math.pi**2 / 3.0])])))
        self.translation = nn.Linear(config.feature_size, 2)
        self.rotation = nn.Linear(config.feature_size, 1 if self.log_quaternion else 2)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised position `(N, 2)`, and rotation of features `(N, F)`.

        Rotation is (cos, sin) of yaw `(N, 2)`, not normalised to length 1; or `(N, 1)`, what is not zero of the logarithm (0, 0, yaw / 2)
        of the unit quaternion.
        """
        return self.translation(feature).float(), self.rotation(feature).float()

    def normalised(self, position: Tensor) -> Tensor:
        """Positions `(N, 2)` [m] as `forward` gives them."""
        return (position - self.position_mean) / self.position_deviation

    def rotation_error(self, rotation: Tensor, yaw: Tensor) -> Tensor:
        """L1 `(N,)` of `forward`'s rotation against headings `(N,)` [rad]; that of log quaternions is the way round the circle."""
        if self.log_quaternion:
            return wrap(2.0 * rotation[:, 0] - yaw).abs() / 2.0
        return (rotation - torch.stack([torch.cos(yaw), torch.sin(yaw)], dim=1)).abs().sum(dim=1)

    def poses(self, feature: Tensor) -> Tensor:
        """Poses `(N, 3)` [m, rad] of features `(N, F)`."""
        translation, rotation = self(feature)
        yaw = wrap(2.0 * rotation) if self.log_quaternion else torch.atan2(rotation[:, 1:], rotation[:, :1])
        return torch.cat([translation * self.position_deviation + self.position_mean, yaw], dim=1)

    def ranked(self, feature: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The one pose of one feature `(1, F)`, whatever `count`."""
        poses = self.poses(feature)
        region = torch.cat([poses[:, :2] - self.reach_m, poses[:, :2] + self.reach_m], dim=1)
        covariance = in_map(self.residual_covariance, poses[:, 2], torch.zeros_like(poses[:, 2]))
        return poses, torch.log(self.confidence)[None], region, covariance
