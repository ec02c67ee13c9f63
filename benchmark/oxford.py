# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Oxford, simulated lidar along a real RobotCar route on the real map: time to lock and error (about 10 min)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline import at_most, data_folder, parser, step, store, table, train_and_localize

ROUTE = "robotcar/2014-12-02-15-30-08/ins_at_images.csv"
WANTED: dict[str, Any] = {
    "locked within 15 s": lambda m: at_most(m["lock"]["first_lock_s"], 15.0),
    "median error while locked ≤ 2 m": lambda m: at_most(m["fused"]["position_m"]["median"], 2.0),
    "never locked wrong": lambda m: m["lock"]["locked_wrong_over_10_m"] == 0,
}


def main() -> None:
    """Area, then training, a drive, localization and evaluation once a seed."""
    options = parser(__doc__ or "", "oxford", minutes=0.0)
    options.add_argument("--sensor", default="hdl32", help="simulated lidar (default: %(default)s)")
    options.add_argument("--duration", type=float, default=120.0, help="seconds of the longest stretch in the area (default: %(default)s)")
    options.add_argument("--start", type=float, default=None, help="seconds after the route's start (default: the longest stretch's start)")
    args = options.parse_args()
    data = data_folder(args.data)
    args.out.mkdir(parents=True, exist_ok=True)
    area = args.out / "oxford.gpkg"
    step("area", "build", "--osm", data / "oxford" / "oxford.osm", "--out", area)

    def drive(seed: int) -> Path:
        """The simulated drive of a seed."""
        bag: Path = args.out / f"drive_{args.sensor}_{seed}"
        start = () if args.start is None else ("--start", str(args.start))
        if not (args.reuse and bag.is_dir()):
            choice = ("--sensor", args.sensor, "--seed", str(seed), "--duration", str(args.duration), *start)
            step("simulate", area, "--route", data / ROUTE, "--out", bag, *choice)
        return bag

    results = train_and_localize(area, args, drive)
    store(args.out, results, table(results, WANTED))


if __name__ == "__main__":
    main()
