# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Starting a localizer anywhere in a drive, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.drives import Drive
from pipeline.real_scans import everywhere
from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.cloud.scan import BuildingScan
from urban_map_loc.config import LocalizerConfig, TrainConfig
from urban_map_loc.geometry.pose2 import Pose2, wrap_angle
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.localization.result import Answer, Answers, PoseEstimate, State
from urban_map_loc.localization.search import Search
from urban_map_loc.localization.timing import StageTimer
from urban_map_loc.mapnet.checkpoint import Checkpoint
from urban_map_loc.mapnet.hypotheses import Hypotheses

FloatArray = NDArray[np.float64]
WRONG_M = 10.0
EARLY_S, DRIVES_M = 10.0, 20.0  # a car that has come so far in this time drives


class Remembered(Search):
    """A search whose answers are kept in a file: a scan is looked up once, however often a drive is started."""

    def __init__(self, search: Search, path: Path) -> None:
        super().__init__(search.network, search.verifier)
        self._search, self._path = search, path
        self._known: dict[bytes, FloatArray] = {}
        self._fresh = 0
        if path.is_file():
            with np.load(path, allow_pickle=False) as kept:
                parts = np.split(kept["answers"], np.cumsum(kept["count"])[:-1])
                self._known = {bytes(key): part for key, part in zip(kept["key"], parts, strict=True)}

    def answers(self, scan: BuildingScan, tile: NDArray[np.uint8], timer: StageTimer, guesses: Hypotheses | None = None) -> Answers:
        """From memory where it is known and nobody guesses."""
        if guesses is not None and len(guesses):
            return self._search.answers(scan, tile, timer, guesses)
        key = hashlib.blake2b(np.round(scan.points, 3).tobytes(), digest_size=16).digest()
        if key not in self._known:
            rows = [
                (*a.T_map_base.as_array(), *a.covariance.ravel(), a.score, a.by_hits) for a in self._search.answers(scan, tile, timer).poses
            ]
            self._known[key] = np.array(rows).reshape(-1, 14)
            self._fresh += 1
        poses = [Answer(Pose2.from_array(row[:3]), row[3:12].reshape(3, 3), float(row[12]), float(row[13])) for row in self._known[key]]
        first = self.network.hypotheses(tile, 1)
        return Answers(poses, first.poses[0], float(np.exp(first.log_probability[0])))

    def save(self) -> None:
        """Keep what was looked up."""
        if self._fresh:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            keys = np.array([np.frombuffer(key, dtype=np.uint8) for key in self._known])
            np.savez_compressed(
                self._path, key=keys, count=[len(rows) for rows in self._known.values()], answers=np.concatenate(list(self._known.values()))
            )


class EveryCell:
    """A network that knows nothing: every cell alike, so that verification sees every place there is."""

    def __init__(self, area: AreaMap) -> None:
        self._everywhere = everywhere(area)

    def hypotheses(self, tile: NDArray[np.uint8], count: int) -> Hypotheses:
        """Every cell, whatever `count`."""
        return self._everywhere


@dataclass
class Outcome:
    """What came of one start.

    Attributes:
        start_s: stamp of the start [s].
        lock_s: from there to the first lock [s]; infinite where there was none.
        driven_m: distance driven until then, or in all [m].
        early_m: distance driven in the first `EARLY_S` [m]: cars stand at lights, and what stands does not lock.
        errors: `(N, 2)` along and across the car's heading [m] of every estimate offered.
        heading: `(N,)` heading error [rad].
        squared: `(N,)` squared Mahalanobis distance of the position, `heading_sigmas` `(N,)` of the heading.
        lost: reasons of every loss.
    """

    start_s: float
    lock_s: float = np.inf
    driven_m: float = 0.0
    early_m: float = 0.0
    errors: list[tuple[float, float]] = field(default_factory=list)
    heading: list[float] = field(default_factory=list)
    squared: list[float] = field(default_factory=list)
    heading_sigmas: list[float] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)
    step_ms: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lock_reason: str = ""

    @property
    def position(self) -> FloatArray:
        """Position error `(N,)` [m] of every estimate offered."""
        return np.hypot(*np.array(self.errors).reshape(-1, 2).T)

    @property
    def wrong(self) -> int:
        """Estimates that were more than `WRONG_M` off."""
        return int((self.position > WRONG_M).sum())

    def __str__(self) -> str:
        errors = f"mean {self.position.mean():.2f} max {self.position.max():.1f} m, {self.wrong} wrong | " if self.errors else ""
        return f"{self.lock_s:5.1f} s {self.driven_m:4.0f} m | {errors}{self.lock_reason} | {self.lost}"


def run(localizer: Localizer, drive: Drive) -> Outcome:
    """Start afresh at the drive's beginning and go on to its end."""
    localizer.reset("a start of its own")
    out = Outcome(drive.start_s)
    truth = drive.truth.at(np.array([scan.stamp_s for scan in drive.scans]), localizer.area.plane)
    driven = np.concatenate([[0.0], np.cumsum(np.nan_to_num(np.hypot(*np.diff(truth[:, :2], axis=0).T)))])
    early = drive.between(drive.start_s, drive.start_s + EARLY_S)
    out.early_m = float(driven[max(len(early.scans) - 1, 0)])
    k, state = 0, State.INITIALIZING
    for record in drive.records():
        if not isinstance(record, BuildingScan):
            localizer.add_odometry(*record)
            continue
        enough = len(record.points) >= localizer.config.cloud.minimum_hits
        result = localizer.add_scan(record) if enough else localizer.add_blank(record.stamp_s, "no building in sight")
        out.step_ms.append(result.timing_ms.get("fusion", 0.0))
        if result.state is State.LOST and state is not State.LOST:
            out.lost.append(f"{record.stamp_s - drive.start_s:.1f} s: {result.lost_because}")
        state = result.state
        if result.estimate is not None and np.isfinite(truth[k]).all():
            if not np.isfinite(out.lock_s):
                out.lock_s, out.driven_m, out.lock_reason = record.stamp_s - drive.start_s, float(driven[k]), result.reason
            _judge(out, result.estimate, truth[k], record.stamp_s)
        k += 1
    if not np.isfinite(out.lock_s):
        out.driven_m, out.lock_reason = float(driven[-1]), result.reason
    return out


def _judge(out: Outcome, estimate: PoseEstimate, truth: FloatArray, stamp_s: float) -> None:
    error = estimate.T_map_base.as_array() - truth
    turn = float(wrap_angle(error[2]))
    c, s = np.cos(truth[2]), np.sin(truth[2])
    out.errors.append((float(c * error[0] + s * error[1]), float(c * error[1] - s * error[0])))
    out.heading.append(turn)
    out.squared.append(float(error[:2] @ np.linalg.solve(estimate.covariance[:2, :2], error[:2])))
    out.heading_sigmas.append(abs(turn) / float(np.sqrt(estimate.covariance[2, 2])))
    out.stamps.append(stamp_s)


def starts(localizer: Localizer, drive: Drive, every_s: float, length_s: float) -> Iterable[Outcome]:
    """Starts at every so many seconds of the drive, each for `length_s` [s] or to the drive's end."""
    for start in np.arange(drive.start_s, drive.end_s - 10.0, every_s):
        part = drive.between(float(start), float(start) + length_s)
        if len(part.scans) > 1:
            yield run(localizer, part)


def covered(squared: FloatArray) -> dict[int, float]:
    """By 1, 2, 3: the share of squared Mahalanobis distances `(N,)` of positions within as many sigma."""
    return {k: float(np.mean(squared <= -2.0 * np.log1p(-p))) for k, p in ((1, 0.6827), (2, 0.9545), (3, 0.9973))}


def summary(outcomes: list[Outcome], off_map: bool = False) -> dict[str, float]:
    """The figures of many starts; errors over all estimates that were offered. Off the map every lock is wrong."""
    lock = np.array([o.lock_s for o in outcomes])
    errors = np.array([e for o in outcomes for e in o.errors]).reshape(-1, 2)
    position = np.concatenate([o.position for o in outcomes])
    squared, sigmas = (np.array([v for o in outcomes for v in getattr(o, name)]) for name in ("squared", "heading_sigmas"))
    heading = np.degrees(np.abs([v for o in outcomes for v in o.heading]))
    step = np.array([v for o in outcomes for v in o.step_ms])
    out: dict[str, float] = {"starts": len(outcomes)}
    out |= {f"lock_{s}_s": float(np.mean(lock <= s)) for s in (5, 10, 15)}
    drives = np.array([o.early_m >= DRIVES_M for o in outcomes])
    out |= {"driving": int(drives.sum())}
    out |= {f"driving_lock_{s}_s": float(np.mean(lock[drives] <= s)) for s in (5, 10) if drives.any()}
    out |= {
        "never": int(np.isinf(lock).sum()),
        "wrong": sum(bool(o.wrong > 0 or (off_map and np.isfinite(o.lock_s))) for o in outcomes),
        "lost": sum(len(o.lost) for o in outcomes),
    }
    if len(position):
        out |= {"mean_m": float(position.mean()), "p95_m": float(np.percentile(position, 95)), "max_m": float(position.max())}
        out |= {"along_m": float(np.abs(errors[:, 0]).mean()), "across_m": float(np.abs(errors[:, 1]).mean())}
        out |= {"heading_deg": float(np.median(heading))}
        for k, share in covered(squared).items():
            out[f"cover_{k}"] = share
            out[f"heading_cover_{k}"] = float(np.mean(sigmas <= k))
    out |= {"step_ms": float(step.mean()), "step_p95_ms": float(np.percentile(step, 95))}
    return out


def with_network(area: AreaMap, model: Checkpoint, config: LocalizerConfig, kept: Path) -> Localizer:
    """A localizer with a trained network, also on a map from which buildings have been taken since."""
    localizer = Localizer.of_area(area, replace(model, area_hash=area.content_hash, datum=area.datum), config)
    localizer.search = Remembered(localizer.search, kept)
    return localizer


def with_every_cell(area: AreaMap, config: LocalizerConfig, kept: Path) -> Localizer:
    """A localizer that looks at every place of the map at every search: no network can make it luckier."""
    model = Checkpoint(None, TrainConfig(), area.datum, area.content_hash, {})  # type: ignore[arg-type]
    localizer = Localizer.of_area(area, model, config, network=EveryCell(area))
    localizer.search = Remembered(localizer.search, kept)
    return localizer
