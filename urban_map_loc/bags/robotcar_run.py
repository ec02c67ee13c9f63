# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""One run of Oxford RobotCar or Radar RobotCar: its sensors' files and stamps, tables and calibration.

Layout, byte formats and axes are those of the dataset papers (Maddern et al. 2017, IJRR 36(1); Barnes et al. 2020, ICRA; for RTK Maddern
et al. 2020, arXiv:2002.10152) and of the documentation of their SDK. Stamps are microseconds since 1970 and name the files. The
dataset's axes are x forward, y right, z down; angles are roll, pitch, yaw about the fixed x, then y, then z axis.

`base_link` is the INS, level and at the middle of the rear of the car, with its axes turned to x forward, y left, z up (REP-103).
Over the run of 2014-12-02 its mean roll is 0.000 and its mean pitch -0.004 rad, and its heading leaves the course over ground by 0.001 rad:
no further turn is needed, and the truth, which is the INS's pose, is base_link's pose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.bags.dataset_files import DatasetFiles
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.errors import BagError, ConfigurationError
from urban_map_loc.reading import require_size

LIDARS = ("velodyne_left", "velodyne_right", "lms_front", "lms_rear", "ldmrs")
STEREO = ("left", "centre", "right")
RUN_NAME = re.compile(r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d[^/]*")
STAMPED = re.compile(r"(?:^|/)(\d{10,17})\.(bin|png)$")
# T_flu_frd: half a turn about x, from the dataset's axes (forward, right, down) to REP-103's (forward, left, up), and back.
T_FLU_FRD = Extrinsic(np.diag([1.0, -1.0, -1.0]), np.zeros(3))


class RobotCarRun:
    """The files of one run.

    Attributes:
        name: such as 2014-12-02-15-30-08.
        stamps_us: sorted stamps of the files of each sensor that is there, such as `lms_front` or `stereo/left`.
    """

    def __init__(self, source: Path, sdk: Path | None = None) -> None:
        """Find everything.

        Args:
            source: folder of the run, of its tar files, of both, or one tar file.
            sdk: folder with the SDK's `extrinsics` and `models`; looked for in and beside `source` unless given.

        Raises:
            BagError: no such folder, several runs in it, or nothing of RobotCar.
        """
        self.files, self.source = DatasetFiles(source), source
        self._sdk = (sdk,) if sdk else (source, source.parent, source.parent.parent)
        found: dict[str, dict[int, str]] = {}
        runs = set()
        for name in self.files:
            match = STAMPED.search(name)
            folder = name.rsplit("/", 2 if "/stereo/" in f"/{name}" else 1)[0]
            sensor = _sensor_of(name)
            if match and sensor:
                found.setdefault(sensor, {})[int(match[1])] = name
                runs.add(folder.rpartition("/")[0] if "/" in folder else "")
        names = {m[0] for m in (RUN_NAME.search(f) for f in self.files) if m}
        if len(names) > 1 and len(runs) > 1:
            raise BagError(f"{source} holds several runs ({', '.join(sorted(names)[:5])}); give the folder of one")
        self.name = min(names, default=source.name)
        self._found = found
        self.stamps_us: dict[str, NDArray[np.int64]] = {s: np.array(sorted(by_stamp), np.int64) for s, by_stamp in sorted(found.items())}

    def read(self, sensor: str, stamp_us: int) -> tuple[str, bytes]:
        """Name and bytes of a sensor's file.

        Raises:
            BagError: it cannot be read.
        """
        name = self._found[sensor][stamp_us]
        return name, self.files.read(name)

    def table(self, names: Sequence[str]) -> tuple[str, str] | None:
        """Name and text of the first of `names` (such as `gps/ins.csv`) that is there, the run's own before others.

        Raises:
            BagError: it is no plain text.
        """
        for wanted in names:
            there = sorted((f for f in self.files if f"/{f}".endswith(f"/{wanted}")), key=lambda f: (self.name not in f, f))
            if there:
                try:
                    return self.files.where(there[0]), self.files.read(there[0], "largest_table_mb").decode("utf-8")
                except UnicodeDecodeError as error:
                    raise BagError(f"{self.files.where(there[0])} is damaged: no text; download it again") from error
        return None

    def T_base(self, sensor: str) -> Extrinsic:
        """`T_base_sensor`, the sensor with the dataset's axes, from `extrinsics/<sensor>.txt` and `extrinsics/ins.txt`.

        Raises:
            BagError: a file is missing or damaged.
        """
        return T_FLU_FRD @ self._T_stereo("ins").inverse() @ self._T_stereo(sensor)

    def sdk_file(self, name: str) -> Path:
        """A file of the SDK, such as `models/stereo_wide_left.txt`.

        Raises:
            BagError: it is missing.
        """
        for folder in self._sdk:
            if (folder / name).is_file():
                return folder / name
        raise BagError(f"{self._sdk[0]} has no {name}; give the SDK's folder (github.com/ori-mrg/robotcar-dataset-sdk) with --sdk")

    def _T_stereo(self, sensor: str) -> Extrinsic:
        path = self.sdk_file(f"extrinsics/{sensor}.txt")
        require_size(path, "largest_table_mb", BagError)
        try:
            return Extrinsic.from_xyz_rpy([float(v) for v in path.read_text(encoding="ascii").split()])
        except (OSError, ValueError, ConfigurationError) as error:
            raise BagError(f"{path} is damaged, x y z roll pitch yaw expected; copy it again from the SDK") from error


def _sensor_of(name: str) -> str | None:
    folders = name.split("/")[:-1]
    if not folders:
        return None
    if folders[-1] in LIDARS:
        return folders[-1]
    return f"stereo/{folders[-1]}" if len(folders) > 1 and folders[-2] == "stereo" and folders[-1] in STEREO else None
