# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""An encoder of RobotCar's files, byte for byte from the dataset's documentation, and a small town seen by its scanners."""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pyproj
import shapely

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.geometry.pose2 import Pose2

# Where the sensors sit in the stereo camera's frame (x forward, y right, z down; roll, pitch, yaw), much as on the car.
EXTRINSICS = {
    "ins": (-1.7, 0.1, 1.2, 0.0, 0.0, 0.0),
    "stereo": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "lms_front": (1.75, 0.2, 1.0, 0.0, -1.45, 0.0),
    "lms_rear": (-2.6, 0.3, 1.1, 0.0, -1.5, np.pi),
    "ldmrs": (1.5, 0.0, 1.4, 0.0, 0.0, 0.0),
    "velodyne_left": (-0.6, -0.35, -0.27, 0.0, 0.0, np.pi),
    "velodyne_right": (-0.6, 0.55, -0.27, 0.0, 0.0, np.pi),
    "radar": (-0.7, 0.1, -0.5, 0.0, 0.0, 0.0),
}
INS_HEIGHT_M = 0.4
VO_HEADER = "source_timestamp,destination_timestamp,x,y,z,roll,pitch,yaw"
INS_HEADER = (
    "timestamp,ins_status,latitude,longitude,altitude,northing,easting,down,utm_zone,"
    "velocity_north,velocity_east,velocity_down,roll,pitch,yaw"
)
RTK_HEADER = INS_HEADER.replace("ins_status,", "")
GPS_HEADER = (
    "timestamp,num_satellites,latitude,longitude,altitude,latitude_sigma,longitude_sigma,altitude_sigma,northing,easting,down,utm_zone"
)


def triplets(rows: np.ndarray) -> bytes:
    """LMS-151 (x, y, reflectance) or LD-MRS (x, y, z)."""
    return b"".join(struct.pack("<3d", *map(float, row)) for row in rows)


def velodyne_bin(points: np.ndarray, intensity: np.ndarray) -> bytes:
    return b"".join(struct.pack(f"<{len(points)}f", *column) for column in (*points.T.tolist(), intensity.tolist()))


def velodyne_png(range_units: np.ndarray, intensity: np.ndarray, azimuth_hundredths: np.ndarray, time_us: np.ndarray) -> bytes:
    """Ranges and intensities `(32, N)` in 2 mm and as they are, azimuths `(N,)` in 0.01 degrees, times `(N,)`."""
    image = np.zeros((106, range_units.shape[1]), np.uint8)
    for k in range(image.shape[1]):
        column = bytes(intensity[:, k].astype(np.uint8))
        column += struct.pack("<32H", *range_units[:, k].tolist())
        column += struct.pack("<H", int(azimuth_hundredths[k])) + struct.pack("<q", int(time_us[k]))
        image[:, k] = np.frombuffer(column, np.uint8)
    return png(image)


def png(image: np.ndarray) -> bytes:
    done, content = cv2.imencode(".png", image)
    assert done
    return content.tobytes()


def write_sdk(folder: Path) -> None:
    """`extrinsics` as the SDK has them."""
    (folder / "extrinsics").mkdir(parents=True, exist_ok=True)
    for sensor, values in EXTRINSICS.items():
        (folder / "extrinsics" / f"{sensor}.txt").write_text(" ".join(f"{v:.6f}" for v in values) + "\n")


def write_odometry(path: Path, stamps_us: Sequence[int], poses: Sequence[Pose2]) -> None:
    """Relative poses of the stereo camera of a car whose INS drives along `poses`, in the camera's axes; the later stamp stands first."""
    x, y = -EXTRINSICS["ins"][0], EXTRINSICS["ins"][1]  # the camera is so far ahead of the INS and, y being to the left here, so far left
    T_base_camera = Pose2(x, y, 0.0)
    rows = [VO_HEADER]
    for k in range(1, len(poses)):
        step = T_base_camera.inverse() @ poses[k - 1].inverse() @ poses[k] @ T_base_camera
        rows.append(f"{stamps_us[k]},{stamps_us[k - 1]},{step.x:.9f},{-step.y:.9f},0.0,0.0,0.0,{-step.yaw:.9f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")


def write_positions(folder: Path, area: AreaMap, stamps_us: Sequence[int], poses: Sequence[Pose2], rtk: bool = False) -> None:
    """gps.csv and ins.csv, or rtk.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    to_utm = pyproj.Transformer.from_crs(4326, 32633, always_xy=True)  # where the made-up areas are
    ins, gps = [RTK_HEADER if rtk else INS_HEADER], [GPS_HEADER]
    for stamp, pose in zip(stamps_us, poses, strict=True):
        lat, lon = area.plane.to_geodetic(np.array([pose.x, pose.y]))
        east, north = to_utm.transform(lon, lat)
        place = f"{lat:.6f},{lon:.6f},100.0"
        status = "" if rtk else "INS_SOLUTION_GOOD,"
        ins.append(f"{stamp},{status}{place},{north:.6f},{east:.6f},-100.0,33U,0,0,0,0,0,{np.pi / 2 - pose.yaw:.9f}")
        gps.append(f"{stamp},9,{place},2.0,1.5,4.0,{north:.6f},{east:.6f},-100.0,33U")
    (folder / ("rtk.csv" if rtk else "ins.csv")).write_text("\n".join(ins) + "\n")
    if not rtk:
        (folder / "gps.csv").write_text("\n".join(gps) + "\n")


def pack(folder: Path, tar: Path, below: str) -> None:
    """A tar file as the dataset's: paths begin with the run's name."""
    with tarfile.open(tar, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, f"{below}/{path.relative_to(folder).as_posix()}", recursive=False)


def rotation(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """About the fixed x, then y, then z axis."""
    (cr, cp, cy), (sr, sp, sy) = ([f(a) for a in (roll, pitch, yaw)] for f in (np.cos, np.sin))
    x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    return np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]]) @ y @ x


class Town:
    """An area's buildings, 8 m high, on flat ground, as scanners on the car see them."""

    def __init__(self, area: AreaMap, height_m: float = 8.0) -> None:
        rings = [
            np.array(shapely.transform(b, lambda p: area.plane.to_enu(p[:, 1], p[:, 0])).exterior.coords) for b in area.buildings_wgs84
        ]
        self.start = np.concatenate([r[:-1] for r in rings])
        self.edge = np.concatenate([np.diff(r, axis=0) for r in rings])
        self.height_m = height_m

    def ranges(self, origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
        """Distance `(N,)` along unit vectors `(N, 3)` in the map's axes, z up; 0 where nothing is hit."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(rays[:, 2] < 0.0, -origin[2] / rays[:, 2], np.inf)
            to_start = self.start - origin[:2]
            cross = rays[:, None, 0] * self.edge[None, :, 1] - rays[:, None, 1] * self.edge[None, :, 0]
            along = (to_start[:, 0] * self.edge[:, 1] - to_start[:, 1] * self.edge[:, 0]) / cross
            share = (to_start[None, :, 0] * rays[:, None, 1] - to_start[None, :, 1] * rays[:, None, 0]) / cross
            high = origin[2] + along * rays[:, None, 2]
        hit = (along > 0.0) & (share >= 0.0) & (share <= 1.0) & (high >= 0.0) & (high <= self.height_m)
        found = np.minimum(found, np.where(hit, along, np.inf).min(axis=1))
        return np.where(np.isfinite(found), found, 0.0)

    def lms(self, sensor: str, T_map_base: Pose2, angles: np.ndarray) -> np.ndarray:
        """What an LMS-151 measures, `(N, 3)`: x, y, reflectance."""
        ins, scanner = np.array(EXTRINSICS["ins"]), np.array(EXTRINSICS[sensor])
        flat = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(len(angles))])
        turn = rotation(0.0, 0.0, T_map_base.yaw) @ np.diag([1.0, -1.0, -1.0]) @ rotation(*ins[3:]).T
        origin = turn @ (scanner[:3] - ins[:3]) + [T_map_base.x, T_map_base.y, INS_HEIGHT_M]
        measured = self.ranges(origin, flat @ (turn @ rotation(*scanner[3:])).T)
        measured[measured > 50.0] = 0.0
        return np.column_stack([flat[:, :2] * measured[:, None], np.full(len(angles), 30.0)])


def drive(start: Pose2, metres: float, speed: float, rate_hz: float, from_us: int = 1_417_534_257_594_785) -> Iterator[tuple[int, Pose2]]:
    """Stamps [us] and poses of a car that drives straight ahead."""
    for k in range(int(metres / speed * rate_hz) + 1):
        yield from_us + round(k * 1e6 / rate_hz), start @ Pose2(k * speed / rate_hz, 0.0, 0.0)
