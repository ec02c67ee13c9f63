# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Extraction on raw KITTI scans against SemanticKITTI's labels: buildings by point and direction, roads (1 min, and 3 of training).

Each scan also comes in askew, and with fewer beams, with the same settings.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pipeline import ROOT, data_folder, step, store
from pipeline.clouds import BUILDING, CHANGES, ROADS, kitti_scans, nearest_by_degree

from urban_map_loc.cli.arguments import assignment
from urban_map_loc.cloud import cloud as kinds
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.extraction import point_kinds
from urban_map_loc.config import CloudConfig, TileConfig
from urban_map_loc.settings import from_dict

SEQUENCES = ("00", "07", "02")
WAYS = ("geometric", "fcn", "labels")
ROAD_M = 25.0
SAME_M = 1.0


@dataclass
class Figures:
    """Sums over the scans of a row: points right, found and there, of buildings and of road; shares of directions."""

    building: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, dtype=np.int64))
    road: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, dtype=np.int64))
    agree: list[float] = field(default_factory=list)
    claimed: list[float] = field(default_factory=list)

    def add(self, cloud: Cloud, config: CloudConfig, range_m: float) -> None:
        """Take a labelled cloud."""
        found = point_kinds(cloud, config, range_m, road=True)
        distance = np.hypot(cloud.points[:, 0], cloud.points[:, 1])
        used = (distance > config.minimum_range_m) & (distance < range_m)
        there, building = (cloud.label == BUILDING) & used, (found == kinds.BUILDING) & used
        self.building += (building & there).sum(), building.sum(), there.sum()
        near, known = distance < ROAD_M, np.isin(cloud.label, ROADS) & (distance > config.minimum_range_m)
        surface = (found == kinds.ROAD) & near
        self.road += (surface & known).sum(), surface.sum(), (known & near).sum()
        ranges, truth = (nearest_by_degree(cloud.points, m, config.minimum_range_m, range_m) for m in (building, there))
        some = np.isfinite(truth)
        self.claimed.append(float((np.isfinite(ranges) & ~some).mean()))
        if some.any():
            self.agree.append(float((np.abs(ranges[some] - truth[some]) < SAME_M).mean()))

    @property
    def row(self) -> str:
        """Of the table of buildings."""
        agree = f"{100 * np.mean(self.agree):.1f} %" if self.agree else "–"
        return " | ".join((*_shares(self.building), agree, f"{100 * np.mean(self.claimed):.1f} %"))


def _shares(counts: NDArray[np.int64]) -> tuple[str, str]:
    """Precision and recall of (right, found, there)."""
    right, found, there = counts
    return f"{right / found:.3f}" if found else "–", f"{right / there:.3f}" if there else "–"


def main() -> None:
    """Print a table of buildings and one of roads."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    options.add_argument("--kinds", nargs="+", choices=WAYS, default=WAYS, help="who tells buildings (default: all)")
    options.add_argument("--fcn", type=Path, default=None, metavar="FCN", help="a segmentation; without it fcn is trained first (3 min)")
    options.add_argument(
        "--set", type=assignment, action="append", default=[], metavar="NAME=VALUE", help="another setting of the extraction"
    )
    options.add_argument("--out", type=Path, default=ROOT / "build" / "benchmark" / "extraction", help="default: %(default)s")
    given = options.parse_args()
    data, range_m = data_folder(given.data) / "kitti_raw", TileConfig().range_m
    given.out.mkdir(parents=True, exist_ok=True)
    segmentation = given.fcn or given.out / "fcn.safetensors"
    if "fcn" in given.kinds and not segmentation.is_file():
        step("train-fcn", "--out", segmentation)
    ways = {way: from_dict(CloudConfig, {"kind": way, "fcn_model": str(segmentation)} | dict(given.set)) for way in given.kinds}
    rows: dict[tuple[str, str, str], Figures] = {}
    for sequence in SEQUENCES:
        scans = [scan for _, scan in kitti_scans(data / sequence)]
        for change, changed in CHANGES.items():
            for way, config in ways.items():
                figures = rows.setdefault((way, sequence, change), Figures())
                for scan in scans:
                    figures.add(changed(scan), config, range_m)
    lines = ["| kind | sequence | came in | precision | recall | directions within 1 m | directions claimed where none is |"]
    lines += ["|---|---|---|---|---|---|---|"]
    lines += [
        f"| {way} | {sequence} | {change} | {rows[way, sequence, change].row} |" for way, sequence, change in sorted(rows, key=_order)
    ]
    lines += ["", f"| sequence | came in | road within {ROAD_M:g} m: precision | recall |", "|---|---|---|---|"]
    first = given.kinds[0]  # the road does not depend on who tells buildings, but for labels
    lines += [f"| {s} | {c} | {' | '.join(_shares(f.road))} |" for (way, s, c), f in rows.items() if way == first]
    store(given.out, {" ".join(key): figures.row for key, figures in rows.items()}, "\n".join(lines))


def _order(key: tuple[str, str, str]) -> tuple[int, int, int]:
    way, sequence, change = key
    return WAYS.index(way), SEQUENCES.index(sequence), list(CHANGES).index(change)


if __name__ == "__main__":
    main()
