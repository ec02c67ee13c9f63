# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""PoseNet (Kendall et al. 2015): a network answers with a position and a quaternion, and nothing else."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from urban_map_loc.baselines.googlenet import PoseGoogLeNet
from urban_map_loc.baselines.quaternions import same_side
from urban_map_loc.baselines.regression import LearnedRegression
from urban_map_loc.baselines.system import Query, SharedGround
from urban_map_loc.mapnet.hypotheses import Hypotheses


def beta_loss(answer: Tensor, position: Tensor, quaternion: Tensor, beta: float) -> Tensor:
    """`|x - x'| + beta |q - q' / |q'||`, the mean over 7-vectors `(N, 7)` (equation 1 of the paper); truths are `(N, 3)` and `(N, 4)`.

    Of the two quaternions that are the answer's rotation the nearer one counts: else a street that leads west would ask for both.
    """
    off = torch.linalg.vector_norm(answer[:, :3] - position, dim=1)
    turned = torch.linalg.vector_norm(same_side(normalize(answer[:, 3:], dim=1), quaternion) - quaternion, dim=1)
    return (off + beta * turned).mean()


class PoseNet(LearnedRegression):
    """GoogLeNet on the tile, trained with the beta loss."""

    name: ClassVar[str] = "PoseNet"
    source: ClassVar[str] = "Kendall et al. 2015"

    def __init__(self, ground: SharedGround) -> None:
        self.config = config = ground.settings.posenet
        super().__init__(ground, config, config.learning_rate)
        self.regressor = PoseGoogLeNet(ground.config.tile.planes, config.feature_size, config.dropout)
        self.place(nn.ModuleDict({"regressor": self.regressor, "vector": self.vector}))

    def loss(self, step: int) -> Tensor:
        """The answer's loss, and that of the auxiliary regressors."""
        batch = self.draw(step, self.config.batch_size)
        position, quaternion = self.vector.of(batch.poses)
        answer, *aside = (beta_loss(vector, position, quaternion, self.config.beta) for vector in self.regressor(batch.tiles))
        return answer + self.config.auxiliary_weight * sum(aside)

    @torch.inference_mode()
    def guesses(self, query: Query, count: int) -> Hypotheses:
        """The one pose that the network answers with."""
        answer = self.regressor(torch.from_numpy(query.tile)[None].to(self.ground.device))[0]
        return self.answer(answer[:, :3], answer[:, 3:])
