# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Single scans a metre apart on the whole map and with 30 % of it missing: how often the best answer, or any, is right (2 min).

After benchmark/starts.py with the same --out and settings: the answers are those it has kept.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pipeline import data_folder, localizer_config, row_table
from pipeline.drives import Drive
from pipeline.scenarios import MADE, SCENARIOS, Made

from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.geometry.pose2 import FloatArray
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.timing import StageTimer

APART_M = 1.0  # a car that stands shows one scan again and again
MAPS = ("kitti", "kitti-missing-30", "oxford", "oxford-missing-30")
COLUMNS = {"scans": "scans", "within_2_m": "within 2 m [%]", "within_5_m": "within 5 m [%]", "any_within_5_m": "any answer within 5 m [%]"}


def scans(localizer: Localizer, drive: Drive) -> Iterator[tuple[BuildingScan, FloatArray]]:
    """The scans that the localizer would search with, each with the true pose `(3,)`."""
    last = np.full(2, np.inf)
    for scan in drive.scans:
        (truth,) = drive.truth.at(np.array([scan.stamp_s]), localizer.area.plane)
        if len(scan.points) >= localizer.config.cloud.minimum_hits and np.isfinite(truth).all():
            if np.hypot(*(truth[:2] - last)) < APART_M:
                continue
            last = truth[:2]
            yield scan, truth


def errors_m(localizer: Localizer, drive: Drive) -> Iterator[FloatArray]:
    """Of each scan, how far its answers are off, best first."""
    for scan, truth in scans(localizer, drive):
        tile = localizer.renderer.tile(scan.points, scan.seen_m, scan.road)
        answers = localizer.search.answers(scan, tile.image, StageTimer()).poses
        places = np.array([answer.T_map_base.as_array()[:2] for answer in answers]).reshape(-1, 2)
        yield np.append(np.hypot(*(places - truth[:2]).T), np.inf)


def main() -> None:
    """A row a map."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", nargs="*", default=MAPS, help=f"of {', '.join(MAPS)}")
    parser.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    parser.add_argument("--out", type=Path, default=MADE / "starts", help="where everything is kept (default: %(default)s)")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings that starts.py ran with")
    options = parser.parse_args()
    made = Made(data_folder(options.data), options.out, localizer_config(options.set))
    rows: dict[str, dict[str, float]] = {}
    for name in options.maps:
        found = [errors for part in SCENARIOS[name](made).parts for errors in errors_m(*part)]
        best = np.array([errors[0] for errors in found])
        rows[name] = {"scans": len(found)} | {f"within_{m}_m": 100.0 * float(np.mean(best <= m)) for m in (2, 5)}
        rows[name]["any_within_5_m"] = 100.0 * float(np.mean([errors.min() <= 5.0 for errors in found]))
        print(name, json.dumps(rows[name]), flush=True)
    print(row_table(rows, COLUMNS))


if __name__ == "__main__":
    main()
