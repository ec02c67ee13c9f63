"""Which points lie on buildings.

The geometric way needs no training and no assumption about the sensor's height. Ground is followed outwards from the car; the
points above it are gathered in vertical columns; a column is part of a wall where the points of its neighbourhood are
thin as a plane seen from above, reach as high as the sensor can see there up to `wall_height_m` and come from below that, and where
such columns join to something as long as a wall. Vegetation is thick, cars are low, wires hang, poles and trunks are short.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.kernels import column_statistics, follow_ground, mask_points, wall_columns
from urban_map_loc.config import CloudConfig
from urban_map_loc.errors import CloudError


def building_mask(cloud: Cloud, config: CloudConfig, range_m: float = 50.0) -> NDArray[np.bool_]:
    """True `(N,)` for the points of `cloud`, base frame, that lie on buildings within `range_m` [m].

    Raises:
        CloudError: `config.kind` is labels and the cloud carries none.
        ModelError: `config.kind` is fcn and its file is missing, damaged or of another kind.
    """
    if config.kind == "fcn":
        from urban_map_loc.cloud.fcn_file import load_fcn

        return load_fcn(Path(config.fcn_model)).building_mask(cloud.points, range_m, config.fcn_probability)
    if config.kind == "labels" and cloud.label is None:
        raise CloudError("cloud has no field label; publish one or set cloud.kind to geometric")
    if cloud.label is not None and config.kind != "geometric":
        return np.isin(cloud.label & config.label_bits, config.building_labels)
    return _geometric(cloud.points, config, range_m)


def _geometric(points: NDArray[np.float32], config: CloudConfig, range_m: float) -> NDArray[np.bool_]:
    ground = follow_ground(points, range_m, config.minimum_range_m)
    moments, top, bottom = column_statistics(
        points, ground, range_m, config.column_size_m, config.minimum_range_m, config.ground_clearance_m
    )
    walls = wall_columns(
        moments,
        top,
        bottom,
        config.column_size_m,
        config.wall_height_m,
        config.wall_thickness_m,
        config.wall_length_m,
    )
    mask: NDArray[np.bool_] = mask_points(
        points, ground, walls, range_m, config.column_size_m, config.minimum_range_m, config.ground_clearance_m
    )
    return mask
