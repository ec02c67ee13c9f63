# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pinhole cameras: projection, distortion, undistortion tables, triangulation, and what a rectified pair measures.

Camera axes are those of an optical frame (REP-103): x right, y down, z forward. Pixel coordinates are u to the right and v down;
(0, 0) is the centre of the image's top left pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, sqrt
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from urban_map_loc.errors import BagError, ConfigurationError
from urban_map_loc.reading import require_size

Floats = NDArray[np.float64]

# Newton's method doubles the right digits at every step: lenses that can be undone are, to the last digit, after these.
NEWTON_STEPS = 12


@dataclass(frozen=True)
class Camera:
    """A pinhole with a lens: focal lengths and principal point [px], plumb bob coefficients k1, k2, p1, p2, k3 (sensor_msgs/CameraInfo)."""

    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)

    def project(self, points: ArrayLike) -> Floats:
        """Pixels `(N, 2)` of camera-frame points `(N, 3)` [m]; NaN for points that are not in front of the camera."""
        p = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        depth = np.where(p[:, 2:] > 0.0, p[:, 2:], np.nan)
        return distort(p[:, :2] / depth, self.distortion) * (self.fx, self.fy) + (self.cx, self.cy)

    def rays(self, pixels: ArrayLike) -> Floats:
        """Directions `(N, 3)` with z = 1 in which the camera sees pixels `(N, 2)`."""
        p = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        flat = undistort((p - (self.cx, self.cy)) / (self.fx, self.fy), self.distortion)
        return np.column_stack([flat, np.ones(len(flat))])


def distort(flat: ArrayLike, coefficients: Sequence[float]) -> Floats:
    """Where the lens puts points `(N, 2)` of the plane z = 1 (Brown 1966; coefficients k1, k2, p1, p2, k3)."""
    distorted, _ = _distorted(np.asarray(flat, dtype=np.float64), coefficients)
    return distorted


def undistort(distorted: ArrayLike, coefficients: Sequence[float]) -> Floats:
    """The inverse of `distort` by Newton's method; NaN where the lens folds the image and there is none."""
    goal = np.asarray(distorted, dtype=np.float64)
    flat = goal.copy()
    with np.errstate(all="ignore"):  # points beyond the fold run away and become NaN below
        for _ in range(NEWTON_STEPS):
            there, (xx, xy, yy) = _distorted(flat, coefficients)
            miss = goal - there
            step = np.column_stack([yy * miss[:, 0] - xy * miss[:, 1], xx * miss[:, 1] - xy * miss[:, 0]])
            flat = flat + step / (xx * yy - xy * xy)[:, None]
        there, _ = _distorted(flat, coefficients)
        wrong = ~(np.abs(there - goal).max(axis=1) < 1e-9)
    flat[wrong] = np.nan
    return flat


def _distorted(flat: Floats, coefficients: Sequence[float]) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
    """Distorted points `(N, 2)` and the symmetric Jacobian's entries xx, xy, yy `(N,)`."""
    k1, k2, p1, p2, k3 = coefficients
    x, y = flat[:, 0], flat[:, 1]
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 2.0 * (k1 + r2 * (2.0 * k2 + r2 * 3.0 * k3))
    there = np.column_stack(
        [x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x), y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y]
    )
    xx = radial + slope * x * x + 2.0 * p1 * y + 6.0 * p2 * x
    xy = slope * x * y + 2.0 * p1 * x + 2.0 * p2 * y
    yy = radial + slope * y * y + 6.0 * p1 * y + 2.0 * p2 * x
    return there, (xx, xy, yy)


def triangulate(P_left: ArrayLike, P_right: ArrayLike, left: ArrayLike, right: ArrayLike) -> Floats:
    """Points `(N, 3)` [m] seen at pixels `(N, 2)` of two undistorted images with projection matrices `(3, 4)`.

    Linear triangulation (Hartley and Zisserman 2004, 12.2): exact for exact pixels; NaN or infinite where the two rays are parallel.
    """
    rows = []
    for P, pixels in ((P_left, left), (P_right, right)):
        matrix, at = np.asarray(P, dtype=np.float64), np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        rows += [at[:, k, None] * matrix[2] - matrix[k] for k in (0, 1)]
    homogeneous = np.linalg.svd(np.stack(rows, axis=1))[2][:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        points: Floats = homogeneous[:, :3] / homogeneous[:, 3:]
    return points


@dataclass(frozen=True)
class StereoRig:
    """A rectified pair: both images in one plane, rows aligned.

    Attributes:
        focal_px: focal length of both images [px].
        cx: column of the left image's principal point [px].
        cy: row of both principal points [px].
        baseline_m: distance of the right camera from the left one [m].
        cx_right: column of the right image's principal point [px].
    """

    focal_px: float
    cx: float
    cy: float
    baseline_m: float
    cx_right: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.cx, self.cy, self.cx_right]).all() and self.focal_px > 0.0 and self.baseline_m > 0.0):
            raise ConfigurationError(
                f"stereo focal length {self.focal_px} px, baseline {self.baseline_m} m: both must be above 0; is left right?"
            )

    @classmethod
    def from_projections(cls, P_left: ArrayLike, P_right: ArrayLike) -> StereoRig:
        """From the projection matrices `(3, 4)` of a rectified pair, as in sensor_msgs/CameraInfo.p and KITTI's calib.txt.

        Raises:
            ConfigurationError: the matrices are not those of a rectified pair.
        """
        left, right = (np.asarray(P, dtype=np.float64) for P in (P_left, P_right))
        if left.shape != (3, 4) or right.shape != (3, 4) or not np.isfinite([left, right]).all():
            raise ConfigurationError("a projection matrix is not 3x4 finite numbers; copy the calibration again")
        if not np.allclose([left[0, 0], left[1, 2]], [right[0, 0], right[1, 2]], rtol=0.0, atol=1e-3):
            raise ConfigurationError("left and right image differ in focal length or row offset; rectify the pair first")
        baseline = (left[0, 3] - right[0, 3]) / left[0, 0] if left[0, 0] else 0.0
        return cls(float(left[0, 0]), float(left[0, 2]), float(left[1, 2]), float(baseline), float(right[0, 2]))

    def depth(self, disparity: NDArray[np.floating]) -> NDArray[np.floating]:
        """Distance along the optical axis [m] of disparities u_left - u_right [px]; inf where there is no parallax."""
        parallax = disparity - (self.cx - self.cx_right)
        with np.errstate(divide="ignore"):
            return self.focal_px * self.baseline_m / np.maximum(parallax, 0.0)

    def points(self, pixels: ArrayLike, disparity: NDArray[np.floating]) -> Floats:
        """Points `(N, 3)` [m] of the left camera's frame at its pixels `(N, 2)` with disparities `(N,)` [px]."""
        p = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        depth = self.depth(np.asarray(disparity, dtype=np.float64))
        return np.column_stack([(p - (self.cx, self.cy)) / self.focal_px * depth[:, None], depth])

    def reach_m(self, depth_error_m: float, disparity_error_px: float) -> float:
        """Depth [m] up to which an error of disparity [px] costs at most so much depth [m]: dZ = Z² / (f b) dd."""
        return sqrt(depth_error_m * self.focal_px * self.baseline_m / disparity_error_px)


def read_robotcar_camera(path: Path) -> tuple[Camera, Floats]:
    """A camera model of Oxford RobotCar (`models/stereo_wide_left.txt`) and its transform `T_camera_image (4, 4)`.

    The pinhole is that of the image after undistortion. `T_camera_image` maps optical axes to the dataset's camera axes (x
    forward, y right, z down), for the right camera of a pair with the baseline along y.

    Raises:
        BagError: the file is missing or is no camera model.
    """
    require_size(path, "largest_table_mb", BagError)
    try:
        numbers = np.array(path.read_text(encoding="ascii").split(), dtype=np.float64)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BagError(f"{path} is missing or no camera model ({type(error).__name__}); give a file of the SDK's models") from error
    if numbers.shape != (20,) or not np.isfinite(numbers).all() or not (numbers[:2] > 0.0).all():
        raise BagError(f"{path} holds {numbers.size} numbers, not 4 intrinsics and a 4x4 transform; copy it again from the SDK's models")
    fx, fy, cx, cy = numbers[:4].tolist()
    return Camera(fx, fy, cx, cy), numbers[4:].reshape(4, 4)


def read_undistortion_table(path: Path, height: int, width: int) -> NDArray[np.float32]:
    """A RobotCar undistortion table (`models/*_distortion_lut.bin`) as source pixels `(height, width, 2)`: u, v.

    The file is float64: u of the distorted image for every pixel of the undistorted one, row by row, then all v.

    Raises:
        BagError: the file is missing, or of another image size.
    """
    require_size(path, "largest_cloud_mb", BagError)
    try:
        values = np.fromfile(path, dtype="<f8")
    except OSError as error:
        raise BagError(f"{path} cannot be read ({error.strerror or error}); copy it from the dataset's camera models") from error
    if values.size != 2 * height * width or path.stat().st_size != values.nbytes:
        raise BagError(f"{path} holds {values.size} numbers, a {width}x{height} image needs {2 * height * width}; use that camera's table")
    with np.errstate(over="ignore", invalid="ignore"):  # beyond float32's range becomes inf: outside the image, as NaN is
        return np.ascontiguousarray(np.moveaxis(values.reshape(2, height, width), 0, -1), dtype=np.float32)


@njit(cache=True)
def undistort_image(image: NDArray[np.uint8], table: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The image `(H, W)` looked up at the table's source pixels `(h, w, 2)`, bilinear; 0 where they lie outside."""
    height, width = image.shape
    out = np.zeros(table.shape[:2], dtype=np.uint8)
    for row in range(table.shape[0]):
        for column in range(table.shape[1]):
            u, v = table[row, column, 0], table[row, column, 1]
            if not (0.0 <= u <= width - 1 and 0.0 <= v <= height - 1):  # false for NaN
                continue
            left, top = min(floor(u), width - 2), min(floor(v), height - 2)
            du, dv = u - left, v - top
            upper = (1.0 - du) * image[top, left] + du * image[top, left + 1]
            lower = (1.0 - du) * image[top + 1, left] + du * image[top + 1, left + 1]
            out[row, column] = floor((1.0 - dv) * upper + dv * lower + 0.5)
    return out
