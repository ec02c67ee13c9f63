# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The last pose, written while the node works and when it stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import inf
from pathlib import Path

from urban_map_loc.errors import OutputError
from urban_map_loc.geometry.geodesy import LocalTangentPlane
from urban_map_loc.localization.last_pose import save_last_pose
from urban_map_loc.localization.result import PoseEstimate


class LastPoseKeeper:
    """Keeps the newest offered pose in a file; a file that cannot be written is said once and does not disturb the work.

    Args:
        path: the file.
        plane: of the area.
        log: called with a line that a user should see.

    Attributes:
        period_s: it is written this often [s]; may be replaced.
        failure: why it could not be written the last time; empty where it could.
    """

    def __init__(self, path: Path, plane: LocalTangentPlane, period_s: float, log: Callable[[str], object]) -> None:
        self.period_s = period_s
        self._path, self._plane, self._log = path, plane, log
        self._newest: tuple[float, PoseEstimate] | None = None
        self._written = -inf
        self.failure = ""
        self._lock = threading.Lock()  # the worker's thread writes while it works, the main one when it stops

    def saw(self, stamp_s: float, estimate: PoseEstimate) -> None:
        """Take an offered pose; writes it where it is time to."""
        self._newest = (stamp_s, estimate)
        if time.monotonic() - self._written >= self.period_s:
            self.write()

    def write(self) -> None:
        """Write the newest pose unless it is written."""
        with self._lock:
            newest, self._newest = self._newest, None
            if newest is None:
                return
            self._written = time.monotonic()
            try:
                save_last_pose(self._path, *newest, self._plane)
            except OutputError as error:
                if not self.failure:
                    self._log(f"last pose: {error}")
                self.failure = str(error)
            else:
                self.failure = ""
