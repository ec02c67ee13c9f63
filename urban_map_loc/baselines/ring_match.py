# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ring match: the scan's ring of ranges against the map's at every place on the roads, in all headings at once.

The plainest search that looks everywhere, with nothing learned. How well a range r seen fits a range m of the map is any function
g(r, m), here one that is bounded, so that what hides walls costs no more than what lacks them. A map's range is written as its two
neighbouring steps of range, weighted linearly; then the sum of g over all directions, for all headings, is a correlation along the
ring summed over steps, which the fast Fourier transform gives.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from urban_map_loc.baselines.rings import map_rings, ring_of, road_places
from urban_map_loc.baselines.system import Progress, Query, SharedGround, System, ranked_hypotheses
from urban_map_loc.config import RingMatchConfig
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle
from urban_map_loc.mapnet.hypotheses import Hypotheses

# Rings that a scan is compared with at a time.
BATCH = 512


class RingMatch(System):
    """See the module."""

    name = "FFT ring match"
    source = "a full search by circular correlation; no publication"
    learns = False
    draws = False

    def __init__(self, ground: SharedGround) -> None:
        super().__init__(ground)
        self.config = ground.settings.ring_match

    def index(self, progress: Progress) -> None:
        """Rings at places along all roads."""
        places = road_places(self.ground.area, self.config.spacing_m)
        self._take(places, map_rings(self.ground, places, self.config.directions, progress))

    def guesses(self, query: Query, count: int) -> Hypotheses:
        """At each place the heading that fits best."""
        directions = self.config.directions
        score = self.scores(ring_of(query.points, directions))
        turn = score.argmax(axis=1)
        # A car that heads k parts of a turn left of east sees in its direction j what lies in the map's direction j + k.
        poses = np.column_stack([self._places, wrap_angle(turn * (2.0 * np.pi / directions))])
        return ranked_hypotheses(poses, score.max(axis=1), count, self.ground.settings)

    def scores(self, ring: FloatArray) -> NDArray[np.float32]:
        """How well a scan's ring `(D,)` [m] fits `(N, D)` at every place, turned by every number of directions."""
        weights = np.fft.rfft(fit_of_steps(ring, self.ground.config.tile.range_m, self.config), axis=0).astype(np.complex64)
        total = np.einsum("nfs,fs->nf", self._spectra, weights.conj())
        return np.asarray(np.fft.irfft(total, n=self.config.directions, axis=1), dtype=np.float32)

    def tensors(self) -> dict[str, Tensor]:
        """Places and rings; the spectra are made of them."""
        return {"places": torch.from_numpy(self._places).float(), "rings": torch.from_numpy(self._rings).half()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """See `System`."""
        self._take(tensors["places"].double().numpy(), tensors["rings"].float().numpy())

    def _take(self, places: FloatArray, rings: NDArray[np.float32]) -> None:
        # Rounded as they are kept, so that a loaded system answers as the one that was saved.
        self._places, self._rings = places.astype(np.float32).astype(np.float64), rings.astype(np.float16).astype(np.float32)
        range_m, step_m = self.ground.config.tile.range_m, self.config.range_step_m
        chunks = [self._rings[first : first + BATCH] for first in range(0, len(rings), BATCH)]
        self._spectra = np.concatenate([np.fft.rfft(steps_of(c, range_m, step_m), axis=1).astype(np.complex64) for c in chunks])


def steps_of(rings: NDArray[np.float32], range_m: float, step_m: float) -> NDArray[np.float32]:
    """Ranges `(N, D)` [m] as weights `(N, D, S + 1)` of S steps of range, 0 to `range_m`; the last stands for no wall in range."""
    last = _steps(range_m, step_m) - 1
    seen = np.isfinite(rings)
    position = np.minimum(np.where(seen, rings, 0.0) / step_m, last - 1e-4)
    lower = position.astype(np.int64)
    weights = np.zeros((*rings.shape, last + 2), dtype=np.float32)
    np.put_along_axis(weights, lower[..., None], (lower + 1 - position)[..., None], axis=2)
    np.put_along_axis(weights, lower[..., None] + 1, (position - lower)[..., None], axis=2)
    weights[~seen] = 0.0
    weights[~seen, last + 1] = 1.0
    return weights


def fit_of_steps(ring: FloatArray, range_m: float, config: RingMatchConfig) -> NDArray[np.float32]:
    """The fit g of a scan's ring `(D,)` [m] against each step of range `(D, S + 1)`: 1 where it is the same, 0 far away."""
    step = np.arange(_steps(range_m, config.range_step_m)) * config.range_step_m
    seen = np.isfinite(ring)
    fit = np.zeros((len(ring), len(step) + 1), dtype=np.float32)
    fit[seen, :-1] = np.exp(-0.5 * ((step - ring[seen, None]) / config.sigma_m) ** 2)
    fit[~seen, -1] = config.open_fit
    return fit


def _steps(range_m: float, step_m: float) -> int:
    return int(np.ceil(range_m / step_m)) + 1
