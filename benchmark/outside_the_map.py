# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Drives on the map of another city: every lock is a wrong one (run kitti07.py and oxford.py first; about 6 min)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pipeline import ROOT, parser, step


def main() -> None:
    """The KITTI drive on Oxford's map and the Oxford drive on KITTI's, from several starts; prints the clouds that were locked."""
    options = parser(__doc__ or "", "outside_the_map", minutes=0.0)
    options.add_argument("--starts", type=float, nargs="+", default=[0.0, 40.0, 80.0], help="seconds after the drive's start")
    args = options.parse_args()
    made = ROOT / "build" / "benchmark"
    kitti = (made / "kitti07" / "kitti_07.gpkg", made / "kitti07" / "model_0.safetensors", made / "kitti07" / "kitti_07")
    oxford = (made / "oxford" / "oxford.gpkg", made / "oxford" / "model_0.safetensors", made / "oxford" / "drive_hdl32_0")
    for file in (*kitti, *oxford):
        if not file.exists():
            sys.exit(f"{file} is missing; run benchmark/kitti07.py and benchmark/oxford.py first")
    rows = []
    for name, bag, (area, model) in (("KITTI 07", kitti[2], oxford[:2]), ("Oxford", oxford[2], kitti[:2])):
        for start in args.starts:
            run: Path = args.out / f"{bag.name}_{start:g}"
            step("localize", bag, "--area", area, "--model", model, "--out", run, "--start", str(start))
            states = [line.split(",")[1] for line in (run / "estimates.csv").read_text(encoding="utf-8").splitlines()[1:]]
            rows.append({"drive": name, "map": area.stem, "start_s": start, "clouds": len(states), "locked": states.count("locked")})
    table = ["| drive | map | start [s] | clouds | locked |", "|---|---|---|---|---|"]
    table += ["| " + " | ".join(str(v) for v in row.values()) + " |" for row in rows]
    print("\n".join(table))
    (args.out / "results.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
