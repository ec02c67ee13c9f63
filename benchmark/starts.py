# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Many starts of many drives: how soon it locks, whether ever wrongly, how good it is then and whether it knows (see --list).

Needs what benchmark/kitti07.py and benchmark/oxford.py made. Answers to single scans are kept, so that a second run with other
settings of fusion and tracking takes minutes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from pipeline import data_folder, localizer_config, row_table, store
from pipeline.drives import Drive
from pipeline.scenarios import MADE, SCENARIOS, Made, Scenario
from pipeline.starts import DRIVES_M, EARLY_S, Outcome, run, starts, summary

from urban_map_loc.localization.localizer import Localizer

BEFORE_S, AFTER_S = 20.0, 30.0  # of a drive from which the car is carried away, and of that where it is put
RIGHT_M = 3.0


def kidnapped(case: Scenario, seed: int) -> list[tuple[Localizer, Drive, float]]:
    """Drives that go on elsewhere after `BEFORE_S`, and the stamp at which they do."""
    random = np.random.default_rng(seed)
    out = []
    while len(out) < case.kidnaps:
        (localizer, one), (_, other) = (case.parts[i] for i in random.integers(0, len(case.parts), 2))
        begin, end = (float(random.uniform(d.start_s, d.end_s - s)) for d, s in ((one, BEFORE_S), (other, AFTER_S)))
        first = one.between(begin, begin + BEFORE_S)
        out.append((localizer, first.then(other.between(end, end + AFTER_S)), first.end_s))
    return out


def found_again(outcome: Outcome, carried_s: float) -> float:
    """Time from being carried away until the pose is right [s]."""
    stamps, position = np.array(outcome.stamps), outcome.position
    right = stamps[(stamps > carried_s + 0.05) & (position < RIGHT_M)]
    return float(right[0] - carried_s) if len(right) else np.inf


def driven_m(drive: Drive, start_s: float, end_s: float) -> float:
    """Distance driven from one stamp to another [m]."""
    points = np.array([drive.odometry_at(stamp)[:2] for stamp in np.arange(start_s, end_s, 0.2)])
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def measure(name: str, made: Made, options: argparse.Namespace) -> dict[str, float]:
    """The figures of a scenario."""
    case = SCENARIOS[name](made)
    outcomes: list[Outcome] = []
    again: list[float] = []
    afterwards: list[float] = []
    for localizer, drive, carried_s in kidnapped(case, seed=1):
        outcomes.append(run(localizer, drive))
        again.append(found_again(outcomes[-1], carried_s))
        afterwards.append(driven_m(drive, carried_s + 0.1, carried_s + EARLY_S))
        if options.verbose:
            found = f"again after {again[-1]:.1f} s, {afterwards[-1]:.0f} m in {EARLY_S:g} s"
            print(f"  {found}, {outcomes[-1].wrong} wrong; {outcomes[-1].lost}", flush=True)
    for localizer, drive in case.parts if not case.kidnaps else []:
        for outcome in starts(localizer, drive, options.every, options.length):
            outcomes.append(outcome)
            if options.verbose:
                print(f"  {outcome.start_s - drive.start_s:5.0f} s: {outcome}", flush=True)
    for localizer, _ in case.parts:
        localizer.search.save()  # type: ignore[attr-defined]
    figures = summary(outcomes, case.off_map)
    if again:
        wrong_s = np.mean([outcome.wrong for outcome in outcomes]) / (len(outcomes[0].stamps) / (BEFORE_S + AFTER_S))
        soon, drives = np.array(again) <= EARLY_S, np.array(afterwards) >= DRIVES_M
        figures |= {"again_10_s": float(soon.mean()), "wrong_s": float(wrong_s)}
        figures |= {"driven_again": int(drives.sum()), "driven_again_10_s": float(soon[drives].mean())}
    return figures


COLUMNS = {
    "starts": "starts",
    **{f"lock_{s}_s": f"≤ {s} s" for s in (5, 10, 15)},
    "driving": "driving",
    **{f"driving_lock_{s}_s": f"driving ≤ {s} s" for s in (5, 10)},
    "never": "never",
    "wrong": "wrong",
    "lost": "lost",
    **{f"{n}_m": f"{n} [m]" for n in ("mean", "p95", "max", "along", "across")},
    "heading_deg": "heading [°]",
    **{f"cover_{k}": f"{k}σ" for k in (1, 2, 3)},
    **{f"heading_cover_{k}": f"heading {k}σ" for k in (1, 2, 3)},
    "step_ms": "step [ms]",
    "step_p95_ms": "p95 [ms]",
    "again_10_s": "again ≤ 10 s",
    "driven_again": "drives then",
    "driven_again_10_s": "of these again ≤ 10 s",
    "wrong_s": "wrong for [s]",
}


def markdown(results: dict[str, dict[str, float]]) -> str:
    """One row a scenario."""
    columns = {key: title for key, title in COLUMNS.items() if any(key in row for row in results.values())}
    return row_table(results, columns)


def main() -> None:
    """Run the scenarios that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", help="which (default: all)")
    parser.add_argument("--list", action="store_true", help="say what each is, and end")
    parser.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    parser.add_argument("--out", type=Path, default=MADE / "starts", help="where everything is kept (default: %(default)s)")
    parser.add_argument("--every", type=float, default=5.0, metavar="S", help="seconds between two starts (default: %(default)s)")
    parser.add_argument("--for", dest="length", type=float, default=40.0, metavar="S", help="length of each start (default: %(default)s)")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings, such as fusion.lock_score=0.7")
    parser.add_argument("--verbose", action="store_true", help="a line a start")
    options = parser.parse_args()
    if options.list:
        for name, make in SCENARIOS.items():
            print(f"{name:20s} {make.__doc__}")
        return
    options.out.mkdir(parents=True, exist_ok=True)
    made = Made(data_folder(options.data), options.out, localizer_config(options.set))
    results = {}
    for name in options.scenarios or SCENARIOS:
        print(name, flush=True)
        results[name] = measure(name, made, options)
        print(json.dumps(results[name]), flush=True)
    store(options.out, results, markdown(results))


if __name__ == "__main__":
    main()
