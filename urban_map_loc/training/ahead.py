# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Batches drawn ahead: processors render the next step's tiles while a GPU learns from this one's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numba

from urban_map_loc.mapnet.batch import Batch


class BatchesAhead:
    """`draw` of consecutive steps, each begun in a thread of its own as soon as the one before is asked for.

    Where the network computes on the same processors nothing is won.
    """

    def __init__(self, draw: Callable[[int], Batch]) -> None:
        """`draw` depends on the number of the step alone."""
        self._draw = draw
        # numba keeps its number of threads for each thread that calls a kernel.
        self._thread = ThreadPoolExecutor(1, "batches ahead", numba.set_num_threads, (numba.get_num_threads(),))
        self._begun: dict[int, Future[Batch]] = {}

    def __call__(self, step: int) -> Batch:
        """The batch of a step; raises what `draw` raises."""
        batch = self._begun.pop(step, None) or self._thread.submit(self._draw, step)
        self._begun = {step + 1: self._thread.submit(self._draw, step + 1)}
        return batch.result()

    def settle(self) -> None:
        """Wait until nothing is drawn: one of numba's threading layers ends the process where two threads call kernels at once."""
        wait(self._begun.values())
