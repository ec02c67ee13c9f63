"""MapNet: a trunk and a head on building tiles (after Brahmbhatt et al. 2018, with OSM tiles in place of photographs)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from urban_map_loc.config import MapNetConfig, TileConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.heads import CellsHead, RegressionHead
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.trunk import ResNet34Trunk, SmallTrunk


class MapNet(nn.Module):
    """Building tile in, ranked poses out."""

    def __init__(self, config: MapNetConfig, tile: TileConfig, cells: FloatArray) -> None:
        """`cells`: centres `(C, 2)` [m] of the drivable cells, in `map`."""
        super().__init__()
        self.trunk: nn.Module
        if config.preset == "small":
            self.trunk = SmallTrunk(tile.size_px, tile.planes, config.feature_size)
        else:
            self.trunk = ResNet34Trunk(tile.planes, config.feature_size)
        self.dropout = nn.Dropout(config.dropout)
        self.head: CellsHead | RegressionHead
        self.head = CellsHead(config, cells) if config.head == "cells" else RegressionHead(config, cells)

    def feature(self, tiles: Tensor) -> Tensor:
        """Features `(N, F)` of tiles `(N, S, S)`, or `(N, C, S, S)` of several channels, with values 0 and 1."""
        image = (tiles[:, None] if tiles.dim() == 3 else tiles).to(dtype=torch.float32, memory_format=torch.channels_last)
        feature: Tensor = self.dropout(self.trunk(image))
        return feature

    @torch.inference_mode()
    def hypotheses(self, tile: NDArray[np.uint8], count: int) -> Hypotheses:
        """The `count` most probable poses for one tile `(S, S)` or `(C, S, S)`."""
        return self.head.hypotheses(self.feature(torch.from_numpy(tile)[None].to(self.head.cells.device)), count)
