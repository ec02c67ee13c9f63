# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Trajectory: stamped WGS84 poses, the form of routes and truth."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from urban_map_loc.errors import BagError
from urban_map_loc.geometry.geodesy import LocalTangentPlane
from urban_map_loc.geometry.pose2 import FloatArray, wrap_angle
from urban_map_loc.geometry.utm import utm_to_geodetic
from urban_map_loc.output import final_file
from urban_map_loc.reading import require_size

COLUMNS = ("time_s", "lat_deg", "lon_deg", "yaw_enu_rad")
LARGEST_YAW_RAD = 1e6  # headings may have been added up over any number of turns
UTM_ZONE = re.compile(r"([1-9]|[1-5][0-9]|60)([C-X])", re.ASCII)
LARGEST_UTM_M = 2e7


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Poses over time.

    Attributes:
        time_s: `(N,)` strictly increasing stamps [s].
        lat_deg: `(N,)` WGS84 latitude [deg].
        lon_deg: `(N,)` WGS84 longitude [deg].
        yaw_enu_rad: `(N,)` heading, 0 = east, counter-clockwise positive [rad].
    """

    time_s: FloatArray
    lat_deg: FloatArray
    lon_deg: FloatArray
    yaw_enu_rad: FloatArray

    def __post_init__(self) -> None:
        columns = [np.asarray(getattr(self, name), dtype=np.float64) for name in COLUMNS]
        for name, column in zip(COLUMNS, columns, strict=True):
            if column.ndim != 1 or column.shape != columns[0].shape or not np.isfinite(column).all():
                raise BagError(f"trajectory column {name} has gaps or another length than time_s; give one finite number a row")
            object.__setattr__(self, name, column)
        if (np.abs(columns[1]) > 90.0).any() or (np.abs(columns[2]) > 360.0).any() or (np.abs(columns[3]) > LARGEST_YAW_RAD).any():
            raise BagError("trajectory positions are no degrees or headings no radians; give lat_deg, lon_deg and yaw_enu_rad")
        if np.any(np.diff(columns[0]) <= 0.0):
            raise BagError("trajectory times do not increase; sort the rows by time and remove duplicates")

    def __len__(self) -> int:
        return len(self.time_s)

    @classmethod
    def read_csv(cls, path: Path) -> Trajectory:
        """Read `time_s,lat_deg,lon_deg,yaw_enu_rad` (lines with `#` skipped) or RobotCar's `ins.csv` (see `_robotcar`).

        Raises:
            BagError: the file is missing, is neither of the two, or a row is damaged.
        """
        rows = _read_rows(path)
        header = [name.strip() for name in rows[0]]
        table: dict[str, list[str]] = {name: [] for name in header}
        for number, row in enumerate(rows[1:], start=2):
            if len(row) != len(header):
                raise BagError(f"{path}: row {number} has {len(row)} columns, not {len(header)}; the file is damaged, copy it again")
            for name, value in zip(header, row, strict=True):
                table[name].append(value)
        try:
            if all(name in table for name in COLUMNS):
                columns = [np.array(table[name], dtype=np.float64) for name in COLUMNS]
            elif "yaw" in table and ("timestamp" in table or "gpstimestamp" in table):
                columns = _robotcar(table)
            else:
                raise BagError(f"{path}: columns are {', '.join(header[:6])}; give {','.join(COLUMNS)} or RobotCar's ins.csv")
            fresh = np.concatenate([[True], np.diff(columns[0]) != 0.0])  # repeated stamps: the first counts
            return cls(*(column[fresh] for column in columns))
        except (ValueError, KeyError, OverflowError) as error:
            raise BagError(f"{path}: a value or column is damaged ({error}); copy the file again") from error
        except BagError as error:
            raise BagError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error

    def write_csv(self, path: Path) -> None:
        """Write the four columns; positions to 1e-9 deg (0.1 mm).

        Raises:
            OutputError: `path` cannot be written.
        """
        with final_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            file.write(",".join(COLUMNS) + "\n")
            for t, lat, lon, yaw in zip(self.time_s, self.lat_deg, self.lon_deg, self.yaw_enu_rad, strict=True):
                file.write(f"{t:.6f},{lat:.9f},{lon:.9f},{yaw:.7f}\n")

    @classmethod
    def from_poses(cls, time_s: ArrayLike, poses: FloatArray, plane: LocalTangentPlane) -> Trajectory:
        """From `map`-frame poses `(N, 3)`: east, north [m], yaw [rad]."""
        lat_lon = plane.to_geodetic(poses[:, :2])
        return cls(np.asarray(time_s, float), lat_lon[:, 0], lat_lon[:, 1], wrap_angle(poses[:, 2]))

    def poses(self, plane: LocalTangentPlane) -> FloatArray:
        """`map`-frame poses `(N, 3)`: east, north [m], yaw [rad]."""
        return np.column_stack([plane.to_enu(self.lat_deg, self.lon_deg), wrap_angle(self.yaw_enu_rad)])

    def at(self, time_s: ArrayLike, plane: LocalTangentPlane) -> FloatArray:
        """Poses `(M, 3)` at times `(M,)` [s], linear and with the shortest turn; NaN outside the covered time."""
        times = np.atleast_1d(np.asarray(time_s, dtype=np.float64))
        poses = self.poses(plane)
        poses[:, 2] = np.unwrap(poses[:, 2])
        out = np.column_stack([np.interp(times, self.time_s, poses[:, k], left=np.nan, right=np.nan) for k in range(3)])
        out[:, 2] = wrap_angle(out[:, 2])
        return out


def _read_rows(path: Path) -> list[list[str]]:
    require_size(path, "largest_table_mb", BagError)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(line for line in file if not line.startswith("#")) if row]
    except FileNotFoundError as error:
        raise BagError(f"{path} does not exist; check the path") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BagError(f"{path} cannot be read as CSV ({error}); give {','.join(COLUMNS)}") from error
    if len(rows) < 2:
        raise BagError(f"{path} holds no rows; give {','.join(COLUMNS)} and at least one row")
    return rows


def _robotcar(table: dict[str, list[str]]) -> list[FloatArray]:
    """The four columns from RobotCar's INS: stamps in microseconds, yaw clockwise from north.

    Latitudes there are rounded to 1e-6 deg (0.1 m); the UTM coordinates beside them, in millimetres, are used where present.
    """
    stamp = np.array(table["gpstimestamp" if "gpstimestamp" in table else "timestamp"], dtype=np.int64)
    lat, lon = np.array(table["latitude"], dtype=np.float64), np.array(table["longitude"], dtype=np.float64)
    zones = set(table.get("utm_zone", ()))
    if len(zones) == 1 and "easting" in table and "northing" in table:
        zone = UTM_ZONE.fullmatch(zones.pop().strip())
        easting, northing = np.array(table["easting"], dtype=np.float64), np.array(table["northing"], dtype=np.float64)
        if zone is None or not ((np.abs(easting) < LARGEST_UTM_M) & (np.abs(northing) < LARGEST_UTM_M)).all():  # false for NaN
            raise ValueError("utm_zone, easting and northing are none of UTM")
        lat, lon = utm_to_geodetic(easting, northing, int(zone[1]), south=zone[2] < "N").T
    yaw = np.array(table["yaw"], dtype=np.float64)
    if not (np.abs(yaw) < LARGEST_YAW_RAD).all():  # false for NaN
        raise ValueError("yaw is none in radians")
    return [stamp / 1e6, lat, lon, wrap_angle(np.pi / 2.0 - yaw)]
