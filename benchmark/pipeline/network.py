# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a model's network answers to the scans of a drive, without verification and without the drive."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from urban_map_loc.area.geopackage import read_area
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import seen_scans
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.tile.from_cloud import ScanRenderer

RANKS = (1, 5, 20)


def network_alone(model: Path, area: Path, bag: Path, start_s: float = 0.0) -> dict[str, float]:
    """Recall of the network's guesses at every scan from `start_s` [s] after the bag's start.

    within_N_m: the best guess is so near; in_best_K: the truth lies in the region of one of the K best.
    """
    reader, checkpoint = BagReader(bag), load_checkpoint(model)
    scans = list(seen_scans(reader, LocalizerConfig(), checkpoint.config.tile, start_s))
    trajectory = reader.truth()
    assert trajectory is not None, f"{bag} has no truth"
    truth = trajectory.at([seen.scan.stamp_s for seen in scans], read_area(area).plane)
    renderer, errors, ranks = ScanRenderer(checkpoint.config.tile), [], []
    for seen, (east, north, _) in zip(scans, truth, strict=True):
        tile = renderer.tile(seen.scan.points, seen.scan.seen_m, seen.scan.road)
        guesses = checkpoint.network.hypotheses(tile.image, max(RANKS))
        west, south, right, top = guesses.region.T
        inside = (west <= east) & (east <= right) & (south <= north) & (north <= top)
        ranks.append(int(np.argmax(inside)) if inside.any() else max(RANKS))
        errors.append(float(np.hypot(guesses.poses[0, 0] - east, guesses.poses[0, 1] - north)))
    figures = {f"within_{m}_m": float(np.mean(np.array(errors) <= m)) for m in (5, 10)}
    figures |= {"median_m": float(np.median(errors)), "scans": float(len(scans))}
    return figures | {f"in_best_{k}": float(np.mean(np.array(ranks) < k)) for k in RANKS}
