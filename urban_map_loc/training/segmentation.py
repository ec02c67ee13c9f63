# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training of the fully convolutional segmentation on labelled clouds, wherever those come from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.fcn import Fcn, FcnNetwork
from urban_map_loc.cloud.fcn_grid import CloudGrid
from urban_map_loc.cloud.fcn_kernels import MEAN_X, MEAN_Y, SPREAD_XX, SPREAD_XY, SPREAD_YY
from urban_map_loc.config import FcnConfig, FcnGridConfig
from urban_map_loc.errors import CloudError, ModelError

Progress = Callable[[str, float, float], None]

CROP_TRIES = 4
WARM_SHARE = 0.1  # of the steps, in which the learning rate rises


@dataclass(frozen=True, eq=False)
class ColumnSample:
    """What is not empty of a cloud's grid: columns `(K,)`, features `(FEATURES, K)`, share of buildings and points in `(BANDS, K)`."""

    side: int
    columns: NDArray[np.int32]
    features: NDArray[np.float16]
    building: NDArray[np.float16]
    points: NDArray[np.float16]

    @classmethod
    def of_cloud(cls, cloud: Cloud, building_label: int, config: FcnGridConfig) -> ColumnSample:
        """The sample of a labelled cloud, base frame.

        Raises:
            CloudError: the cloud carries no labels.
        """
        if cloud.label is None:
            raise CloudError("a cloud to learn from has no field label; simulate it with labels, or add them")
        grid = CloudGrid.of(cloud.points, config, config.range_m)
        features = grid.features()
        points, building = grid.counts(cloud.label == building_label)
        columns = np.flatnonzero(features.any(axis=0).ravel())

        def there(values: NDArray[np.float32]) -> NDArray[np.float16]:
            return values.reshape(len(values), -1)[:, columns].astype(np.float16)

        share = building / np.maximum(points, 1.0)
        return cls(features.shape[1], columns.astype(np.int32), there(features), there(share), there(np.sqrt(points)))

    def dense(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Features `(FEATURES, S, S)`, share of building points and weight `(BANDS, S, S)`: the root of the number of points."""
        grids = []
        for values in (self.features, self.building, self.points):
            grid = np.zeros((len(values), self.side**2), dtype=np.float32)
            grid[:, self.columns] = values
            grids.append(grid.reshape(-1, self.side, self.side))
        return grids[0], grids[1], grids[2]


def turned(grids: tuple[NDArray[np.float32], ...], rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
    """One of the eight turns and mirror images of the grids of `ColumnSample.dense`, features that have a direction with them."""
    mirror_x, mirror_y, swap = rng.random(3) < 0.5
    features, *others = (grid[:, :: -1 if mirror_x else 1, :: -1 if mirror_y else 1] for grid in grids)
    features = features.copy()
    features[MEAN_X] *= -1.0 if mirror_x else 1.0
    features[MEAN_Y] *= -1.0 if mirror_y else 1.0
    features[SPREAD_XY] *= -1.0 if mirror_x != mirror_y else 1.0
    if swap:
        features = features.transpose(0, 2, 1).copy()
        features[[MEAN_X, MEAN_Y, SPREAD_XX, SPREAD_YY]] = features[[MEAN_Y, MEAN_X, SPREAD_YY, SPREAD_XX]]
        others = [grid.transpose(0, 2, 1) for grid in others]
    return tuple(np.ascontiguousarray(grid) for grid in (features, *others))


def cropped(grids: tuple[NDArray[np.float32], ...], side: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
    """A square of `side` columns out of grids `(C, S, S)`, one that holds its share of the last grid's weight if a few tries find one."""
    size = grids[-1].shape[-1]
    wanted = grids[-1].sum() * min(side / size, 1.0) ** 2
    row, column = 0, 0
    for _ in range(CROP_TRIES):
        row, column = rng.integers(0, max(size - side, 0) + 1, 2)
        if grids[-1][:, row : row + side, column : column + side].sum() >= wanted:
            break
    return tuple(np.ascontiguousarray(grid[:, row : row + side, column : column + side]) for grid in grids)


class FcnTrainer:
    """One training: `step` as often as the configuration says, then `finished`."""

    def __init__(self, config: FcnConfig, samples: list[ColumnSample]) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.samples, self.held_out = samples[config.training.validation_clouds :], samples[: config.training.validation_clouds]
        self.network = FcnNetwork()
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.training.learning_rate, weight_decay=config.training.weight_decay, fused=True
        )
        self.steps = 0

    def step(self) -> float:
        """One optimizer step; returns the loss.

        Raises:
            ModelError: the loss is not finite.
        """
        training = self.config.training
        for group in self.optimizer.param_groups:
            group["lr"] = training.learning_rate * one_cycle(self.steps / training.steps)
        rng = np.random.default_rng((self.config.seed, self.steps))
        chosen = rng.integers(len(self.samples), size=training.batch_size)
        grids = [cropped(turned(self.samples[k].dense(), rng), training.crop_columns, rng) for k in chosen]
        features, building, weight = _stacked(grids)
        self.network.train()
        loss = _loss(self.network(features), building, weight)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), training.gradient_clip)
        self.optimizer.step()
        self.steps += 1
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ModelError(f"the loss is {value} at step {self.steps}; lower the learning rate (now {training.learning_rate})")
        return value

    def finished(self) -> Fcn:
        """The segmentation with its point-wise precision and recall on the clouds held out."""
        self.network.eval()
        right = wrong = missed = 0.0
        for sample in self.held_out:
            features, building, weight = _stacked([sample.dense()])
            with torch.inference_mode():
                found = self.network(features) > 0.0
            count = weight.square()
            right += float((found * building * count).sum())
            wrong += float((found * (1.0 - building) * count).sum())
            missed += float((~found * building * count).sum())
        reached = {"precision": round(right / max(right + wrong, 1.0), 4), "recall": round(right / max(right + missed, 1.0), 4)}
        return Fcn(self.network, self.config, {"steps": self.steps, "clouds": len(self.samples), "validation": reached})


def one_cycle(done: float) -> float:
    """Share of the peak learning rate when a share `done` of the steps is: up in a line, down in a cosine."""
    if done < WARM_SHARE:
        return 0.04 + 0.96 * done / WARM_SHARE
    return 0.5 * (1.0 + math.cos(math.pi * (done - WARM_SHARE) / (1.0 - WARM_SHARE)))


def train_fcn(clouds: Iterable[Cloud], building_label: int, config: FcnConfig, progress: Progress | None = None) -> Fcn:
    """Take as many clouds as the configuration says, and learn from them which columns are building.

    Args:
        clouds: labelled, base frame; the first `validation_clouds` are held out.
        building_label: value of the labels that means building.
        config: grid, training and seed.
        progress: called with what goes on, the share of it that is done and the loss (NaN while clouds are made).

    Raises:
        CloudError: a cloud without labels, or too few clouds.
        ModelError: the training diverges.
    """
    wanted = config.training.clouds + config.training.validation_clouds
    samples: list[ColumnSample] = []
    for cloud in islice(clouds, wanted):
        samples.append(ColumnSample.of_cloud(cloud, building_label, config.grid))
        if progress:
            progress("clouds", len(samples) / wanted, math.nan)
    if len(samples) < wanted:
        raise CloudError(f"only {len(samples)} clouds to learn from, {wanted} wanted; give more, or lower training.clouds")
    trainer = FcnTrainer(config, samples)
    while trainer.steps < config.training.steps:
        loss = trainer.step()
        if progress:
            progress("training", trainer.steps / config.training.steps, loss)
    return trainer.finished()


def _stacked(samples: list[tuple[NDArray[np.float32], ...]]) -> Iterator[Tensor]:
    return (torch.from_numpy(np.stack(grids)).contiguous(memory_format=torch.channels_last) for grids in zip(*samples, strict=True))


def _loss(logits: Tensor, building: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy against the share of building points, weighted by `weight`."""
    loss = nn.functional.binary_cross_entropy_with_logits(logits, building, reduction="none")
    return (loss * weight).sum() / weight.sum().clamp(min=1.0)
