# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""CellsHead: a probability per position cell, from likeness with what the map looks like there.

A classifier over cells would have to learn every place by itself, from the few tiles that training draws in each. Here the weights
of a place are what the network makes of the map's own view from it, its reference, so that all places teach the one thing that
differs between a scan and a map: what scans suffer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from urban_map_loc.config import MapNetConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.calibration import heading_spread, in_map
from urban_map_loc.mapnet.cells import PositionCells
from urban_map_loc.mapnet.head import Head
from urban_map_loc.mapnet.se2 import wrap

# Likeness of two views is a cosine; this times it is a logit at first.
SHARPNESS = 20.0


class CellsHead(Head):
    """P(cell, heading) of a view: softmax over all references in all headings, summed over those of a cell.

    A view is a unit vector `(D, A)`: D numbers in each of A directions about the car. Turning the car rolls it along A, so that one
    reference is compared in A headings.

    Buffers:
        reference_poses: `(M, 3)` [m, rad] in `map`.
        reference_cell: `(M,)` the cell each lies in.
        references: `(M, D A)` their views, of the network that `fill_references` filled them with.
        temperature, heading_temperature: by which logits are divided; fitted on held-out tiles after training.
    """

    reference_poses: Tensor
    reference_cell: Tensor
    references: Tensor
    temperature: Tensor
    heading_temperature: Tensor

    def __init__(self, config: MapNetConfig, cells: FloatArray, reference_poses: FloatArray) -> None:
        """`cells (C, 2)` and `reference_poses (M, 3)` as `drivable_cells` and `reference_poses` find them."""
        super().__init__(cells)
        self.size_m = config.cell_size_m
        self.headings = config.headings_in_view
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(SHARPNESS)))
        self.register_buffer("reference_poses", torch.as_tensor(reference_poses, dtype=torch.float32))
        cell = PositionCells(cells, config.cell_size_m).of(reference_poses[:, :2])
        self.register_buffer("reference_cell", torch.from_numpy(cell), persistent=False)
        self.register_buffer("references", torch.zeros(len(reference_poses), config.view_size))
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("heading_temperature", torch.ones(()))
        # Until it is fitted: anywhere in the cell and the heading's bin.
        anywhere = torch.tensor([self.size_m, self.size_m, 2.0 * math.pi / self.headings]) ** 2 / 12.0
        self.residual_covariance.copy_(torch.diag(anywhere))

    def likeness(self, view: Tensor, references: Tensor) -> Tensor:
        """Logits `(N, M, A)` of views `(N, D, A)` being those of references `(M, D A)`, from a car turned by k/A of a turn."""
        direction = torch.arange(view.shape[2], device=view.device)
        rolled = view[:, :, (direction - direction[:, None]) % view.shape[2]]  # (N, D, headings, A)
        turned = rolled.transpose(1, 2).flatten(2)
        return (turned @ references.T * self.log_sharpness.exp()).transpose(1, 2)

    def reference_logits(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """Likeness `(N, M, A)` with the area's references, and `(N, M)` in any heading."""
        likeness = self.likeness(view, self.references)
        return likeness, torch.logsumexp(likeness, dim=2)

    def logits(self, view: Tensor) -> Tensor:
        """Unnormalised log-probabilities `(N, C)` of the cells, for views `(N, D, A)`."""
        return self.of_cells(self.reference_logits(view)[1])

    def of_cells(self, reference: Tensor) -> Tensor:
        """Log of the sums, over each cell's references, of the exponentials of logits `(N, M)`."""
        highest = reference.max(dim=1, keepdim=True).values
        mass = reference.new_zeros(len(reference), len(self.cells)).index_add(1, self.reference_cell, torch.exp(reference - highest))
        # A cell without a reference is as improbable as numbers go.
        return torch.log(mass.clamp(min=torch.finfo(mass.dtype).tiny)) + highest

    def answers(self, view: Tensor, cell: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What views `(N, D, A)` say: `logits`, and most probable poses `(N, 3)` [m, rad] in cells `(N,)`, else in the most probable.

        With the headings `(N, A)` [rad] to choose from there, and their logits.
        """
        likeness, reference = self.reference_logits(view)
        logits = self.of_cells(reference)
        cell = logits.argmax(dim=1) if cell is None else cell
        return logits, *self._poses(likeness, reference.masked_fill(self.reference_cell != cell[:, None], -math.inf).argmax(dim=1))

    def _poses(self, likeness: Tensor, reference: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The last three of `answers`, given the most alike references `(N,)`."""
        here = self.reference_poses[reference]
        logits = likeness[torch.arange(len(reference), device=likeness.device), reference]
        turns = torch.arange(self.headings, device=likeness.device) * (2.0 * math.pi / self.headings)
        headings = here[:, 2:] + turns
        # Between two bins the heading is read from how alike either is.
        best = logits.argmax(dim=1, keepdim=True)
        aside = torch.softmax(torch.cat([logits.gather(1, (best + k) % self.headings) for k in (-1, 0, 1)], dim=1), dim=1)
        yaw = headings.gather(1, best) + (aside[:, 2:] - aside[:, :1]) * (2.0 * math.pi / self.headings)
        return torch.cat([here[:, :2], wrap(yaw)], dim=1), headings, logits

    def ranked(self, feature: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The `count` best cells for one view `(1, D, A)`, each with its best pose."""
        likeness, reference = self.reference_logits(feature)
        return self.best(likeness, reference, torch.log_softmax(self.of_cells(reference)[0] / self.temperature, dim=0), count)

    def best(self, likeness: Tensor, reference: Tensor, log_probability: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `ranked` answers, given `reference_logits` of one view and the cells' log-probabilities `(C,)`."""
        best, cell = torch.topk(log_probability, min(count, len(self.cells)))
        poses, headings, logits = self._poses(likeness.expand(len(cell), -1, -1), self._most_alike(reference[0])[cell])
        spread = heading_spread(logits / self.heading_temperature, headings, poses[:, 2])
        centres, half = self.cells[cell], self.size_m / 2.0
        region = torch.cat([centres - half, centres + half], dim=1)
        return poses, best, region, in_map(self.residual_covariance, poses[:, 2], spread)

    def _most_alike(self, reference: Tensor) -> Tensor:
        """The most alike reference `(C,)` of each cell, from logits `(M,)`; the first of all where a cell has none."""
        highest = reference.new_full((len(self.cells),), -math.inf).scatter_reduce(0, self.reference_cell, reference, "amax")
        found = torch.where(reference == highest[self.reference_cell], torch.arange(len(reference), device=reference.device), 0)
        return self.reference_cell.new_zeros(len(self.cells)).scatter_reduce(0, self.reference_cell, found, "amax")
