# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The GNSS monitor on RobotCar's receiver, as recorded and with multipath, spoofing and outages (make starts.py's Oxford drives first)."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pipeline import data_folder, store
from pipeline.drives import Drive
from pipeline.scenarios import MADE, Made

from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.config import LocalizerConfig
from urban_map_loc.geometry.geodesy import LocalTangentPlane
from urban_map_loc.localization.gnss_monitor import GnssFix, GnssState
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.simulation.gnss import recorded_fixes

FloatArray = NDArray[np.float64]
RECEIVER = "robotcar/2014-12-02-15-30-08/gps.csv"
STRETCH = 2
DELAY_S = 0.15  # a fix comes so much later than it was measured

Change = Callable[[FloatArray, FloatArray, np.random.Generator], tuple[FloatArray, NDArray[np.bool_]]]


@dataclass(frozen=True)
class Receiver:
    """Stamps `(N,)` [s], positions `(N, 2)` [m], stated sigma `(N, 2)` [m]."""

    stamp_s: FloatArray
    position: FloatArray
    sigma: FloatArray


def recorded(path: Path, plane: LocalTangentPlane) -> Receiver:
    """RobotCar's gps.csv."""
    fixes = recorded_fixes(path)
    sigma = np.sqrt(np.diagonal(fixes.covariance_m2, axis1=1, axis2=2))
    return Receiver(fixes.stamp_s, plane.to_enu(*fixes.lat_lon_deg.T), sigma)


def as_recorded(seconds: FloatArray, position: FloatArray, random: np.random.Generator) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Nothing changed."""
    return position, np.zeros(len(seconds), dtype=bool)


def multipath(seconds: FloatArray, position: FloatArray, random: np.random.Generator) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Jumps of 15 to 60 m for 3 to 20 s, one about every 40 s."""
    off = np.zeros(len(seconds), dtype=bool)
    moved, at = position.copy(), 30.0
    while at < seconds[-1]:
        length, angle, metres = random.uniform(3.0, 20.0), random.uniform(0.0, 2.0 * np.pi), random.uniform(15.0, 60.0)
        during = (seconds >= at) & (seconds < at + length)
        moved[during] += metres * np.array([np.cos(angle), np.sin(angle)])
        off |= during
        at += random.uniform(25.0, 55.0) + length
    return moved, off


def spoofed(speed: float) -> Change:
    """A drift at a constant speed from 60 s on."""

    def change(seconds: FloatArray, position: FloatArray, random: np.random.Generator) -> tuple[FloatArray, NDArray[np.bool_]]:
        angle = random.uniform(0.0, 2.0 * np.pi)
        metres = np.maximum(0.0, seconds - 60.0) * speed
        return position + metres[:, None] * np.array([np.cos(angle), np.sin(angle)]), metres > 10.0

    return change


CASES: dict[str, tuple[Change, float]] = {
    "as recorded": (as_recorded, 0.0),
    "multipath": (multipath, 0.0),
    "spoofed, 0.2 m/s": (spoofed(0.2), 0.0),
    "spoofed, 0.5 m/s": (spoofed(0.5), 0.0),
    "spoofed, 2 m/s": (spoofed(2.0), 0.0),
    "outages of 30 s": (as_recorded, 30.0),
}


def blinded(drive: Drive, from_s: float, length_s: float) -> Drive:
    """The drive with no building seen for some time."""
    inside = lambda stamp: from_s <= stamp - drive.start_s < from_s + length_s  # noqa: E731
    return replace(drive, scans=[BuildingScan(s.stamp_s, np.zeros((0, 2))) if inside(s.stamp_s) else s for s in drive.scans])


def followed(localizer: Localizer, drive: Drive, fixes: list[GnssFix]) -> tuple[FloatArray, list[GnssState]]:
    """Estimates `(scans, 3)`, NaN where none, and the state after each fix that was judged."""
    localizer.reset("a run of its own")
    estimates, states = [], []
    waiting = list(fixes)
    for record in drive.records():
        if isinstance(record, BuildingScan):
            result = localizer.add_scan(record) if len(record.points) else localizer.add_blank(record.stamp_s, "no building in sight")
            estimates.append(result.estimate.T_map_base.as_array() if result.estimate else np.full(3, np.nan))
            continue
        while waiting and waiting[0].stamp_s + DELAY_S <= record[0]:
            localizer.add_gnss(waiting.pop(0))
            localizer.add_odometry(*record)
            states.append(localizer.aids.gnss.verdict.state)
        localizer.add_odometry(*record)
    return np.array(estimates), states


def figures(name: str, localizer: Localizer, drive: Drive, receiver: Receiver, alone: FloatArray) -> dict[str, float | str]:
    """One row."""
    change, outage_s = CASES[name]
    inside = (receiver.stamp_s > drive.start_s) & (receiver.stamp_s < drive.end_s - 1.0)
    seconds = receiver.stamp_s[inside] - drive.start_s
    position, off = change(seconds, receiver.position[inside], np.random.default_rng(1))
    heard = np.ones(len(seconds), dtype=bool) if not outage_s else seconds % (3.0 * outage_s) > outage_s
    sigma = receiver.sigma[inside]
    fixes = [GnssFix(drive.start_s + seconds[k], position[k], np.diag(sigma[k] ** 2)) for k in np.flatnonzero(heard)]
    estimates, states = followed(localizer, drive, fixes)
    off = off[heard][: len(states)]
    used = np.array([state is GnssState.CONSISTENT for state in states], dtype=bool)
    apart = np.hypot(*(estimates - alone)[:, :2].T)
    truth = drive.truth.at(np.array([scan.stamp_s for scan in drive.scans]), localizer.area.plane)
    error = np.hypot(*(estimates - truth)[:, :2].T)
    counts = Counter(state.value for state, wrong in zip(states, off, strict=True) if not wrong)
    return {
        "receiver": name,
        "fixes": len(states),
        **{state.value: f"{100.0 * counts[state.value] / max(1, int((~off).sum())):.1f} %" for state in GnssState},
        "wrong fixes": int(off.sum()),
        "of these used": int((used & off).sum()),
        "moved by it, max [m]": round(float(np.nanmax(apart)), 2),
        "error, mean [m]": round(float(np.nanmean(error)), 2),
    }


def main() -> None:
    """Each case on one stretch of the route, then a stretch without buildings with and without the receiver."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="data folder (default: $URBAN_MAP_LOC_DATA, else ../shared/data)")
    parser.add_argument("--out", type=Path, default=MADE / "gnss", help="where everything is kept (default: %(default)s)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    made = Made(data_folder(options.data), MADE / "starts", LocalizerConfig())
    drive = made.oxford(STRETCH).distorted(1.02, np.radians(0.005))
    localizer = made.trained("oxford")
    receiver = recorded(made.data / RECEIVER, localizer.area.plane)
    alone, _ = followed(localizer, drive, [])
    rows = [figures(name, localizer, drive, receiver, alone) for name in CASES]
    for seconds in (30.0, 60.0, 90.0):
        blind = blinded(drive, 60.0, seconds)
        for name in ("none", "as recorded"):
            fixes = receiver if name != "none" else replace(receiver, stamp_s=receiver.stamp_s - 1e9)
            row = figures("as recorded", localizer, blind, fixes, alone)
            rows.append({**row, "receiver": f"{name}, {seconds:g} s without buildings"})
    localizer.search.save()  # type: ignore[attr-defined]
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    lines += ["| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows]
    store(options.out, json.loads(json.dumps(rows)), "\n".join(lines))


if __name__ == "__main__":
    main()
