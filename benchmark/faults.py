# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Odometry and clouds that go wrong for a while, and what the localizer then claims (make starts.py's drives first).

Each fault begins 20 s after a start and lasts 20 s; another 30 s show how soon all is well again. "Confidently wrong" is a pose
offered more than 3 m off and outside its own 99.7 % region.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pipeline import data_folder, localizer_config, row_table, store
from pipeline.drives import Drive
from pipeline.scenarios import MADE, SCENARIOS, Made
from pipeline.starts import WRONG_M, Outcome, covered, run

from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.localizer import Localizer

FloatArray = NDArray[np.float64]
BEFORE_S, DURING_S, AFTER_S = 20.0, 20.0, 30.0
OFF_M, OUTSIDE = 3.0, -2.0 * np.log1p(-0.9973)  # chi-square of two degrees of freedom
SCENARIO_NAMES = ("kitti", "oxford", "towns")
STEP_S = {"kitti": 20.0, "oxford": 60.0, "towns": 60.0}  # between two beginnings of a fault
MOVES_M = 30.0  # where the car stands meanwhile, most faults are none

# A fault takes the steps of odometry `(M, 3)` (forward, left [m], turn [rad]), which of them are within the time, and a generator.
Steps = Callable[[FloatArray, NDArray[np.bool_], np.random.Generator], FloatArray]
Scans = Callable[[list[BuildingScan], NDArray[np.bool_], np.random.Generator], list[BuildingScan]]


def scaled(factor: float, turn: float = 1.0) -> Steps:
    """Distances wrong by a factor, turns by another."""

    def change(steps: FloatArray, during: NDArray[np.bool_], random: np.random.Generator) -> FloatArray:
        return np.where(during[:, None], steps * [factor, factor, turn], steps)

    return change


def turning(rad_m: float) -> Steps:
    """A turn that is not there, per metre [rad/m]."""

    def change(steps: FloatArray, during: NDArray[np.bool_], random: np.random.Generator) -> FloatArray:
        return np.column_stack([steps[:, :2], steps[:, 2] + during * rad_m * np.hypot(*steps[:, :2].T)])

    return change


def jumping(metres: float) -> Steps:
    """A jump forward every 10 s, within one step."""

    def change(steps: FloatArray, during: NDArray[np.bool_], random: np.random.Generator) -> FloatArray:
        out = steps.copy()
        first = int(np.argmax(during))
        for at in range(first, first + int(during.sum()), max(1, int(during.sum() // 2))):
            out[at, 0] += metres
        return out

    return change


def sliding(m_s: float) -> Steps:
    """A wheel that spins: so much further each second, whether the car moves or not (steps of 0.05 s or 0.1 s)."""

    def change(steps: FloatArray, during: NDArray[np.bool_], random: np.random.Generator) -> FloatArray:
        return steps + np.outer(during * m_s * DURING_S / max(1, during.sum()), [1.0, 0.0, 0.0])

    return change


def lost(share: float) -> Scans:
    """A share of the clouds never comes."""

    def change(scans: list[BuildingScan], during: NDArray[np.bool_], random: np.random.Generator) -> list[BuildingScan]:
        gone = during & (random.random(len(scans)) < share)
        return [scan for scan, g in zip(scans, gone, strict=True) if not g]

    return change


def late(seconds: float) -> Scans:
    """Clouds stamped so much too late: of what was seen before."""

    def change(scans: list[BuildingScan], during: NDArray[np.bool_], random: np.random.Generator) -> list[BuildingScan]:
        stamps = np.array([scan.stamp_s for scan in scans])
        seen = np.clip(np.searchsorted(stamps, stamps - seconds), 0, None)
        return [replace(scan, points=scans[s].points) if d else scan for scan, d, s in zip(scans, during, seen, strict=True)]

    return change


def empty(scans: list[BuildingScan], during: NDArray[np.bool_], random: np.random.Generator) -> list[BuildingScan]:
    """Clouds in which no building is."""
    return [replace(scan, points=np.zeros((0, 2))) if d else scan for scan, d in zip(scans, during, strict=True)]


ODOMETRY: dict[str, Steps] = {
    "none": scaled(1.0),
    "10 % long": scaled(1.1),
    "10 % short": scaled(0.9),
    "50 % long": scaled(1.5),
    "50 % short": scaled(0.5),
    "frozen": scaled(0.0, 0.0),
    "distance frozen, turns right": scaled(0.0),
    "turns frozen": scaled(1.0, 0.0),
    "reversed": scaled(-1.0),
    "turns reversed": scaled(1.0, -1.0),
    "turning 2°/m": turning(float(np.radians(2.0))),
    "jumping 20 m": jumping(20.0),
    "jumping 4 m": jumping(4.0),
    "spinning wheel, 3 m/s": sliding(3.0),
}
CLOUDS: dict[str, Scans] = {
    "50 % lost": lost(0.5),
    "90 % lost": lost(0.9),
    "all lost": lost(1.0),
    "no building in sight": empty,
    "stamped 0.5 s late": late(0.5),
}


CARRIED = "carried away"


def with_fault(drive: Drive, name: str, start_s: float, seed: int) -> Drive:
    """The drive with a fault of `DURING_S` from a stamp [s] on."""
    random = np.random.default_rng(seed)
    if name in CLOUDS:
        stamps = np.array([scan.stamp_s for scan in drive.scans])
        return replace(drive, scans=CLOUDS[name](drive.scans, (stamps >= start_s) & (stamps < start_s + DURING_S), random))
    poses = [Pose2.from_array(row) for row in drive.odometry]
    steps = np.array([(before.inverse() @ after).as_array() for before, after in pairwise(poses)])
    ends = drive.odometry_s[1:]
    wrong = ODOMETRY[name](steps, (ends >= start_s) & (ends < start_s + DURING_S), random)
    moved = [poses[0]]
    for step in wrong:
        moved.append(moved[-1] @ Pose2.from_array(step))
    return replace(drive, odometry=np.array([pose.as_array() for pose in moved]))


@dataclass(frozen=True)
class Seen:
    """One drive with a fault: all times in seconds, `again_s` from the fault's end to a right pose.

    `stated_m (N,)` is the sigma that poses more than `OFF_M` off were offered with, in the direction in which they were off.
    """

    wrong_s: float
    confident_s: float
    longest_s: float
    offered_during: float
    again_s: float
    lost: list[str]
    outcome: Outcome
    stated_m: FloatArray


def longest(stamps: FloatArray, bad: NDArray[np.bool_], period_s: float) -> float:
    """The longest stretch of bad ones [s]."""
    best = here = 0.0
    for k in range(len(stamps)):
        joined = k > 0 and stamps[k] - stamps[k - 1] < 3.0 * period_s
        here = (here + stamps[k] - stamps[k - 1] if joined else period_s) if bad[k] else 0.0
        best = max(best, here)
    return best


def judge(outcome: Outcome, drive: Drive, fault_s: float) -> Seen:
    """What was claimed, and when."""
    stamps, off = np.array(outcome.stamps), outcome.position
    period_s = (drive.end_s - drive.start_s) / max(1, len(drive.scans) - 1)
    since = stamps >= fault_s
    confident = since & (off > OFF_M) & (np.array(outcome.squared) > OUTSIDE)
    end_s = fault_s + DURING_S
    right = stamps[(stamps >= end_s) & (off < OFF_M)]
    scans = np.array([scan.stamp_s for scan in drive.scans])
    during = (stamps >= fault_s) & (stamps < end_s)
    asked = max(1, int(((scans >= fault_s) & (scans < end_s)).sum()))
    return Seen(
        float((since & (off > WRONG_M)).sum() * period_s), float(confident.sum() * period_s), longest(stamps, confident, period_s),
        float(during.sum() / asked), float(right[0] - end_s) if len(right) else np.inf, outcome.lost, outcome,
        (off / np.sqrt(outcome.squared))[since & (off > OFF_M)],
    )  # fmt: skip


def carried(drive: Drive, start_s: float, seed: int) -> Drive:
    """The car is carried from where it is at a stamp [s] to another place of its drive, and goes on there."""
    random = np.random.default_rng(seed)
    length_s = DURING_S + AFTER_S
    elsewhere = float(random.uniform(drive.start_s, drive.end_s - length_s))
    return drive.between(start_s - BEFORE_S, start_s).then(drive.between(elsewhere, elsewhere + length_s))


def places(drive: Drive, localizer: Localizer, step_s: float) -> list[float]:
    """Stamps [s] at which a fault may begin: the car moves meanwhile."""
    out = []
    for start in np.arange(drive.start_s + BEFORE_S, drive.end_s - DURING_S - AFTER_S, step_s):
        truth = drive.truth.at(np.arange(start, start + DURING_S, 0.5), localizer.area.plane)
        if np.hypot(*np.diff(truth[:, :2], axis=0).T).sum() >= MOVES_M:
            out.append(float(start))
    return out


def figures(seen: list[Seen]) -> dict[str, float]:
    """Over all drives with one fault."""
    again = np.array([one.again_s for one in seen])
    squared = np.concatenate([one.outcome.squared for one in seen])
    error = np.concatenate([one.outcome.position for one in seen])
    out: dict[str, float] = {"drives": len(seen), "locked before": int(sum(one.outcome.lock_s < BEFORE_S for one in seen))}
    out |= {"lost": int(sum(bool(one.lost) for one in seen)), "offered": float(np.mean([one.offered_during for one in seen]))}
    out |= {"wrong_s": float(np.mean([one.wrong_s for one in seen])), "wrong_max_s": float(max(one.wrong_s for one in seen))}
    out |= {"confident_s": float(np.mean([one.confident_s for one in seen])), "longest_s": float(max(one.longest_s for one in seen))}
    out |= {"again_median_s": float(np.median(again)), "again_10_s": float(np.mean(again <= 10.0)), "never": int(np.isinf(again).sum())}
    out |= {"mean_m": float(error.mean()), "p95_m": float(np.percentile(error, 95))}
    stated = np.concatenate([one.stated_m for one in seen])
    out |= {"stated_m": float(np.median(stated))} if len(stated) else {}
    return out | {f"cover_{k}": share for k, share in covered(squared).items()}


def markdown(results: dict[str, dict[str, float]]) -> str:
    """One row a fault."""
    return row_table(results, {name: name for name in max(results.values(), key=len)})


def main() -> None:
    """Run the faults that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", help=f"which (default: all): {', '.join((*ODOMETRY, *CLOUDS, CARRIED))}".replace("%", "%%"))
    parser.add_argument("--on", nargs="+", default=SCENARIO_NAMES, choices=list(SCENARIOS), help="drives (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    parser.add_argument("--starts", type=Path, default=MADE / "starts", help="what starts.py kept (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=MADE / "faults", help="where the figures go (default: %(default)s)")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings, such as fusion.lost_score=0.3")
    parser.add_argument("--verbose", action="store_true", help="a line a drive")
    options = parser.parse_args()
    made = Made(data_folder(options.data), options.starts, localizer_config(options.set))
    parts = [(name, *part) for name in options.on for part in SCENARIOS[name](made).parts]
    results: dict[str, dict[str, float]] = {}
    for fault in options.faults or (*ODOMETRY, *CLOUDS, CARRIED):
        seen = []
        for name, localizer, whole in parts:
            for k, start in enumerate(places(whole, localizer, STEP_S.get(name, 60.0))):
                part = whole.between(start - BEFORE_S, start + DURING_S + AFTER_S)
                drive = carried(whole, start, seed=k) if fault == CARRIED else with_fault(part, fault, start, seed=k)
                seen.append(judge(run(localizer, drive), drive, start))
                if options.verbose:
                    one, at_s = seen[-1], start - whole.start_s
                    said = f"wrong {one.wrong_s:.1f} s, confident {one.confident_s:.1f} s (longest {one.longest_s:.1f})"
                    print(f"  {name} {at_s:.0f} s: {said}, again {one.again_s:.1f} s; {one.lost}", flush=True)
        results[fault] = figures(seen)
        print(fault, json.dumps(results[fault]), flush=True)
    store(options.out, results, markdown(results))


if __name__ == "__main__":
    main()
