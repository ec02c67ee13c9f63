# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""RobotCar's Bumblebee pairs to clouds: raw pictures, undistortion tables, matching."""

from __future__ import annotations

import numpy as np

from urban_map_loc.bags.robotcar_run import RobotCarRun
from urban_map_loc.cloud.camera import StereoRig, read_robotcar_camera, read_undistortion_table, undistort_image
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.cloud.stereo import Image, decode_image, grey_of_bayer, stereo_cloud
from urban_map_loc.config import StereoConfig
from urban_map_loc.errors import BagError

# The widest pair of the three cameras, 24 cm, and the SDK's names of its models.
PAIR = {"left": "stereo_wide_left", "right": "stereo_wide_right"}


class RobotCarPairs:
    """The pairs of a run: `stereo/left` and `stereo/right`, grey 8-bit PNG with a GBRG Bayer pattern, 1280 x 960.

    Attributes:
        stamps_us: sorted stamps `(N,)` at which both cameras have a picture.

    Raises:
        BagError: a camera model or an extrinsic is missing or damaged.
    """

    def __init__(self, run: RobotCarRun, config: StereoConfig | None = None) -> None:
        self.run, self.config = run, config or StereoConfig()
        none = np.empty(0, np.int64)
        self.stamps_us = np.intersect1d(run.stamps_us.get("stereo/left", none), run.stamps_us.get("stereo/right", none))
        paths = {side: run.sdk_file(f"models/{model}.txt") for side, model in PAIR.items()}
        (left, T_camera_image), (right, T_camera_right) = (read_robotcar_camera(paths[side]) for side in PAIR)
        baseline_m = float(T_camera_right[1, 3] - T_camera_image[1, 3])
        if abs(left.fx - right.fx) > 1e-3 or abs(left.cy - right.cy) > 1e-3 or not baseline_m > 0.0:
            raise BagError(f"{paths['right']} does not fit to {paths['left']}: focal length, row or baseline; copy them again from the SDK")
        self.rig = StereoRig(left.fx, left.cx, left.cy, baseline_m, right.cx)
        self.T_base_image = run.T_base("stereo") @ Extrinsic(T_camera_image[:3, :3], T_camera_image[:3, 3])
        self._tables = {side: run.sdk_file(f"models/{model}_distortion_lut.bin") for side, model in PAIR.items()}
        self._loaded: dict[str, np.ndarray] = {}

    def points(self, stamp_us: int) -> np.ndarray:
        """The points `(N, 3)` [m] that a pair shows, in the base frame.

        Raises:
            BagError: a picture is damaged, or of another size than its table.
            CloudError: the pair shows nothing.
        """
        left, right = (self._rectified(side, stamp_us) for side in PAIR)
        return stereo_cloud(left, right, self.rig, self.T_base_image, self.config, stamp_s=stamp_us * 1e-6).points

    def _rectified(self, side: str, stamp_us: int) -> Image:
        name, content = self.run.read(f"stereo/{side}", stamp_us)
        grey = grey_of_bayer(decode_image(content, name))
        if side not in self._loaded:
            self._loaded[side] = read_undistortion_table(self._tables[side], *grey.shape)
        table = self._loaded[side]
        if table.shape[:2] != grey.shape:
            raise BagError(f"{name} is {grey.shape[1]}x{grey.shape[0]}, not as large as the pictures before; download it again")
        rectified: Image = undistort_image(grey, table)
        return rectified
