# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Regression: the network answers with one pose, and nothing is made of the map but what it has learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from urban_map_loc.baselines.learned import LearnedSystem
from urban_map_loc.baselines.pose_vector import PoseVector
from urban_map_loc.baselines.system import Progress, SharedGround, ranked_hypotheses
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.settings import Section


class LearnedRegression(LearnedSystem):
    """What PoseNet and VLocNet share."""

    def __init__(self, ground: SharedGround, config: Section, peak: float) -> None:
        super().__init__(ground, config, peak, replace(ground.config.network, head="regression"))
        self.vector = PoseVector(ground.batches.cells.centres)

    def index(self, progress: Progress) -> None:
        """Nothing: the weights are the map. They are made ready to be asked."""
        self.network.eval()

    def answer(self, position: Tensor, quaternion: Tensor) -> Hypotheses:
        """The one pose of a position `(1, 3)` and a quaternion `(1, 4)`."""
        poses = self.vector.poses(position, quaternion).cpu().double().numpy()
        return ranked_hypotheses(poses, np.zeros(1), 1, self.ground.settings)
