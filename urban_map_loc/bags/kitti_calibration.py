# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""KITTI's calib.txt: where the velodyne and the cameras are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.camera import StereoRig
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.errors import BagError, ConfigurationError
from urban_map_loc.reading import require_size

# T_cam0_velo (3x4) of the recording car on 2011-09-30, sequences 04 to 10; used where calib.txt has no line `Tr:`.
T_CAM_VELO = np.array(
    [
        [-0.001857739, -0.999965951, -0.008039975, -0.004784030],
        [-0.006481466, 0.008051860, -0.999946608, -0.073374295],
        [0.999977310, -0.001805529, -0.006496204, -0.333996806],
    ]
)

LARGEST = 1e6  # of a calibration's numbers: pixels, metres and their products
ROTATION_ERROR = 1e-3  # of a rotation's products: the files have nine digits


def square(T: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(4, 4)` of a transform `(3, 4)`."""
    return np.vstack([T, [0.0, 0.0, 0.0, 1.0]])


def velodyne_calibration(path: Path) -> NDArray[np.float64]:
    """T_cam0_velo (3, 4) of the line `Tr:`, else the recording car's.

    Raises:
        BagError: the file is missing, or the line is no matrix.
    """
    matrices = _matrices(path)
    for name in ("Tr", "Tr_velo_to_cam"):
        if name in matrices:
            return _rotation(path, matrices, name, (3, 4))
    return T_CAM_VELO


def stereo_calibration(path: Path) -> tuple[StereoRig, Extrinsic]:
    """The rectified colour pair (image_2 and image_3), and T_velo_cam2: where its left camera sits on the velodyne.

    Raises:
        BagError: the file is missing, lacks P2 or P3, or they are no rectified pair.
    """
    matrices = _matrices(path)
    P2, P3 = (_matrix(path, matrices, name) for name in ("P2", "P3"))
    try:
        rig = StereoRig.from_projections(P2, P3)
        # P = K [I | t]: camera 2 sees points of camera 0's frame moved by t.
        moved = np.linalg.solve(P2[:, :3], P2[:, 3])
    except (ConfigurationError, np.linalg.LinAlgError) as error:
        raise BagError(f"{path}: P2 and P3 are no rectified pair ({error}); copy the file again") from error
    T_cam0_velo = velodyne_calibration(path)
    rotation = T_cam0_velo[:, :3].T
    return rig, Extrinsic(rotation, -rotation @ (T_cam0_velo[:, 3] + moved))


def raw_stereo_calibration(folder: Path) -> tuple[StereoRig, Extrinsic]:
    """As `stereo_calibration`, from the raw data's calib_cam_to_cam.txt and calib_velo_to_cam.txt.

    Raises:
        BagError: a file is missing, lacks a matrix, or they are no rectified pair.
    """
    path = folder / "calib_cam_to_cam.txt"
    matrices = _matrices(path)
    P2, P3 = (_matrix(path, matrices, name) for name in ("P_rect_02", "P_rect_03"))
    rectifying = _rotation(path, matrices, "R_rect_00", (3, 3))
    try:
        rig = StereoRig.from_projections(P2, P3)
        moved = np.linalg.solve(P2[:, :3], P2[:, 3])
    except (ConfigurationError, np.linalg.LinAlgError) as error:
        raise BagError(f"{path}: P_rect_02 and P_rect_03 are no rectified pair ({error}); copy the file again") from error
    T_cam0_velo = rigid_calibration(folder / "calib_velo_to_cam.txt")
    rotation = (rectifying @ T_cam0_velo.rotation).T
    return rig, Extrinsic(rotation, -rotation @ (rectifying @ T_cam0_velo.translation + moved))


def rigid_calibration(path: Path) -> Extrinsic:
    """The transform of calib_velo_to_cam.txt (`T_cam0_velo`) or calib_imu_to_velo.txt (`T_velo_imu`): lines `R:` and `T:`.

    Raises:
        BagError: the file is missing or damaged.
    """
    matrices = _matrices(path)
    return Extrinsic(_rotation(path, matrices, "R", (3, 3)), _matrix(path, matrices, "T", (3, 1))[:, 0])


def text_of(path: Path) -> str:
    """A text file of the dataset.

    Raises:
        BagError: missing or not plain text.
    """
    require_size(path, "largest_table_mb", BagError)
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BagError(f"{path} is missing or unreadable ({error.__class__.__name__}); give a folder laid out as KITTI has it") from error


def _matrices(path: Path) -> dict[str, str]:
    """What stands behind each name of the file."""
    return {name.strip(): values for name, colon, values in (line.partition(":") for line in text_of(path).splitlines()) if colon}


def _matrix(path: Path, matrices: dict[str, str], name: str, shape: tuple[int, int] = (3, 4)) -> NDArray[np.float64]:
    if name not in matrices:
        raise BagError(f"{path} has no line {name}; give the calib.txt of the sequence")
    try:
        matrix = np.array(matrices[name].split(), dtype=np.float64).reshape(shape)
    except ValueError as error:
        raise BagError(f"{path}: {name} is no {shape[0]}x{shape[1]} matrix ({error}); copy the file again") from error
    if not (np.abs(matrix) < LARGEST).all():  # false for NaN
        raise BagError(f"{path}: {name} holds numbers that are none of a calibration; copy the file again")
    return matrix


def _rotation(path: Path, matrices: dict[str, str], name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    """A matrix whose first three columns turn and do not stretch."""
    matrix = _matrix(path, matrices, name, shape)
    if np.abs(matrix[:, :3] @ matrix[:, :3].T - np.eye(3)).max() > ROTATION_ERROR:
        raise BagError(f"{path}: {name} holds no rotation; copy the file again")
    return matrix
