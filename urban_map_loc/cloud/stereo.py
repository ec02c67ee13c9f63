# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A rectified stereo pair to a cloud: semi-global matching, smoothing by planes, reach, thinning.

Matched disparities err by a third of a pixel, which at 25 m is half a metre with a car's baseline: a wall becomes as thick as a
hedge. But a plane of the world is a plane of disparity over the image, so each pixel takes the value of the plane through its
neighbourhood, and pixels whose neighbourhood is no plane are left out. OpenCV is imported where it is needed: a robot with a
lidar starts without it.
"""

from __future__ import annotations

from pathlib import Path
from struct import unpack
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.camera import StereoRig
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.config import StereoConfig
from urban_map_loc.errors import BagError, CloudError, ConfigurationError
from urban_map_loc.reading import bounds, refusal, require_size

Image = NDArray[np.uint8]
Disparity = NDArray[np.float32]

PNG_BEGINS = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
# Windows in which a plane is fitted, columns x rows [px], largest first: walls are seen upright, so the windows are too.
WINDOWS_PX = ((21, 81), (21, 41), (15, 15))
FILLED_SHARE = 0.6  # of a window's pixels have a disparity
NEIGHBOUR_PX = 1.0  # a disparity further from the median of its 5 x 5 pixels is an error
OUTLIER_SIGMA = 3.0  # a pixel further from its window's plane belongs to something else
SMALLEST_PX = 1.0  # smaller disparities are sky and noise
POINTS_IN_CUBE = 2  # fewer are chance


def _cv2() -> Any:
    """Import OpenCV.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise ConfigurationError(f"stereo needs OpenCV ({error}); pip install opencv-python-headless, or apt python3-opencv") from error
    return cv2


def read_image(path: Path) -> Image:
    """A picture file as grey values `(H, W)`.

    Raises:
        BagError: missing or no picture.
    """
    if not path.is_file():
        raise BagError(f"{path} does not exist; copy it again")
    try:
        require_size(path, "largest_picture_mb", BagError)
        return decode_image(path.read_bytes(), str(path))
    except OSError as error:
        raise BagError(f"{path} cannot be read ({error.strerror or error}); copy it again") from error


def decode_image(content: bytes, name: str) -> Image:
    """The bytes of a PNG file as grey values `(H, W)`; `name` is for messages. Other formats are not read: no dataset here has any.

    Raises:
        BagError: no picture, or one of too many pixels.
    """
    cv2 = _cv2()
    image: Image | None = None
    if content.startswith(PNG_BEGINS) and len(content) > 24:
        width, height = unpack(">II", content[16:24])
        if width * height > bounds().largest_picture_mpx * 1e6:
            raise BagError(refusal(name, "largest_picture_mpx", width * height / 1e6))
        try:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
        except cv2.error as error:
            raise BagError(f"{name} is a damaged picture ({error}); copy it again") from error
    if image is None:
        raise BagError(f"{name} is no picture; copy it again")
    return image


def grey_of_bayer(mosaic: Image) -> Image:
    """Grey values `(H, W)` of a camera's raw picture `(H, W)` whose rows begin green, blue and red, green (GBRG)."""
    cv2 = _cv2()
    grey: Image = cv2.cvtColor(mosaic, cv2.COLOR_BayerGR2GRAY)  # OpenCV names the pattern by its second row's second pixel
    return grey


def stereo_cloud(
    left: Image, right: Image, rig: StereoRig, T_base_camera: Extrinsic, config: StereoConfig, *, stamp_s: float = 0.0
) -> Cloud:
    """The cloud that a rectified pair of grey images `(H, W)` shows, in the base frame.

    Args:
        left: image of the left camera.
        right: image of the right camera, of the same size.
        rig: calibration of the pair.
        T_base_camera: where the left camera is, with optical axes.
        config: matching and thinning.
        stamp_s: stamp of the pair [s].

    Raises:
        CloudError: the images differ in size, or nothing matches.
        ConfigurationError: OpenCV is missing or refuses the settings.
    """
    disparity = smoothed(match(left, right, config), config)
    reach = rig.reach_m(config.depth_error_m, config.disparity_error_px)
    row, column = np.nonzero(np.isfinite(disparity))
    points = rig.points(np.column_stack([column, row]), disparity[row, column])
    cloud = thinned(points[points[:, 2] <= reach].astype(np.float32), config.spacing_m)
    if not len(cloud):
        raise CloudError(f"the stereo pair shows nothing within {reach:.0f} m; check the light, the lens and the calibration")
    return Cloud(stamp_s, T_base_camera.apply(cloud))


def match(left: Image, right: Image, config: StereoConfig) -> Disparity:
    """Disparities `(H, W)` of the left image [px], NaN where there is no sure match (Hirschmüller 2008, as OpenCV has it).

    Raises:
        CloudError: the images differ in size or are no wider than the search.
        ConfigurationError: OpenCV is missing or refuses the settings.
    """
    cv2 = _cv2()
    if left.shape != right.shape or left.ndim != 2 or left.shape[1] <= config.disparities:
        raise CloudError(f"stereo images of shape {left.shape} and {right.shape}; give two grey ones of one size, wider than the search")
    if config.disparities % 16 or config.block_px % 2 == 0:
        raise ConfigurationError(
            f"disparities {config.disparities} must be a multiple of 16 and block_px {config.block_px} odd; correct it"
        )
    area = config.block_px**2
    matcher = cv2.StereoSGBM_create(
        minDisparity=0,
        numDisparities=config.disparities,
        blockSize=config.block_px,
        P1=8 * area,  # OpenCV's own advice for grey images
        P2=32 * area,
        disp12MaxDiff=config.left_right_px,
        preFilterCap=63,
        uniquenessRatio=config.uniqueness_percent,
        speckleWindowSize=config.speckle_px,
        speckleRange=1,
        mode=cv2.StereoSGBM_MODE_SGBM_3WAY,
    )
    disparity: Disparity = matcher.compute(left, right).astype(np.float32) / np.float32(16.0)
    disparity[disparity < SMALLEST_PX] = np.nan
    return disparity


def smoothed(disparity: Disparity, config: StereoConfig) -> Disparity:
    """Each disparity `(H, W)` replaced by the plane through the largest window that is one, else NaN."""
    cv2 = _cv2()
    there = np.isfinite(disparity)
    values = np.where(there, disparity, np.float32(0.0))
    there &= np.abs(cv2.medianBlur(values, 5) - values) < NEIGHBOUR_PX
    out = np.full_like(disparity, np.nan)
    for window in WINDOWS_PX:
        plane, scatter, filled = _planes(cv2, values, there, window)
        good = there & np.isnan(out) & (filled >= FILLED_SHARE) & (scatter < config.disparity_error_px)
        good &= np.abs(plane - values) < OUTLIER_SIGMA * config.disparity_error_px
        out[good] = plane[good]
    return out


def _planes(cv2: Any, values: Disparity, there: NDArray[np.bool_], window: tuple[int, int]) -> tuple[Disparity, Disparity, Disparity]:
    """Of the least-squares plane through each pixel's window: value at the pixel, scatter about it [px], share of pixels used.

    Sums over windows come from box filters, so the cost does not depend on the window.
    """
    height, width = values.shape
    # Rows and columns in units of the window, from the image's middle: sums of squares stay within float32.
    v, u = (np.linspace(-0.5, 0.5, n, dtype=np.float32) * np.float32(n / w) for n, w in ((height, window[1]), (width, window[0])))
    u, v = np.broadcast_to(u, values.shape), np.broadcast_to(v[:, None], values.shape)
    one = there.astype(np.float32)

    def share(image: Disparity) -> Disparity:
        box: Disparity = cv2.boxFilter(image * one, cv2.CV_32F, window, normalize=True, borderType=cv2.BORDER_CONSTANT)
        return box

    filled = share(one)
    weight = np.reciprocal(np.maximum(filled, np.float32(1e-6)))

    def mean(image: Disparity) -> Disparity:
        return share(image) * weight

    mu, mv, md = mean(u), mean(v), mean(values)
    uu, vv, uv = mean(u * u) - mu * mu, mean(v * v) - mv * mv, mean(u * v) - mu * mv
    ud, vd, dd = mean(u * values) - mu * md, mean(v * values) - mv * md, mean(values * values) - md * md
    flat = np.maximum(uu * vv - uv * uv, np.float32(1e-6))
    along_u, along_v = (ud * vv - vd * uv) / flat, (vd * uu - ud * uv) / flat
    plane = md + along_u * (u - mu) + along_v * (v - mv)
    scatter = np.sqrt(np.maximum(dd - along_u * ud - along_v * vd, np.float32(0.0)))
    return plane, scatter, filled


def thinned(points: NDArray[np.float32], spacing_m: float) -> NDArray[np.float32]:
    """The means `(K, 3)` [m] of the points `(N, 3)` in each cube that holds at least `POINTS_IN_CUBE` of them."""
    cube = np.floor(points / np.float32(spacing_m)).astype(np.int64)
    cube -= cube.min(axis=0, initial=0)
    sides = cube.max(axis=0, initial=0) + 1
    order = np.argsort((cube[:, 0] * sides[1] + cube[:, 1]) * sides[2] + cube[:, 2], kind="stable")
    means: NDArray[np.float32] = _means(points[order], cube[order])
    return means


@njit(cache=True)
def _means(points: NDArray[np.float32], cube: NDArray[np.int64]) -> NDArray[np.float32]:
    """Means `(K, 3)` of the runs of points in one cube, short runs left out."""
    out = np.empty_like(points)
    count, start = 0, 0
    for i in range(1, len(points) + 1):
        if i < len(points) and (cube[i] == cube[start]).all():
            continue
        if i - start >= POINTS_IN_CUBE:
            for axis in range(3):
                total = 0.0
                for j in range(start, i):
                    total += points[j, axis]
                out[count, axis] = total / (i - start)
            count += 1
        start = i
    return out[:count]
