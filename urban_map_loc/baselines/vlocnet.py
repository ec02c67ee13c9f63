# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""VLocNet (Valada et al. 2018): global pose and odometry from two tiles, each teaching the other, with semantics beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from urban_map_loc.area.roads import RoadRaster
from urban_map_loc.baselines.quaternions import conjugate, product, rotated, same_side
from urban_map_loc.baselines.regression import LearnedRegression
from urban_map_loc.baselines.semantics import AreaSemantics
from urban_map_loc.baselines.system import Query, SharedGround
from urban_map_loc.baselines.vlocnet_network import VLocNetwork
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.mapnet.criterion import Scales
from urban_map_loc.mapnet.hypotheses import Hypotheses
from urban_map_loc.mapnet.se2 import relative
from urban_map_loc.training.batches import Drives
from urban_map_loc.training.sampler import RoadSampler

# Position `(N, 3)` and quaternion `(N, 4)`.
Vector = tuple[Tensor, Tensor]
# Of the first tiles of pairs, and of the second.
Steps = tuple[Vector, Vector]


def errors(answer: Vector, truth: Vector) -> tuple[Tensor, Tensor]:
    """Euclidean errors `(N,)` of position and of the normalised quaternion or its negative (equations 1 and 2 of the paper)."""
    position, quaternion = answer
    off = torch.linalg.vector_norm(position - truth[0], dim=1)
    return off, torch.linalg.vector_norm(same_side(normalize(quaternion, dim=1), truth[1]) - truth[1], dim=1)


def motion_between(before: Vector, now: Vector) -> Vector:
    """The second pose as seen from the first: what must agree with the drive for answers to be consistent."""
    turn = conjugate(normalize(before[1], dim=1))
    return rotated(now[0] - before[0], turn), product(turn, normalize(now[1], dim=1))


class VLocNetCriterion(nn.Module):
    """The sum of what each task is off by, divided by scales that are learned with the network (geometric consistency loss)."""

    def __init__(self, ground: SharedGround) -> None:
        super().__init__()
        start = replace(ground.config.criterion, rotation_log_scale=ground.settings.vlocnet.rotation_log_scale)
        self.pose, self.consistency, self.odometry = (Scales(start) for _ in range(3))
        self.semantics_log_scale = nn.Parameter(torch.zeros(()))

    def forward(self, answers: Steps, truths: Steps, odometry: Vector, driven: Vector, surprise: Tensor) -> Tensor:
        """Loss of the poses before and now, of the motion between them, of the odometry stream, and of the semantic branch."""
        losses = [self.pose(*errors(answer, truth)) / len(answers) for answer, truth in zip(answers, truths, strict=True)]
        for scales, answer in ((self.consistency, motion_between(*answers)), (self.odometry, odometry)):
            losses.append(scales(*errors(answer, driven)))
        losses.append(surprise * torch.exp(-self.semantics_log_scale) + self.semantics_log_scale)
        return torch.stack(losses).sum()


class VLocNet(LearnedRegression):
    """Two tiles in, the pose of the second one out. The first tile of all is its own predecessor, as if the car had stood still."""

    name: ClassVar[str] = "VLocNet"
    source: ClassVar[str] = "Valada et al. 2018"

    def __init__(self, ground: SharedGround) -> None:
        self.config = config = ground.settings.vlocnet
        super().__init__(ground, config, config.learning_rate)
        self.streams = VLocNetwork(ground.config.tile.planes, config)
        self.criterion = VLocNetCriterion(ground)
        self.place(nn.ModuleDict({"streams": self.streams, "vector": self.vector, "criterion": self.criterion}))
        pairs = replace(ground.config.sampler, tuple_length=2, tuple_spacing_m=ground.settings.questions.previous_m)
        self._sampler = RoadSampler(ground.area, pairs, ground.batches.cells)
        renderer = ground.batches.renderer
        roads = renderer.roads or RoadRaster.from_area(ground.area, ground.config.raster, ground.config.roads, ground.cache)
        self._semantics = AreaSemantics(renderer.raster, roads, ground.config.tile, config.coarser)

    def pairs(self, step: int) -> tuple[FloatArray, Tensor]:
        """Poses `(2 B, 3)` [m, rad] in `map` and tiles `(2 B, ...)` of a step's pairs: one before, one now, one before..."""
        batches, random = self.ground.batches, np.random.default_rng((Drives.TRAINING, self.ground.seed, step))
        poses = self._sampler.draw(2 * self.config.batch_size, random)
        return poses, batches.tiles(poses, batches.effects, int(random.integers(2**31)), stretch=2)

    def loss(self, step: int) -> Tensor:
        """All tasks on the pairs of a step."""
        drawn, tiles = self.pairs(step)
        device = self.ground.device
        labels = self._semantics.labels(drawn).to(device)
        poses = torch.from_numpy(drawn).float().to(device)
        seen = self.streams.see(tiles.to(device))
        (before3, now3), (before4, now4) = ((stage[0::2], stage[1::2]) for stage in (seen.stage3, seen.stage4))
        position, quaternion = self.streams.locate(torch.cat([before4, now4]), torch.cat([before4, before4]))
        count = len(before4)
        answers = (position[:count], quaternion[:count]), (position[count:], quaternion[count:])
        truths = self.vector.of(poses[0::2]), self.vector.of(poses[1::2])
        driven = self.vector.of_motion(relative(poses[0::2], poses[1::2]))
        surprise = cross_entropy(self.streams.semantics(seen), labels)
        loss: Tensor = self.criterion(answers, truths, self.streams.moved(now3, before3), driven, surprise)
        return loss

    @torch.inference_mode()
    def guesses(self, query: Query, count: int) -> Hypotheses:
        """The one pose that the global stream answers with."""
        previous = query.tile if query.previous is None else query.previous.tile
        stage4 = self.streams.see(torch.from_numpy(np.stack([previous, query.tile])).to(self.ground.device)).stage4
        return self.answer(*self.streams.locate(stage4[1:], stage4[:1]))
