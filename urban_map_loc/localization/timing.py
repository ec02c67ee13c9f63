# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""StageTimer: how long each stage of one cloud took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class StageTimer:
    """Duration of each stage [ms]: a stage lasts from the end of the one before it."""

    started: float = field(default_factory=time.perf_counter)
    stages_ms: dict[str, float] = field(default_factory=dict)

    def stage(self, name: str) -> None:
        """End the stage `name`; one that comes again is added up."""
        now = time.perf_counter()
        self.stages_ms[name] = self.stages_ms.get(name, 0.0) + (now - self.started) * 1e3
        self.started = now
