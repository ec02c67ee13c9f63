# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Scout: in which of all the regions of an atlas may the car be? Also of those that are not in memory.

The references of one region after the other are read from its model file and compared with the view, so that memory is that of one
region, whatever the atlas's size. A pass over a metropolis takes seconds; it runs beside the localizer and says only what to load.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from urban_map_loc.area.atlas import Atlas
from urban_map_loc.errors import ModelError
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.localization.atlas.network import view_of
from urban_map_loc.localization.atlas.region import ReadyRegion, is_weight, own, weights_of
from urban_map_loc.mapnet.checkpoint import REFERENCES, load_checkpoint

# A region less probable than this is not loaded.
WORTH = 0.01
# Of the model file: where the references stand.
POSES = "head.reference_poses"


class Scout:
    """Remembers how probable each region was for the last scans.

    A region whose model has weights of its own is asked for its own view, which takes longer; see `AtlasNetwork`.
    """

    def __init__(self, atlas: Atlas, scans: int) -> None:
        self._atlas = atlas
        self._own: dict[int, NDArray[np.bool_]] = {}
        self._weights: dict[int, str] = {}
        self._probabilities: deque[FloatArray] = deque(maxlen=scans)

    def forget(self) -> None:
        """Begin anew: the car may be anywhere again."""
        self._probabilities.clear()

    def likeliest(self) -> list[int]:
        """Numbers of the regions that are worth a look, the most probable first; none before a scan has been looked at."""
        seen = list(self._probabilities)
        probability = np.mean(seen, axis=0) if seen else np.zeros(0)
        return [int(k) for k in np.argsort(-probability) if probability[k] >= WORTH]

    @torch.inference_mode()
    def look(self, tile: NDArray[np.uint8], known: ReadyRegion) -> None:
        """Compare a tile with all regions; `known` lends its network. Regions whose file cannot be read are left out."""
        view = view_of(known, tile, known.head.references.device).cpu().float()
        masses = np.full(len(self._atlas.regions), -np.inf)
        scale = float(known.head.log_sharpness.exp() / known.head.temperature)
        for number, region in enumerate(self._atlas.regions):
            try:
                references = self._references(number)
                fits = self._weights[number] == known.weights
                its_own = view if fits else load_checkpoint(region.model).network.feature(torch.from_numpy(tile)[None])
            except (SafetensorError, OSError, ModelError, KeyError):
                continue  # what is wrong with it is said when it is to be loaded
            if len(references):
                masses[number] = _mass(its_own, references, scale)
        total = np.logaddexp.reduce(masses)
        if np.isfinite(total):
            self._probabilities.append(np.exp(masses - total))

    def _references(self, number: int) -> Tensor:
        """The region's own references `(M, D A)`."""
        with safe_open(self._atlas.regions[number].model, framework="pt") as file:
            if number not in self._own:
                names = [name for name in file.keys() if is_weight(name)]  # noqa: SIM118
                self._weights[number] = weights_of({name: file.get_tensor(name) for name in names})
                self._own[number] = own(self._atlas, number, file.get_tensor(POSES)[:, :2])
            references: Tensor = file.get_tensor(REFERENCES)[torch.from_numpy(self._own[number])].float()
            return references


def _mass(view: Tensor, references: Tensor, scale: float) -> float:
    """Logarithm of the sum of all likenesses of a view `(1, D, A)`, in all headings, with references `(M, D A)`."""
    directions = torch.arange(view.shape[2])
    turned = view[:, :, (directions - directions[:, None]) % view.shape[2]].transpose(1, 2).flatten(2)[0]
    return float(torch.logsumexp((turned @ references.T * scale).flatten(), dim=0))
