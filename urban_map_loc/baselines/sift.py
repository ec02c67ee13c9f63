# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""SIFT descriptors (Lowe 2004, OpenCV's) of tiles: pictures of thin lines, blurred first so that they have gradients."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from urban_map_loc.config import SiftConfig
from urban_map_loc.geometry.pose2 import FloatArray

Descriptors = NDArray[np.float32]
SIZE = 128


def picture(walls: NDArray[np.uint8], config: SiftConfig) -> NDArray[np.uint8]:
    """Grey picture of walls `(H, W)` of zeros and ones, blurred."""
    blurred = cv2.GaussianBlur(walls.astype(np.float32), (0, 0), config.blur_px)
    return np.asarray(255.0 * blurred / max(float(blurred.max()), 1e-6), dtype=np.uint8)


def upright_descriptors(tile: NDArray[np.uint8], config: SiftConfig) -> Descriptors:
    """Root descriptors `(N, 128)` (Arandjelovic and Zisserman 2012) about wall pixels of a tile, one in each square of a grid.

    Upright: a car turns, and they change. Where on a wall SIFT's own detector fires differs between a scan and a map; a grid does not.
    """
    walls = walls_of(tile)
    row, column = np.nonzero(walls)
    square = (row // config.grid_px) * walls.shape[1] + column // config.grid_px
    _, first = np.unique(square, return_index=True)
    spots = [cv2.KeyPoint(float(column[i]), float(row[i]), config.patch_px, 0.0) for i in first]
    if not spots:
        return np.zeros((0, SIZE), dtype=np.float32)
    _, descriptors = cv2.SIFT.create().compute(picture(walls, config), spots)
    return rooted(descriptors)


def keypoints(walls: NDArray[np.uint8], config: SiftConfig) -> tuple[FloatArray, Descriptors]:
    """SIFT's own keypoints `(N, 2)`, column and row [px], and root descriptors `(N, 128)`, which do not change when a car turns."""
    sift = cv2.SIFT.create(contrastThreshold=config.contrast, edgeThreshold=config.edge)
    spots, descriptors = sift.detectAndCompute(picture(walls, config), None)
    if not spots:
        return np.zeros((0, 2)), np.zeros((0, SIZE), dtype=np.float32)
    return np.array([spot.pt for spot in spots], dtype=np.float64), rooted(descriptors)


def rooted(descriptors: Descriptors) -> Descriptors:
    """Square roots of descriptors that sum to 1, so that Euclidean distance is Hellinger's."""
    total = np.maximum(np.abs(descriptors).sum(axis=1, keepdims=True), 1e-9)
    return np.asarray(np.sqrt(np.maximum(descriptors, 0.0) / total), dtype=np.float32)


def walls_of(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The plane of a tile that shows walls."""
    return tile if tile.ndim == 2 else tile[0]
