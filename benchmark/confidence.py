# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a model's network states of its answers to the scans of a drive, and how far it comes true (KITTI 07: 1 min)."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from urban_map_loc.area.geopackage import read_area
from urban_map_loc.bags.reader import BagReader
from urban_map_loc.bags.replay import seen_scans
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.geometry.pose2 import wrap_angle
from urban_map_loc.mapnet.calibration import reliability
from urban_map_loc.mapnet.checkpoint import load_checkpoint
from urban_map_loc.tile.grid import TileGrid
from urban_map_loc.training.confidence import WITHIN


def main() -> None:
    """Print, before and after calibration: probability stated and come true by tenths; then the share of right answers within sigmas."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("model", type=Path, metavar="MODEL.safetensors")
    options.add_argument("area", type=Path, metavar="AREA.gpkg")
    options.add_argument("bag", type=Path, metavar="BAG", help="with truth.csv, such as `convert kitti` writes")
    args = options.parse_args()
    reader, model = BagReader(args.bag), load_checkpoint(args.model)
    trajectory = reader.truth()
    if trajectory is None:
        options.error(f"{args.bag} has no truth.csv")
    seen = list(seen_scans(reader, LocalizerConfig(), model.config.tile))
    truth = trajectory.at([s.scan.stamp_s for s in seen], read_area(args.area).plane)
    grid = TileGrid(model.config.tile)
    tiles = [grid.draw(s.scan.points) for s in seen]
    head = model.network.head
    temperature = head.temperature.clone() if hasattr(head, "temperature") else None
    for name, value in (("before", None), ("after", temperature)):
        if temperature is not None:
            head.temperature.copy_(torch.ones(()) if value is None else value)
        answers = [model.network.hypotheses(tile, 1) for tile in tiles]
        region = np.stack([a.region[0] for a in answers])
        right = ((region[:, :2] <= truth[:, :2]) & (truth[:, :2] <= region[:, 2:])).all(axis=1)
        stated = np.exp([a.log_probability[0] for a in answers])
        found = reliability(torch.from_numpy(stated), torch.from_numpy(right))
        print(f"\n{name} calibration: expected calibration error {found['expected_calibration_error']:.3f}\n")
        print("| stated | came true | answers |\n|---|---|---|")
        for row in found["bins"]:
            print(f"| {row[0]:.2f} | {row[1]:.2f} | {row[2]} |")
    error = truth[right] - np.stack([a.poses[0] for a in answers])[right]
    error[:, 2] = wrap_angle(error[:, 2])
    covariance = np.stack([a.covariance[0] for a in answers])[right]
    distance = np.einsum("ni,ni->n", error, np.linalg.solve(covariance, error[:, :, None])[:, :, 0])
    shares = ", ".join(f"{np.mean(distance <= limit):.1%} within {name.replace('_', ' ')}" for name, limit in WITHIN.items())
    print(f"\nright answers: {len(error)} of {len(truth)}; {shares} (68.3 and 95.4 % are due)")


if __name__ == "__main__":
    main()
