# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Search: where in the whole area one scan may have been made, by network and geometry together."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.localization.result import Answers
from urban_map_loc.localization.timing import StageTimer
from urban_map_loc.localization.verification import Verification
from urban_map_loc.mapnet.hypotheses import Hypotheses


class Network(Protocol):
    """What is asked of MapNet."""

    def hypotheses(self, tile: NDArray[np.uint8], count: int) -> Hypotheses:
        """The `count` most probable places of a tile."""
        ...


class Search:
    """MapNet guesses, the map verifies."""

    def __init__(self, network: Network, verifier: Verification) -> None:
        self.network, self.verifier = network, verifier

    def answers(self, scan: BuildingScan, tile: NDArray[np.uint8], timer: StageTimer, guesses: Hypotheses | None = None) -> Answers:
        """The best distinct poses for one scan alone, and MapNet's own first guess.

        Args:
            scan: its hits are verified.
            tile: the scan as the network sees it.
            timer: stages `mapnet` and `verification` are noted there.
            guesses: places to look at besides the network's.
        """
        hypotheses = self.network.hypotheses(tile, self.verifier.config.cells)
        guess, probability = hypotheses.poses[0], float(np.exp(hypotheses.log_probability[0]))
        if guesses is not None and len(guesses):
            hypotheses = guesses.joined(hypotheses)
        timer.stage("mapnet")
        answers = self.verifier.answers(scan.points, hypotheses)
        timer.stage("verification")
        return Answers(answers, guess, probability)
