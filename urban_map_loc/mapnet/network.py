# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""MapNet: a trunk and a head on building tiles (after Brahmbhatt et al. 2018, with OSM tiles in place of photographs)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from urban_map_loc.config import MapNetConfig, TileConfig
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.cells_head import CellsHead
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.polar import PolarTrunk
from urban_map_loc.mapnet.regression_head import RegressionHead
from urban_map_loc.mapnet.resnet import ResNet34Trunk

NO_REFERENCES: FloatArray = np.zeros((0, 3))


class ViewNeck(nn.Module):
    """What position cells compare: views `(N, D, A)` of length 1, of the trunk's features `(N, F, A)`."""

    def __init__(self, config: MapNetConfig, features: int) -> None:
        super().__init__()
        self.describe = nn.Conv1d(features, config.view_size // config.headings_in_view, 1)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        view = self.describe(features)
        return normalize(view.flatten(1), dim=1).unflatten(1, view.shape[1:])


class FeatureNeck(nn.Sequential):
    """What a pose is regressed from: a feature `(N, feature_size)`, of the trunk's `(N, F, A)`; dropout as in MapNet."""

    def __init__(self, config: MapNetConfig, features: int) -> None:
        inputs = features * config.headings_in_view
        super().__init__(nn.Flatten(), nn.Linear(inputs, config.feature_size), nn.ReLU(inplace=True), nn.Dropout(config.dropout))


def trunk_of(config: MapNetConfig, tile: TileConfig) -> PolarTrunk | ResNet34Trunk:
    """The trunk that `config.preset` names."""
    return PolarTrunk(config, tile) if config.preset == "small" else ResNet34Trunk(tile.planes)


class MapNet(nn.Module):
    """Building tile in, ranked poses out."""

    def __init__(self, config: MapNetConfig, tile: TileConfig, cells: FloatArray, reference_poses: FloatArray = NO_REFERENCES) -> None:
        """`cells`: centres `(C, 2)` [m] of the drivable cells, `reference_poses (M, 3)` [m, rad] where the map is looked at, in `map`."""
        super().__init__()
        self.trunk = trunk_of(config, tile)
        self.neck: ViewNeck | FeatureNeck
        self.head: CellsHead | RegressionHead
        if config.head == "cells":
            self.neck = ViewNeck(config, self.trunk.features)
            self.head = CellsHead(config, cells, reference_poses)
        else:
            self.neck = FeatureNeck(config, self.trunk.features)
            self.head = RegressionHead(config, cells)

    def feature(self, tiles: Tensor) -> Tensor:
        """Views `(N, D, A)` or features `(N, F)`, as the head takes them, of tiles `(N, S, S)` or `(N, C, S, S)` of zeros and ones."""
        features = self.trunk(tiles[:, None] if tiles.dim() == 3 else tiles).float()  # the trunk alone may be of half precision
        feature: Tensor = self.neck(features)
        return feature

    @torch.inference_mode()
    def hypotheses(self, tile: NDArray[np.uint8], count: int) -> Hypotheses:
        """The `count` most probable poses for one tile `(S, S)` or `(C, S, S)`."""
        return self.head.hypotheses(self.feature(torch.from_numpy(tile)[None].to(self.head.cells.device)), count)
