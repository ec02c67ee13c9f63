# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""KITTI 07, real ranges with human labels: single-scan recall, time to lock, error with odometry (2 min)."""

from __future__ import annotations

from typing import Any

from pipeline import at_most, data_folder, parser, step, store, table, train_and_localize

WANTED: dict[str, Any] = {
    "single scan within 5 m ≥ 45 %": lambda m: m["single_scan"]["within_5_m"] >= 0.45,
    "locked within 30 s": lambda m: at_most(m["lock"]["first_lock_s"], 30.0),
    "mean error while locked ≤ 3 m": lambda m: at_most(m["fused"]["position_m"]["mean"], 3.0),
    "never locked wrong": lambda m: m["lock"]["locked_wrong_over_10_m"] == 0,
}


def main() -> None:
    """Area, bag, then training, localization and evaluation once a seed."""
    options = parser(__doc__ or "", "kitti07", minutes=0.0).parse_args()
    source = data_folder(options.data) / "kitti" / "07"
    options.out.mkdir(parents=True, exist_ok=True)
    area, bag = options.out / "kitti_07.gpkg", options.out / "kitti_07"
    step("area", "build", "--osm", source / "map.osm", "--out", area)
    if not (options.reuse and bag.is_dir()):
        step("convert", "kitti", source, "--out", bag)
    results = train_and_localize(area, options, lambda seed: bag)
    store(options.out, results, table(results, WANTED))


if __name__ == "__main__":
    main()
