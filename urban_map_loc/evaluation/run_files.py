# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The RUN folder: what the localizer answered, cloud by cloud, and with what it was run."""

from __future__ import annotations

import csv
import json
import platform
import resource
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from urban_map_loc import __version__
from urban_map_loc.area.area_map import MappedArea
from urban_map_loc.config import TileConfig
from urban_map_loc.errors import BagError
from urban_map_loc.evaluation.frames import FRAMES_FILE, Frames, FrameWriter, read_frames
from urban_map_loc.geometry.pose2 import quaternion_of_yaw
from urban_map_loc.localization.result import LocalizationResult, PoseEstimate, State
from urban_map_loc.output import final_folder
from urban_map_loc.reading import object_of, require_size
from urban_map_loc.settings import Section, to_dict

FloatArray = NDArray[np.float64]

RUN_FILE, ESTIMATES_FILE, SINGLE_SCAN_FILE, TUM_FILE = "run.json", "estimates.csv", "single_scan.csv", "estimates.tum"
FORMAT_VERSION = 1
NUMBERS = ("lat_deg", "lon_deg", "east_m", "north_m", "yaw_enu_rad", "cov_ee_m2", "cov_en_m2", "cov_nn_m2", "cov_yaw_rad2")
COLUMNS = ("stamp_s", "state", *NUMBERS, "latency_ms")
LARGEST_NUMBER = 1e15
# What is said of a stage's durations [ms].
LATENCIES = ("mean", "p50", "p95", "max")
PACKAGES = ("numpy", "numba", "scipy", "shapely", "torch")


class RunWriter:
    """Writes a RUN folder; it appears under its name when the `with` block ends well, an older run there is replaced.

    Args:
        path: the RUN folder.
        area: the area or atlas localized in.
        config: what the localizer was configured with.
        files: the inputs by role, such as `{"area": ..., "model": ..., "bag": ...}`; `evaluate` reads area and bag from there.
        single_scan: whether answers to single clouds were asked for; without them there is no single_scan.csv.
        tile_m: side of a pixel of the results' tiles [m]; the usual tile's unless given.

    Raises:
        OutputError: `path` cannot be written, or is a folder that is no RUN.
    """

    def __init__(
        self,
        path: Path,
        area: MappedArea,
        config: Section,
        *,
        files: Mapping[str, Path],
        single_scan: bool = True,
        tile_m: float | None = None,
    ) -> None:
        self._path, self._area, self._single, self._tile_m = path, area, single_scan, tile_m or TileConfig().resolution_m
        self._info: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "files": {role: str(file.resolve()) for role, file in files.items()},
            "area_hash": area.content_hash,
            "versions": _versions(),
            "configuration": to_dict(config),
        }
        self._latency: dict[str, list[float]] = {}
        self._skipped: Counter[str] = Counter()
        self._gnss: Counter[str] = Counter()
        self._events: list[dict[str, Any]] = []
        self._clouds = 0
        self._stack = ExitStack()

    def __enter__(self) -> RunWriter:
        self._folder = self._stack.enter_context(final_folder(self._path, RUN_FILE))
        self._estimates = self._table(ESTIMATES_FILE)
        self._single_scans = self._table(SINGLE_SCAN_FILE) if self._single else None
        self._tum = self._open(TUM_FILE)
        self._frames = self._stack.enter_context(FrameWriter(self._folder / FRAMES_FILE, self._tile_m))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            (self._folder / RUN_FILE).write_text(json.dumps(self._summary(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        self._stack.__exit__(kind, error, trace)

    def add(self, result: LocalizationResult, latency_ms: float) -> None:
        """Append the answer to one cloud and the time [ms] from having the cloud to having the answer."""
        self._clouds += 1
        offered = result.estimate if result.state is State.LOCKED else None
        self._row(self._estimates, result.stamp_s, result.state, offered, latency_ms)
        if self._single_scans is not None:
            alone = State.INITIALIZING if result.single_scan is None else State.LOCKED
            self._row(self._single_scans, result.stamp_s, alone, result.single_scan, latency_ms)
        if offered is not None:
            self._tum.write(tum_line(result.stamp_s, offered.T_map_base.as_array()))
        self._frames.add(result)
        self._gnss[result.gnss.state.value] += 1
        if result.skipped:
            self._skipped[result.reason] += 1
        if not self._events or self._events[-1]["state"] != result.state.value:
            self._events.append({"stamp_s": result.stamp_s, "state": result.state.value, "reason": result.reason})
        for stage, duration in (*result.timing_ms.items(), ("total", latency_ms)):
            self._latency.setdefault(stage, []).append(duration)

    def note(self, **values: Any) -> None:
        """Add entries to run.json, such as `seed=3`."""
        self._info.update(values)

    def _open(self, name: str) -> TextIOWrapper:
        return self._stack.enter_context((self._folder / name).open("w", newline="", encoding="utf-8"))

    def _table(self, name: str) -> Any:
        table = csv.writer(self._open(name), lineterminator="\n")
        table.writerow(COLUMNS)
        return table

    def _row(self, table: Any, stamp_s: float, state: State, estimate: PoseEstimate | None, latency_ms: float) -> None:
        numbers = [""] * len(NUMBERS)
        if estimate is not None:
            pose, cov = estimate.T_map_base, estimate.covariance
            lat, lon = self._area.plane.to_geodetic(np.array([pose.x, pose.y]))
            metres = [f"{v:.4f}" for v in (pose.x, pose.y)]
            numbers = [f"{lat:.9f}", f"{lon:.9f}", *metres, f"{pose.yaw:.6f}"]
            numbers += [f"{v:.6g}" for v in (cov[0, 0], cov[0, 1], cov[1, 1], cov[2, 2])]
        table.writerow([f"{stamp_s:.6f}", state.value, *numbers, f"{latency_ms:.3f}"])

    def _summary(self) -> dict[str, Any]:
        return {
            "clouds": self._clouds,
            "skipped": dict(self._skipped.most_common()),
            "gnss": dict(self._gnss.most_common()),
            "events": self._events,
            "latency_ms": {stage: latency_summary(np.array(values)) for stage, values in self._latency.items()},
            "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, 1),  # Linux counts KiB
            **self._info,
        }


def tum_line(stamp_s: float, pose: FloatArray) -> str:
    """A row of a TUM file from a pose `(3,)`: time, position with height 0, quaternion x y z w."""
    x, y, yaw = pose
    quaternion = " ".join(f"{q:.9f}" for q in quaternion_of_yaw(float(yaw)))
    return f"{stamp_s:.6f} {x:.4f} {y:.4f} 0 {quaternion}\n"


def latency_summary(durations_ms: FloatArray) -> dict[str, float]:
    """mean, p50, p95 and max [ms] of durations `(N,)`, N > 0, and their count."""
    p50, p95 = np.percentile(durations_ms, [50.0, 95.0])
    numbers = {"mean": durations_ms.mean(), "p50": p50, "p95": p95, "max": durations_ms.max()}
    return {name: round(float(numbers[name]), 3) for name in LATENCIES} | {"count": len(durations_ms)}


def _versions() -> dict[str, str]:
    versions = {"urban_map_loc": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True, eq=False)
class Estimates:
    """One of the tables as arrays; NaN where no estimate is offered.

    Attributes:
        stamp_s: `(N,)` [s].
        state: `(N,)` text, see `State`.
        poses: `(N, 3)` east, north [m], yaw [rad] in the `map` frame.
        covariance: `(N, 4)` east-east, east-north, north-north [m2], yaw [rad2].
        latency_ms: `(N,)` [ms].
    """

    stamp_s: FloatArray
    state: NDArray[np.str_]
    poses: FloatArray
    covariance: FloatArray
    latency_ms: FloatArray

    @property
    def offered(self) -> NDArray[np.bool_]:
        """`(N,)` True where there is an estimate."""
        return np.asarray(np.isfinite(self.poses).all(axis=1))


@dataclass(frozen=True, eq=False)
class Run:
    """A RUN folder in memory; `info` is run.json, `frames` None in a folder of an older version."""

    path: Path
    info: dict[str, Any]
    estimates: Estimates
    single_scan: Estimates | None
    frames: Frames | None = None

    @property
    def title(self) -> str:
        """One line for people: the drive and the area, where they are known."""
        files = self.info.get("files", {})
        return (
            f"{Path(files['bag']).name} in {Path(files['area']).name}" if "bag" in files and "area" in files else self.path.resolve().name
        )


def read_run(path: Path) -> Run:
    """Read a RUN folder.

    Raises:
        BagError: the folder is missing, is no RUN, or a file in it is damaged.
    """
    again = "run `urban_map_loc localize` again"
    for name, bound in ((RUN_FILE, "largest_note_mb"), (ESTIMATES_FILE, "largest_table_mb"), (SINGLE_SCAN_FILE, "largest_table_mb")):
        require_size(path / name, bound, BagError)
    try:
        info = _info_of((path / RUN_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BagError(
            f"{path} has no {RUN_FILE}, so it is no RUN folder; give the folder that `urban_map_loc localize --out` made"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BagError(f"{path / RUN_FILE} is damaged ({error}); {again}") from error
    try:
        single = _read_table(path / SINGLE_SCAN_FILE) if (path / SINGLE_SCAN_FILE).is_file() else None
        frames = read_frames(path / FRAMES_FILE) if (path / FRAMES_FILE).is_file() else None
        run = Run(path, info, _read_table(path / ESTIMATES_FILE), single, frames)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BagError(f"{path}: a table is missing or damaged ({error}); {again}") from error
    clouds = len(run.estimates.stamp_s)
    if not clouds:
        raise BagError(f"{path / ESTIMATES_FILE} holds no cloud; {again} on a bag with clouds")
    rows = {SINGLE_SCAN_FILE: len(single.stamp_s) if single else clouds, FRAMES_FILE: len(frames.frames) if frames else clouds}
    for name, count in rows.items():
        if count != clouds:
            raise BagError(f"{path / name} is of {count} clouds, {ESTIMATES_FILE} of {clouds}: one is cut off; {again}")
    return run


def _info_of(text: str) -> dict[str, Any]:
    """What run.json says; of the kinds that reports and recordings rely on.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, OverflowError: it is not.
    """
    info = object_of(text)
    for name in ("files", "versions", "configuration", "latency_ms", "skipped"):
        if not isinstance(info.get(name, {}), dict):
            raise ValueError(f"{name} is no object")
    if not all(isinstance(file, str) for file in info.get("files", {}).values()):
        raise ValueError("a file has no name")
    for event in info.get("events", []):
        if not (isfinite(event["stamp_s"]) and isinstance(event["state"], str) and isinstance(event["reason"], str)):
            raise ValueError(f"{event} is no event")
    for row in info.get("latency_ms", {}).values():
        if not all(isfinite(row[name]) for name in LATENCIES):
            raise ValueError(f"{row} is no latency")
    return info


def _read_table(path: Path) -> Estimates:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = ("stamp_s", *NUMBERS, "latency_ms")
    table = np.array([[float(row[name] or "nan") for name in columns] for row in rows]).reshape(-1, len(columns))
    stamps, numbers, latencies = table[:, 0], table[:, 1:-1], table[:, -1]
    if (numbers[:, [5, 7, 8]] < 0.0).any() or (np.abs(table) > LARGEST_NUMBER).any() or np.isnan(stamps).any():
        raise ValueError(f"{path.name} has a variance below 0, a number beyond all sizes or a row without stamp")
    return Estimates(
        stamps,
        np.array([State(row["state"]).value for row in rows], dtype=np.str_),
        numbers[:, 2:5],
        numbers[:, 5:9],
        latencies,
    )
