# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Head: what turns a feature into a ranked list of poses."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.hypotheses import Hypotheses


class Head(nn.Module, ABC):
    """What both heads share; they are interchangeable behind `MapNet.hypotheses`.

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

    @abstractmethod
    def ranked(self, feature: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The fields of `Hypotheses` as tensors: at most `count` poses, log-probabilities, regions and covariances."""

    @torch.inference_mode()
    def hypotheses(self, feature: Tensor, count: int) -> Hypotheses:
        """The at most `count` most probable poses for one feature, the first of a batch of one."""
        return Hypotheses.from_tensors(*self.ranked(feature, count))
