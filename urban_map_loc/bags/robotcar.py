# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Oxford RobotCar to a bag: clouds of one sensor, odometry, GNSS fixes and truth, all of base_link (see robotcar_run.py)."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.bags.conversion import Converted, Progress, convert_in_parts
from urban_map_loc.bags.push_broom import PushBroom
from urban_map_loc.bags.robotcar_run import RobotCarRun
from urban_map_loc.bags.robotcar_scans import Scan, read_scan
from urban_map_loc.bags.robotcar_stereo import RobotCarPairs
from urban_map_loc.bags.robotcar_tables import ODOMETRIES, Fixes, Odometry, read_fixes, read_odometry, read_truth
from urban_map_loc.bags.writer import BagWriter
from urban_map_loc.config import ConversionConfig
from urban_map_loc.errors import BagError, CloudError
from urban_map_loc.geometry.pose2 import Pose2

log = logging.getLogger(__name__)

# What each name of `--sensor` needs; `auto` takes the first that is there.
SENSORS: dict[str, tuple[str, ...]] = {
    "velodyne_left": ("velodyne_left",),
    "velodyne_right": ("velodyne_right",),
    "lms": ("lms_front", "lms_rear"),
    "lms_front": ("lms_front",),
    "lms_rear": ("lms_rear",),
    "stereo": ("stereo/left", "stereo/right"),
    "ldmrs": ("ldmrs",),
}
MESSAGES_OF_DAMAGE = 3

# A message with its stamp [us]: what is written when its turn comes.
Write = Callable[[BagWriter], None]
Timed = tuple[int, int, Write]


@dataclass(frozen=True)
class Selection:
    """What of a run is converted.

    Attributes:
        sensor: a key of `SENSORS`, or auto.
        odometry: vo, radar or auto.
        start_s: begin so long after the sensor's first scan [s].
        end_s: end so long after it [s]; None: at its last.
        rate_hz: clouds a second at most; None: the configuration's.
    """

    sensor: str = "auto"
    odometry: str = "auto"
    start_s: float = 0.0
    end_s: float | None = None
    rate_hz: float | None = None


def convert_robotcar(
    source: Path,
    out: Path,
    selection: Selection | None = None,
    *,
    sdk: Path | None = None,
    config: ConversionConfig | None = None,
    progress: Progress | None = None,
) -> Converted:
    """Write a bag of a run.

    Args:
        source: the run's folder, or the folder of its tar files, or one tar file.
        out: bag to write.
        selection: sensor, time and rate.
        sdk: the SDK's folder with `extrinsics` and `models`; in or beside `source` unless given.
        config: parts and strips.
        progress: called with the time that is done and all the time [s].

    Raises:
        BagError: what is needed is missing or damaged.
        OutputError: `out` cannot be written.
        KeyboardInterrupt: with a word on how to go on.
    """
    config, selection = config or ConversionConfig(), selection or Selection()
    run = RobotCarRun(source, sdk)
    sensor = _sensor(run, selection.sensor)
    odometry = read_odometry(run, selection.odometry)
    fixes, truth = read_fixes(run), read_truth(run)
    begin_us, end_us = _span(run, sensor, selection)
    conversion = _Conversion(run, sensor, odometry, fixes, config, selection, (begin_us, end_us))
    plan = {"source": str(source.resolve()), "sdk": str(sdk), "selection": asdict(selection), "config": asdict(config), "sensor": sensor}
    clouds = convert_in_parts(out, plan, begin_us, end_us, config.part_s, conversion.write, None if truth is None else truth[1], progress)
    if not clouds:
        log.warning("no cloud of %s could be made", sensor)
    used = [f"clouds of {sensor}"] + (["odometry"] if odometry else []) + (["GNSS fixes"] if fixes else [])
    used += [f"truth of {truth[0]}"] if truth else []
    return Converted(clouds, used, _missing(odometry, fixes, truth is not None))


def _sensor(run: RobotCarRun, wanted: str) -> str:
    """The sensor to convert."""
    there = [name for name, needs in SENSORS.items() if all(n in run.stamps_us for n in needs)]
    if wanted != "auto" and wanted not in there:
        raise BagError(
            f"{run.source} has no {' and '.join(SENSORS[wanted])}, only {', '.join(run.stamps_us) or 'no sensor'}; download it too"
        )
    if not there:
        known = ", ".join(dict.fromkeys(n for needs in SENSORS.values() for n in needs))
        found = f"only {', '.join(run.stamps_us)}" if run.stamps_us else "no sensor at all"
        raise BagError(f"{run.source} holds {found}; clouds need one of {known}, in folders of these names or tar files of them")
    return there[0] if wanted == "auto" else wanted


def _span(run: RobotCarRun, sensor: str, selection: Selection) -> tuple[int, int]:
    """First stamp, and the stamp after the last [us]."""
    stamps = np.concatenate([run.stamps_us[name] for name in SENSORS[sensor]])
    first, last = int(stamps.min()), int(stamps.max())
    begin = first + round(selection.start_s * 1e6)
    end = last + 1 if selection.end_s is None else min(last + 1, first + round(selection.end_s * 1e6))
    if not begin < end:
        raise BagError(
            f"{sensor} of {run.source} lasts {(last - first) * 1e-6:.1f} s, nothing of it is between start and end; choose others"
        )
    return begin, end


def _missing(odometry: Odometry | None, fixes: Fixes | None, truth: bool) -> list[str]:
    files = " or ".join(file for file, _ in ODOMETRIES.values())
    return [
        sentence
        for there, sentence in (
            (odometry, f"no odometry ({files}): `localize` needs it"),
            (fixes, "no gps/gps.csv: no GNSS fixes"),
            (truth, "no rtk.csv and no gps/ins.csv: no truth"),
        )
        if not there
    ]


class _Conversion:
    """Writes what lies in a span of time."""

    def __init__(
        self,
        run: RobotCarRun,
        sensor: str,
        odometry: Odometry | None,
        fixes: Fixes | None,
        config: ConversionConfig,
        selection: Selection,
        span_us: tuple[int, int],
    ) -> None:
        self.run, self.sensor, self.odometry, self.fixes = run, sensor, odometry, fixes
        self._damaged = 0
        strips = sensor.startswith("lms")
        period_us = 1e6 / (selection.rate_hz or (config.strip_rate_hz if strips else config.rate_hz))
        self._pairs = RobotCarPairs(run) if sensor == "stereo" else None
        self._strips: PushBroom | None = None
        if strips:
            if odometry is None:
                raise BagError(
                    f"{run.source} has no vo/vo.csv or gt/radar_odometry.csv, which put the scans of {sensor} together; get it too"
                )
            scanners = SENSORS[sensor]
            T_base = {name: run.T_base(name) for name in scanners}
            self._strips = PushBroom({name: run.stamps_us[name] for name in scanners}, T_base, odometry, config)
            self.stamps_us = np.arange(*span_us, period_us).astype(np.int64)
        else:
            stamps = self._pairs.stamps_us if self._pairs else run.stamps_us[sensor]
            stamps = stamps[(stamps >= span_us[0]) & (stamps < span_us[1])]
            # The first of each period: half a millisecond early still counts, for stamps tremble.
            period = np.floor((stamps - span_us[0] + 500) / period_us)
            self.stamps_us = stamps[np.concatenate([[True], np.diff(period) > 0.0])[: len(stamps)]]
            self._T_base = run.T_base(sensor) if self._pairs is None else None

    def write(self, bag: BagWriter, begin_us: int, end_us: int) -> None:
        """Write odometry, fixes and clouds with stamps in `[begin_us, end_us)`, in their order."""
        sources = (self._odometry(begin_us, end_us), self._fixes(begin_us, end_us), self._clouds(begin_us, end_us))
        for _, _, write in heapq.merge(*sources, key=lambda timed: timed[:2]):
            write(bag)

    def _odometry(self, begin_us: int, end_us: int) -> Iterator[Timed]:
        if self.odometry is None:
            return
        stamps = self.odometry.stamps_us
        for k in range(*np.searchsorted(stamps, [begin_us, end_us]).tolist()):
            yield int(stamps[k]), 0, self._pose(k)

    def _pose(self, k: int) -> Write:
        assert self.odometry is not None
        stamp_s, pose, velocity = int(self.odometry.stamps_us[k]) * 1e-6, Pose2.from_array(self.odometry.poses[k]), self._velocity(k)
        return lambda bag: bag.write_odometry(stamp_s, pose, velocity=velocity)

    def _velocity(self, k: int) -> tuple[float, float]:
        """Forward [m/s] and turning [rad/s] since the row before."""
        assert self.odometry is not None
        if not k:
            return 0.0, 0.0
        before, after = (Pose2.from_array(p) for p in self.odometry.poses[k - 1 : k + 1])
        step, elapsed_s = before.inverse() @ after, float(self.odometry.stamps_us[k] - self.odometry.stamps_us[k - 1]) * 1e-6
        return step.x / elapsed_s, step.yaw / elapsed_s

    def _fixes(self, begin_us: int, end_us: int) -> Iterator[Timed]:
        if self.fixes is None:
            return
        stamps = self.fixes.stamps_us
        for k in range(*np.searchsorted(stamps, [begin_us, end_us]).tolist()):
            yield int(stamps[k]), 1, self._fix(k)

    def _fix(self, k: int) -> Write:
        assert self.fixes is not None
        stamps, lat, lon, north, east = self.fixes
        stamp_s, covariance = int(stamps[k]) * 1e-6, np.diag([east[k] ** 2, north[k] ** 2])
        return lambda bag: bag.write_fix(stamp_s, float(lat[k]), float(lon[k]), covariance)

    def _clouds(self, begin_us: int, end_us: int) -> Iterator[Timed]:
        stamps = self.stamps_us[slice(*np.searchsorted(self.stamps_us, [begin_us, end_us]).tolist())]
        if self._strips is not None:
            for stamp_us, points, intensity in self._strips.clouds(stamps, self._scan):
                yield stamp_us, 2, _cloud(stamp_us, points, intensity)
            return
        for stamp_us in stamps.tolist():
            write = self._pair(stamp_us) if self._pairs else self._single(stamp_us)
            if write is not None:
                yield stamp_us, 2, write

    def _single(self, stamp_us: int) -> Write | None:
        scan = self._scan(self.sensor, stamp_us)
        if scan is None or not len(scan.points):
            return None
        assert self._T_base is not None
        points = self._T_base.apply(scan.points)
        time = None if scan.time_us is None else ((scan.time_us - stamp_us) * 1e-6).astype(np.float32)
        return lambda bag: bag.write_cloud(stamp_us * 1e-6, points, intensity=scan.intensity, ring=scan.ring, time=time)

    def _pair(self, stamp_us: int) -> Write | None:
        assert self._pairs is not None
        try:
            points: NDArray[np.float32] = self._pairs.points(stamp_us)
        except (BagError, CloudError) as error:
            self._left_out(error)
            return None
        return _cloud(stamp_us, points)

    def _scan(self, sensor: str, stamp_us: int) -> Scan | None:
        try:
            return read_scan(sensor, *self.run.read(sensor, stamp_us))
        except BagError as error:
            self._left_out(error)
            return None

    def _left_out(self, error: Exception) -> None:
        self._damaged += 1
        if self._damaged <= MESSAGES_OF_DAMAGE:
            log.warning("left out: %s", error)
        elif self._damaged == MESSAGES_OF_DAMAGE + 1:
            log.warning("more damaged files are left out")


def _cloud(stamp_us: int, points: NDArray[np.float32], intensity: NDArray[np.float32] | None = None) -> Write:
    return lambda bag: bag.write_cloud(stamp_us * 1e-6, points, intensity=intensity)
