# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Between messages and our types.

Message setters check no types: an int or a numpy scalar in a float field publishes garbage, silently. Hence every number here goes
through `float()` or `int()`.
"""

from __future__ import annotations

import struct
from array import array
from math import asin, ceil, cos, hypot, isfinite, nan, radians, sin, sqrt

import numpy as np
from geometry_msgs.msg import Pose, PoseArray, PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from numpy.typing import NDArray
from sensor_msgs.msg import NavSatFix, NavSatStatus
from std_msgs.msg import Header

from urban_map_loc.area.raster import BuildingRaster
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.geometry.pose2 import Pose2, quaternion_of_yaw, yaw_of_quaternion
from urban_map_loc.localization.priors import Prior
from urban_map_loc.localization.result import PoseEstimate
from urban_map_loc.tile.from_cloud import BuildingTile
from urban_map_loc.tile.grid import TileGrid

# Where x, y and yaw stand among x, y, z, roll, pitch, yaw.
PLANAR = (0, 1, 5)
# Variance of what a planar pose says nothing about: z, roll, pitch, altitude. Zero would claim to know it exactly.
UNKNOWN_VARIANCE = 1e6
OCCUPIED, FREE, UNKNOWN = 100, 0, -1
_STAMP_END = 12
_EARTH_M = 6_371_000.0
# 16 MB and 4 km2 at 0.5 m; larger areas are published coarser.
MAP_CELLS = 16_000_000


def stamp_s(header: Header) -> float:
    """The header's stamp [s]."""
    return float(header.stamp.sec) + float(header.stamp.nanosec) * 1e-9


def pose2_of_odometry(message: Odometry) -> Pose2:
    """`T_odom_base` of an odometry message, flattened into the plane.

    Raises:
        ValueError: numbers that are not finite, or a quaternion that is far from unit length; one line, with the remedy.
    """
    return _pose2(message.pose.pose, "odometry")


def prior_of(message: PoseWithCovarianceStamped, map_frame: str, source: str = "initialpose") -> Prior:
    """A first guess of the pose in `map_frame`.

    Raises:
        ValueError: another frame, or numbers that are no pose or no covariance; one line, with the remedy.
    """
    frame = message.header.frame_id
    if frame.lstrip("/") != map_frame:
        raise ValueError(f"{source} is in frame {frame!r}, {map_frame!r} is wanted; in RViz, set the fixed frame to {map_frame!r}")
    T_map_base = _pose2(message.pose.pose, source)
    covariance = np.array(message.pose.covariance, dtype=np.float64).reshape(6, 6)[np.ix_(PLANAR, PLANAR)]
    if not np.isfinite(covariance).all() or not np.allclose(covariance, covariance.T) or np.linalg.eigvalsh(covariance)[0] < -1e-9:
        raise ValueError(f"{source} has a covariance of x, y and yaw that is none; send a symmetric one without negative variances")
    return Prior(T_map_base, covariance, source)


def position_of_fix(message: NavSatFix, plane: LocalTangentPlane, reach_m: float) -> NDArray[np.float64] | None:
    """East and north `(2,)` [m] in `map` of a receiver's fix; None where it says itself that it has none.

    Raises:
        ValueError: no place on Earth, or one further than `reach_m` from the datum; one line, with the remedy.
    """
    if message.status.status < NavSatStatus.STATUS_FIX:
        return None
    lat_deg, lon_deg = float(message.latitude), float(message.longitude)
    if not (abs(lat_deg) <= 90.0 and abs(lon_deg) <= 180.0):
        raise ValueError(f"gnss/fix is at latitude {lat_deg}, longitude {lon_deg}, which is nowhere; check the receiver's driver")
    distance_m = _great_circle_m(plane.datum, lat_deg, lon_deg)
    if distance_m > reach_m:
        raise ValueError(f"gnss/fix is {distance_m / 1000.0:.0f} km from the area; check the receiver, or raise gnss_reach_m")
    return np.asarray(plane.to_enu(lat_deg, lon_deg), dtype=np.float64)


def covariance_of_fix(message: NavSatFix) -> NDArray[np.float64] | None:
    """Covariance `(2, 2)` of east and north [m2] as the receiver states it; None where it states none that can be."""
    covariance = np.array(message.position_covariance, dtype=np.float64).reshape(3, 3)[:2, :2]
    if message.position_covariance_type == NavSatFix.COVARIANCE_TYPE_UNKNOWN or not np.isfinite(covariance).all():
        return None
    return covariance if np.linalg.eigvalsh(covariance)[0] > 0.0 else None


def stamp_in(raw: bytes) -> float:
    """The header's stamp [s] of a serialised message that begins with a header, read without deserialising it.

    Raises:
        ValueError: too short to hold one.
    """
    if len(raw) < _STAMP_END:
        raise ValueError(f"message of {len(raw)} bytes has no header; check the node that publishes it")
    # CDR: four bytes of encapsulation, of which the second says the byte order, then seconds and nanoseconds.
    sec, nanosec = struct.unpack_from("<iI" if raw[1] & 1 else ">iI", raw, 4)
    return float(sec) + float(nanosec) * 1e-9


def pose_message(T: Pose2) -> Pose:
    """A pose in the plane z = 0."""
    message = Pose()
    message.position.x, message.position.y = float(T.x), float(T.y)
    q = message.orientation
    q.x, q.y, q.z, q.w = (float(v) for v in quaternion_of_yaw(T.yaw))
    return message


def covariance_6x6(covariance: NDArray[np.float64]) -> list[float]:
    """The 36 numbers of a message from `(3, 3)` of x [m], y [m], yaw [rad]; unknown in z, roll and pitch."""
    full = np.diag([UNKNOWN_VARIANCE] * 6)
    full[np.ix_(PLANAR, PLANAR)] = covariance
    return [float(v) for v in full.ravel()]


def pose_with_covariance(header: Header, estimate: PoseEstimate) -> PoseWithCovarianceStamped:
    """`~/pose`; the header is in the map frame."""
    message = PoseWithCovarianceStamped(header=header)
    message.pose.pose = pose_message(estimate.T_map_base)
    message.pose.covariance = covariance_6x6(estimate.covariance)
    return message


def odometry_in_map(header: Header, source: Odometry, T_map_base: Pose2, covariance: NDArray[np.float64], base_frame: str) -> Odometry:
    """`~/odometry`: map to base, with the velocity that odometry itself measured."""
    message = Odometry(header=header, child_frame_id=base_frame)
    message.pose.pose = pose_message(T_map_base)
    message.pose.covariance = covariance_6x6(covariance)
    message.twist = source.twist
    return message


def fix(header: Header, plane: LocalTangentPlane, estimate: PoseEstimate | None) -> NavSatFix:
    """`~/fix`: NaN and `STATUS_NO_FIX` without an estimate; altitude is never known."""
    message = NavSatFix(header=header)
    message.status.service = 0  # none of the satellite systems
    message.altitude = nan
    if estimate is None:
        message.status.status = NavSatStatus.STATUS_NO_FIX
        message.latitude = message.longitude = nan
        message.position_covariance_type = NavSatFix.COVARIANCE_TYPE_UNKNOWN
        return message
    T = estimate.T_map_base
    lat_deg, lon_deg = plane.to_geodetic(np.array([T.x, T.y]))
    message.status.status = NavSatStatus.STATUS_FIX
    message.latitude, message.longitude = float(lat_deg), float(lon_deg)
    enu = np.diag([0.0, 0.0, UNKNOWN_VARIANCE])
    enu[:2, :2] = estimate.covariance[:2, :2]
    message.position_covariance = [float(v) for v in enu.ravel()]
    message.position_covariance_type = NavSatFix.COVARIANCE_TYPE_KNOWN
    return message


def pose_array(header: Header, poses: NDArray[np.float64]) -> PoseArray:
    """`~/hypotheses` from `(K, 3)` poses: east [m], north [m], yaw [rad]."""
    return PoseArray(header=header, poses=[pose_message(Pose2.from_array(p)) for p in poses])


def transform(header: Header, child_frame: str, T_parent_child: Pose2) -> TransformStamped:
    """One transform for TF."""
    message = TransformStamped(header=header, child_frame_id=child_frame)
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y = float(T_parent_child.x), float(T_parent_child.y)
    q.x, q.y, q.z, q.w = (float(v) for v in quaternion_of_yaw(T_parent_child.yaw))
    return message


def tile_grid(header: Header, tile: BuildingTile, grid: TileGrid) -> OccupancyGrid:
    """`~/tile`: walls hit, free space along the rays and what is unknown about the car; the header is in the base frame."""
    pixels = np.arange(grid.size_px)
    points = grid.centres(*np.meshgrid(pixels, pixels, indexing="ij"))
    cells = np.floor((points + grid.half_m) / grid.resolution_m).astype(np.int64)
    occupancy = np.empty(tile.hits.shape, dtype=np.int8)
    occupancy[cells[..., 1], cells[..., 0]] = np.where(tile.hits, OCCUPIED, np.where(tile.free, FREE, UNKNOWN))
    return _occupancy(header, occupancy, grid.resolution_m, -grid.half_m, -grid.half_m)


def tile_of_grid(message: OccupancyGrid) -> BuildingTile:
    """The way back from `tile_grid`: walls hit and free space."""
    occupancy = np.array(message.data, dtype=np.int8).reshape(message.info.height, message.info.width)
    seen = occupancy.T[::-1, ::-1]  # a grid's rows go along y and up, a tile's along x and down
    return BuildingTile((seen == OCCUPIED).astype(np.uint8), (seen == FREE).astype(np.uint8))


def building_grid(header: Header, raster: BuildingRaster) -> OccupancyGrid:
    """`~/map`: the area's buildings; the header is in the map frame.

    A city's pixels are taken together, any building counting, until no more than `MAP_CELLS` are left: the message is for looking.
    """
    west, south = raster.origin - 0.5 * raster.resolution_m  # a raster's origin is its first pixel's centre, a grid's its corner
    occupied = raster.distance < 0
    together = max(1, ceil(sqrt(occupied.size / MAP_CELLS)))
    starts = [np.arange(0, length, together) for length in occupied.shape]
    pooled = np.logical_or.reduceat(np.logical_or.reduceat(occupied, starts[0], axis=0), starts[1], axis=1)
    values = np.where(pooled, OCCUPIED, FREE).astype(np.int8)
    return _occupancy(header, values, together * raster.resolution_m, west, south)


def _pose2(pose: Pose, what: str) -> Pose2:
    """A pose flattened into the plane; ValueError where it is none."""
    position, q = pose.position, pose.orientation
    if not all(isfinite(v) for v in (position.x, position.y, q.x, q.y, q.z, q.w)):
        raise ValueError(f"{what} has a position or orientation that is not finite; check the node that publishes it")
    length = hypot(q.x, q.y, q.z, q.w)
    if abs(length - 1.0) > 0.1:
        raise ValueError(f"{what} has a quaternion of length {length:.3g}; publish a unit quaternion")
    return Pose2(position.x, position.y, yaw_of_quaternion(q.x / length, q.y / length, q.z / length, q.w / length))


def _great_circle_m(datum: GeoPoint, lat_deg: float, lon_deg: float) -> float:
    """Distance on a sphere [m], exact enough to tell another city."""
    a, b, turn = radians(datum.lat_deg), radians(lat_deg), radians(lon_deg - datum.lon_deg)
    half = sin((b - a) / 2.0) ** 2 + cos(a) * cos(b) * sin(turn / 2.0) ** 2
    return 2.0 * _EARTH_M * asin(sqrt(min(1.0, half)))


def _occupancy(header: Header, occupancy: NDArray[np.int8], resolution_m: float, x: float, y: float) -> OccupancyGrid:
    """A grid `(rows along y, columns along x)` with its corner at x, y [m]."""
    message = OccupancyGrid(header=header)
    message.info.map_load_time = header.stamp
    message.info.resolution = float(resolution_m)
    message.info.height, message.info.width = (int(n) for n in occupancy.shape)
    message.info.origin = pose_message(Pose2(x, y, 0.0))
    message.data = array("b", occupancy.tobytes())
    return message
