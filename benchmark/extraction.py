"""Extraction on raw KITTI scans against SemanticKITTI's labels: buildings by point and by direction, road surface (20 s).

Each scan also comes in askew, and with fewer beams, with the same settings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from pipeline import data_folder
from pipeline.clouds import BUILDING, CHANGES, ROADS, kitti_scans, nearest_by_degree

from urban_map_loc.cli.arguments import assignment
from urban_map_loc.cloud import cloud as kinds
from urban_map_loc.cloud.extraction import point_kinds
from urban_map_loc.config import CloudConfig, TileConfig
from urban_map_loc.settings import from_dict

SEQUENCES = ("00", "07", "02")
ROAD_M = 25.0


def main() -> None:
    """Print a table of buildings and one of roads."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    options.add_argument("--set", type=assignment, action="append", default=[], metavar="NAME=VALUE", help="a setting, such as kind=fcn")
    given = options.parse_args()
    config, range_m = from_dict(CloudConfig, {"kind": "geometric"} | dict(given.set)), TileConfig().range_m
    data, roads = data_folder(given.data) / "kitti_raw", []
    print("| sequence | came in | precision | recall | directions within 1 m of the labelled | directions claimed where none is |")
    print("|---|---|---|---|---|---|")
    for sequence in SEQUENCES:
        for name, changed in CHANGES.items():
            counts, road, agree, claimed = np.zeros(3, dtype=int), np.zeros(3, dtype=int), [], []
            for _, scan in kitti_scans(data / sequence):
                cloud = changed(scan)
                found = point_kinds(cloud, config, range_m, road=True)
                distance = np.hypot(cloud.points[:, 0], cloud.points[:, 1])
                there = (cloud.label == BUILDING) & (distance > config.minimum_range_m) & (distance < range_m)
                building = found == kinds.BUILDING
                counts += (building & there).sum(), building.sum(), there.sum()
                near, known = distance < ROAD_M, np.isin(cloud.label, ROADS) & (distance > config.minimum_range_m)
                surface = (found == kinds.ROAD) & near
                road += (surface & known).sum(), surface.sum(), (known & near).sum()
                ranges, truth = (nearest_by_degree(cloud.points, m, config.minimum_range_m, range_m) for m in (building, there))
                some = np.isfinite(truth)
                claimed.append((np.isfinite(ranges) & ~some).mean())
                if some.any():
                    agree.append((np.abs(ranges[some] - truth[some]) < 1.0).mean())
            shares = (*_shares(counts), f"{100 * np.mean(agree):.1f} %" if agree else "–", f"{100 * np.mean(claimed):.1f} %")
            print(f"| {sequence} | {name} | {' | '.join(shares)} |")
            roads.append(f"| {sequence} | {name} | {' | '.join(_shares(road))} |")
    print(f"\n| sequence | came in | road within {ROAD_M:g} m: precision | recall |\n|---|---|---|---|")
    print("\n".join(roads))


def _shares(counts: np.ndarray) -> tuple[str, str]:
    """Precision and recall of (right, found, there)."""
    right, found, there = counts
    return f"{right / found:.3f}" if found else "–", f"{right / there:.3f}" if there else "–"


if __name__ == "__main__":
    main()
