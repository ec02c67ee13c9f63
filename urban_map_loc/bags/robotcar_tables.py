# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RobotCar's tables: odometry of relative poses, GNSS fixes and the truth, all as `base_link` has them (see robotcar_run.py).

=======================  ====================================================================  ========================================
file                     columns                                                               is
=======================  ====================================================================  ========================================
`vo/vo.csv`              source_timestamp, destination_timestamp, x, y, z, roll, pitch, yaw    visual odometry of the stereo camera
`gt/radar_odometry.csv`  the same, then two radar stamps                                       radar odometry, optimised with the truth
`gps/gps.csv`            timestamp, latitude, longitude, latitude_sigma, longitude_sigma, ...  the receiver's fixes; sigmas in metres
`gps/ins.csv`            timestamp, ins_status, latitude, longitude, northing, easting,        GNSS and inertial
                         utm_zone, roll, pitch, yaw, ...
`rtk.csv`                timestamp, latitude, longitude, northing, easting, utm_zone,          the same with RTK: centimetres
                         roll, pitch, yaw, ...
=======================  ====================================================================  ========================================
"""

from __future__ import annotations

import csv
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.bags.robotcar_run import RobotCarRun
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.pose2 import FloatArray, Pose2
from urban_map_loc.geometry.trajectory import Trajectory

log = logging.getLogger(__name__)

# By name of `--odometry`, in order of preference: the file and the sensor whose motion it is.
ODOMETRIES = {"vo": ("vo/vo.csv", "stereo"), "radar": ("gt/radar_odometry.csv", "radar")}
TRUTHS = ("rtk.csv", "gps/ins.csv", "ins.csv")
POSE_COLUMNS = ("x", "y", "z", "roll", "pitch", "yaw")
STAMP_DIGITS = 18  # of microseconds since 1970, which have 16: what is longer is no stamp, and no int64
GAP_S = 1.0  # between two rows of odometry, which comes at 4 or 16 Hz


class Odometry(NamedTuple):
    """Poses of base_link in the plane: stamps `(N,)` [us], increasing, and `T_odom_base (N, 3)` [m, m, rad]."""

    stamps_us: NDArray[np.int64]
    poses: FloatArray

    def at(self, stamps_us: NDArray[np.int64]) -> FloatArray:
        """Poses `(M, 3)` at stamps `(M,)`, linear in between; NaN before the first and after the last."""
        t, at = (v.astype(np.float64) - float(self.stamps_us[0]) for v in (self.stamps_us, stamps_us))
        columns = (self.poses[:, 0], self.poses[:, 1], np.unwrap(self.poses[:, 2]))
        return np.column_stack([np.interp(at, t, c, left=np.nan, right=np.nan) for c in columns])


class Fixes(NamedTuple):
    """GNSS fixes: stamps `(N,)` [us], WGS84 degrees `(N,)` and standard deviations to the north and east `(N,)` [m]."""

    stamps_us: NDArray[np.int64]
    lat_deg: FloatArray
    lon_deg: FloatArray
    sigma_north_m: FloatArray
    sigma_east_m: FloatArray


def read_odometry(run: RobotCarRun, kind: str = "auto") -> Odometry | None:
    """Odometry of base_link, None where the run has none of that kind (`auto`, `vo` or `radar`).

    A row is the pose of the car at the later of its two stamps, seen from the earlier one. What is added up is each row's motion in the
    plane: visual odometry's roll and pitch drift over kilometres, and tilted far enough would shorten every step.

    Raises:
        BagError: the table or an extrinsic is damaged or missing.
    """
    for name, (file, sensor) in ODOMETRIES.items():
        if kind in ("auto", name) and (found := run.table((file, Path(file).name))):
            return _integrated(*found, run.T_base(sensor))
    return None


def _integrated(where: str, text: str, T_base_sensor: Extrinsic) -> Odometry:
    columns = _columns(where, text, ("source_timestamp", "destination_timestamp", *POSE_COLUMNS))
    ends = np.array([[_stamp(v) for v in columns[n]] for n in ("source_timestamp", "destination_timestamp")], np.int64)
    motions = _floats(where, columns, POSE_COLUMNS)
    earlier, later = ends.min(axis=0), ends.max(axis=0)
    good = np.isfinite(motions).all(axis=1) & (later > earlier)
    if not good.any():
        raise BagError(f"{where} holds no motion; download it again")
    order = np.argsort(later[good], kind="stable")
    earlier, later, motions = earlier[good][order], later[good][order], motions[good][order]
    T_sensor_base = T_base_sensor.inverse()
    pose, last_us = Pose2.identity(), int(earlier[0])
    stamps, poses, gaps, forward_m = [last_us], [pose.as_array()], 0, 0.0
    for began_us, stamp_us, motion in zip(earlier.tolist(), later.tolist(), motions, strict=True):
        if stamp_us <= last_us:
            continue
        gaps += began_us - last_us > GAP_S * 1e6
        T = T_base_sensor @ Extrinsic.from_xyz_rpy(motion.tolist()) @ T_sensor_base
        step = Pose2(T.translation[0], T.translation[1], np.arctan2(T.rotation[1, 0], T.rotation[0, 0]))
        forward_m += step.x
        pose, last_us = pose @ step, stamp_us
        stamps.append(last_us)
        poses.append(pose.as_array())
    if gaps:
        log.warning("%s has %d gaps of more than %g s: the car's motion in them is missing", where, gaps, GAP_S)
    if forward_m < 0.0:
        log.warning("%s: the car drives backwards by %.0f m in all; are its poses those from later to earlier?", where, -forward_m)
    return Odometry(np.array(stamps, np.int64), np.array(poses))


def read_fixes(run: RobotCarRun) -> Fixes | None:
    """The receiver's fixes of gps.csv, None where there are none.

    Raises:
        BagError: the table is damaged.
    """
    found = run.table(("gps/gps.csv", "gps.csv"))
    return None if found is None else fixes_of(*found)


def fixes_of(where: str, text: str) -> Fixes:
    """The fixes of a gps.csv with this text, in order of time; impossible ones are left out.

    Raises:
        BagError: the table is damaged.
    """
    names = ("latitude", "longitude", "latitude_sigma", "longitude_sigma")
    columns = _columns(where, text, ("timestamp", *names))
    stamps = np.array([_stamp(v) for v in columns["timestamp"]], np.int64)
    values = _floats(where, columns, names)
    good = np.isfinite(values).all(axis=1) & (values[:, 2:] > 0.0).all(axis=1) & (stamps > 0)
    good &= (np.abs(values[:, 0]) <= 90.0) & (np.abs(values[:, 1]) <= 180.0)
    order = np.argsort(stamps[good], kind="stable")
    return Fixes(stamps[good][order], *values[good][order].T)


def read_truth(run: RobotCarRun) -> tuple[str, Trajectory] | None:
    """Name of the table and the true poses: RTK where it is there, else the INS, else None.

    Raises:
        BagError: the table is damaged.
    """
    found = run.table(TRUTHS)
    if found is None:
        return None
    where, text = found
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "truth.csv")
        copy.write_text(text, encoding="utf-8")
        try:
            return where, Trajectory.read_csv(copy)
        except BagError as error:
            raise BagError(str(error).replace(str(copy), where)) from error


def _columns(where: str, text: str, names: Sequence[str]) -> dict[str, list[str]]:
    """The named columns; rows cut short (a download that broke off) are left out."""
    rows = csv.reader(text.splitlines())
    header = [name.strip() for name in next(rows, [])]
    missing = [name for name in names if name not in header]
    if missing:
        raise BagError(f"{where} has no column {', '.join(missing)} (columns: {', '.join(header[:8]) or 'none'}); download it again")
    whole = [row for row in rows if len(row) == len(header)]
    return {name: [row[header.index(name)] for row in whole] for name in names}


def _floats(where: str, columns: dict[str, list[str]], names: Sequence[str]) -> FloatArray:
    try:
        return np.array([columns[name] for name in names], np.float64).T
    except ValueError as error:
        raise BagError(f"{where} is damaged ({error}); download it again") from error


def _stamp(text: str) -> int:
    """A stamp [us]; 0 where it is none."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= STAMP_DIGITS else 0
