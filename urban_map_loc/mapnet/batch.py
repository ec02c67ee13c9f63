# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Batch: what one training step looks at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Tiles with the poses they were seen from.

    Attributes:
        tiles: `(N, S, S)` or `(N, C, S, S)` uint8, as `MapRenderer.tiles` makes them.
        poses: `(N, 3)` float32 east [m], north [m], yaw [rad] in `map`.
        cells: `(N,)` int64, the position cell of each pose.
        references: `(N, ...)` tiles as the map has them, one near each pose; none for heads that compare nothing.
        reference_poses: `(N, 3)` from where.
        tuple_length: so many consecutive tiles are one stretch of a drive.
    """

    tiles: Tensor
    poses: Tensor
    cells: Tensor
    references: Tensor
    reference_poses: Tensor
    tuple_length: int = 1

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def images(self) -> Tensor:
        """Tiles and references, one after the other, as the network takes them."""
        return torch.cat([self.tiles, self.references])

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return replace(
            self,
            tiles=self.tiles.to(device, non_blocking=True),
            poses=self.poses.to(device, non_blocking=True),
            cells=self.cells.to(device, non_blocking=True),
            references=self.references.to(device, non_blocking=True),
            reference_poses=self.reference_poses.to(device, non_blocking=True),
        )
