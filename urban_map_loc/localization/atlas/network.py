# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""MapNet across regions: one view of a tile, compared with the places of every region in memory."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from urban_map_loc.localization.atlas.region import ReadyRegion, ReadyRegions
from urban_map_loc.mapnet.hypotheses import Hypotheses


class AtlasNetwork:
    """Ranks the places of all regions in memory as if they were one area.

    Regions are only shown the map by default, so that their weights are the same and the trunk runs once. Logits are divided by one
    temperature, the regions' mean: with each its own, a region would win by its calibration.
    """

    def __init__(self, ready: ReadyRegions, device: torch.device) -> None:
        self._ready, self._device = ready, device
        self.newest: NDArray[np.uint8] | None = None

    @torch.inference_mode()
    def hypotheses(self, tile: NDArray[np.uint8], count: int) -> Hypotheses:
        """The `count` most probable places of a tile in all regions in memory."""
        self.newest = tile
        regions = self._ready.regions
        temperature = torch.stack([region.head.temperature for region in regions]).mean()
        views: dict[str, Tensor] = {}
        found, masses = [], []
        for region in regions:
            if region.weights not in views:
                views[region.weights] = view_of(region, tile, self._device)
            head = region.head
            likeness, reference = head.reference_logits(views[region.weights])
            logits = head.of_cells(reference)[0] / temperature
            masses.append(torch.logsumexp(logits, dim=0))
            found.append(head.best(likeness, reference, logits, count))
        poses, logits, squares, covariance = (torch.cat(field) for field in zip(*found, strict=True))
        log_probability, best = torch.topk(logits - torch.logsumexp(torch.stack(masses), dim=0), min(count, len(logits)))
        return Hypotheses.from_tensors(poses[best], log_probability, squares[best], covariance[best])


def view_of(region: ReadyRegion, tile: NDArray[np.uint8], device: torch.device) -> Tensor:
    """A tile's view `(1, D, A)` by a region's network."""
    return region.trunk.feature(torch.from_numpy(tile)[None].to(device))
