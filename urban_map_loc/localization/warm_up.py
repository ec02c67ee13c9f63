# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compiling and loading everything once, so that the first cloud is answered as fast as the rest."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.deskew import deskewed
from urban_map_loc.cloud.scan import BuildingScan, scan_of_cloud
from urban_map_loc.errors import CloudError
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.localization.finding import Finder
from urban_map_loc.localization.recent_drive import RecentDrive
from urban_map_loc.localization.timing import StageTimer
from urban_map_loc.localization.tracking import Tracker

if TYPE_CHECKING:
    from urban_map_loc.localization.localizer import Localizer

METRES = 4  # of a made-up drive: more keyframes than the last test of the loop needs


def warm_up(localizer: Localizer) -> None:
    """Put a made-up street through every stage; the localizer knows nothing of it afterwards."""
    config, cloud = localizer.config, _street()
    for kind in dict.fromkeys(("geometric", "labels", config.cloud.kind)):  # fcn reads its file here
        with suppress(CloudError):  # what these points are taken for does not matter
            scan_of_cloud(deskewed(cloud, _Standing()), replace(config.cloud, kind=kind), localizer.tile_config)
    points = np.ascontiguousarray(cloud.points[:100, :2], dtype=np.float64)
    localizer.submap.extended(BuildingScan(cloud.stamp_s, points), Pose2.identity())
    localizer.submap.clear()
    answers = localizer.search.answers(BuildingScan(cloud.stamp_s, points), localizer.renderer.tile(points).image, StageTimer())
    finder, drive = Finder(localizer.verifier, config.fusion), RecentDrive(config.fusion)
    for metre in range(METRES):
        drive.move(Pose2(metre, 0.0, 0.0))
        drive.add(float(metre), Pose2(metre, 0.0, 0.0), points)
    finder.propose(answers, Pose2.identity(), 0.0)
    finder.judge(Pose2.identity(), points, np.zeros_like(points))
    localizer.verifier.score(points, np.zeros_like(points), answers.guess[None])
    Tracker(localizer.verifier, config, drive, Pose2.identity()).add(drive.keyframes[-1])


def _street() -> Cloud:
    """A labelled cloud of two walls, as from a sweep."""
    x, z = np.meshgrid(np.arange(-20.0, 20.0, 0.2), np.arange(0.0, 5.0, 0.25))
    sides = [np.column_stack([x.ravel(), np.full(x.size, y), z.ravel()]) for y in (-8.0, 8.0)]
    points = np.concatenate(sides).astype(np.float32)
    offset_s = np.linspace(0.0, 0.1, len(points), dtype=np.float32)
    return Cloud(0.0, points, np.zeros(len(points), dtype=np.int64), offset_s=offset_s)


class _Standing:
    """The motion of a car that stands."""

    def poses(self, stamps_s: FloatArray) -> FloatArray:
        return np.zeros((len(stamps_s), 3))
