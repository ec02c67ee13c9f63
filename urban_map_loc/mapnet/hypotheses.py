# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a head answers: a ranked list of possible poses."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle

# Covariance of what says no more than its region: [m, m, rad] far beyond it.
ANYWHERE = np.diag([1e6, 1e6, 1e6])


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """Possible poses for one tile, most probable first.

    Attributes:
        poses: `(K, 3)` east [m], north [m], yaw [rad] in `map`.
        log_probability: `(K,)` natural logarithm of the probability that the car is in this hypothesis's region.
        region: `(K, 4)` west, south, east, north [m]: where to look when the hypothesis is checked against the map.
        covariance: `(K, 3, 3)` of east [m], north [m], yaw [rad], should the hypothesis be the right one; positive definite.
    """

    poses: FloatArray
    log_probability: FloatArray
    region: FloatArray
    covariance: FloatArray

    @classmethod
    def from_tensors(cls, *fields: Tensor) -> Hypotheses:
        """From the fields in their order, wherever they are."""
        return cls(*(tensor.cpu().double().numpy() for tensor in fields))

    @classmethod
    def anywhere(cls, region: FloatArray, log_probability: FloatArray) -> Hypotheses:
        """Somewhere in regions `(K, 4)` [m], in some heading."""
        poses = np.column_stack([0.5 * (region[:, :2] + region[:, 2:]), np.zeros(len(region))])
        return cls(poses, log_probability, region, np.tile(ANYWHERE, (len(region), 1, 1)))

    def best(self, count: int) -> Hypotheses:
        """The `count` most probable."""
        return Hypotheses(self.poses[:count], self.log_probability[:count], self.region[:count], self.covariance[:count])

    def joined(self, other: Hypotheses) -> Hypotheses:
        """These and then the others."""
        return Hypotheses(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def squared_distance(self, poses: FloatArray, of: NDArray[np.int64]) -> FloatArray:
        """Squared Mahalanobis distances `(N,)` of poses `(N, 3)` from the hypotheses `of (N,)`."""
        offset = poses - self.poses[of]
        offset[:, 2] = wrap_angle(offset[:, 2])
        return np.asarray(np.einsum("ni,ni->n", offset, np.linalg.solve(self.covariance[of], offset[..., None])[..., 0]))

    def __len__(self) -> int:
        return len(self.poses)


def empty() -> Hypotheses:
    """No hypothesis at all."""
    return Hypotheses(np.zeros((0, 3)), np.zeros(0), np.zeros((0, 4)), np.zeros((0, 3, 3)))
