# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""KITTI's colour pairs to clouds."""

from __future__ import annotations

from pathlib import Path

from urban_map_loc.bags.kitti_calibration import stereo_calibration
from urban_map_loc.cloud.camera import StereoRig
from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.cloud.stereo import read_image, stereo_cloud
from urban_map_loc.config import StereoConfig
from urban_map_loc.errors import BagError


class KittiPairs:
    """The rectified pairs of one sequence: image_2 and image_3, named by the number of their frame, and calib.txt.

    Attributes:
        files: the left image of each frame.

    Raises:
        BagError: a folder or calib.txt is missing or damaged, or there is no pair.
    """

    def __init__(
        self,
        source: Path,
        config: StereoConfig | None = None,
        *,
        folders: tuple[str, str] = ("image_2", "image_3"),
        calibration: tuple[StereoRig, Extrinsic] | None = None,
    ) -> None:
        self.source, self.config, self._folders = source, config or StereoConfig(), folders
        self.rig, self.T_velo_camera = calibration or stereo_calibration(source / "calib.txt")
        self.files = {int(file.stem): file for file in sorted((source / folders[0]).glob("*.png")) if file.stem.isdecimal()}
        if not self.files:
            raise BagError(f"{source / folders[0]} holds no numbered .png; give a folder with image_2, image_3 and calib.txt")

    def cloud(self, frame: int, stamp_s: float) -> Cloud:
        """The cloud of a frame, in the velodyne's frame.

        Raises:
            BagError: a picture is missing or damaged.
            CloudError: the pair shows nothing.
        """
        left = self.files[frame]
        right = self.source / self._folders[1] / left.name
        return stereo_cloud(read_image(left), read_image(right), self.rig, self.T_velo_camera, self.config, stamp_s=stamp_s)
