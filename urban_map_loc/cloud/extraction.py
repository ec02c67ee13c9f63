# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the points of a cloud lie on: buildings, road surface, other ground.

The geometric way needs no training and no assumption about the sensor's height or tilt. Ground is followed outwards from the car
(`ground.py`); the points above it are gathered in vertical columns (`columns.py`); a column is part of a wall where the points about it are
flat, seen along walls, reach as high as the sensor can see there up to `wall_height_m` and come from below that, and where such
columns join to something as long as a wall (`walls.py`). Vegetation is thick, cars are low, wires hang, poles and trunks are short.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from urban_map_loc.cloud.cloud import BUILDING, GROUND, OTHER, ROAD, Cloud
from urban_map_loc.cloud.columns import Columns, coarser, flatness, gather, wall_lean
from urban_map_loc.cloud.ground import GROUND_CELL_M, Floats, Plane, cell_of, follow_ground, level_plane
from urban_map_loc.cloud.road import ROAD_CELL_M, road_cells
from urban_map_loc.cloud.walls import COARSE_SHARE, FINE_SHARE, candidates, combined, joined, needed_heights
from urban_map_loc.config import CloudConfig
from urban_map_loc.errors import CloudError, ModelError

Bools = NDArray[np.bool_]

NO_CELLS: Bools = np.zeros((0, 0), dtype=np.bool_)


def building_mask(cloud: Cloud, config: CloudConfig, range_m: float = 50.0) -> Bools:
    """True `(N,)` for the points of `cloud`, base frame, that lie on buildings within `range_m` [m]; labelled ones at any distance.

    Raises:
        CloudError: `config.kind` is labels and the cloud carries none.
        ModelError: `config.kind` is fcn and its file is not named, missing, damaged or of another kind.
    """
    told = _told(cloud, config, range_m)
    return point_kinds(cloud, config, range_m) == BUILDING if told is None else told


def road_mask(cloud: Cloud, config: CloudConfig, range_m: float = 50.0) -> Bools:
    """True `(N,)` for the points of `cloud`, base frame, that lie on road surface within `range_m` [m].

    By label where buildings are, else flat ground that the car could drive to without crossing a kerb.

    Raises:
        CloudError, ModelError: as of `building_mask`.
    """
    return point_kinds(cloud, config, range_m, road=True) == ROAD


def point_kinds(cloud: Cloud, config: CloudConfig, range_m: float = 50.0, road: bool = False) -> NDArray[np.uint8]:
    """What each point `(N,)` lies on, in one pass: OTHER, GROUND, ROAD or BUILDING; beyond `range_m` [m] OTHER, but for building labels.

    Args:
        road: tell ROAD from GROUND, which takes time and is for tiles with that channel.

    Raises:
        CloudError, ModelError: as of `building_mask`.
    """
    points, nearest, clearance = cloud.points, config.minimum_range_m, config.ground_clearance_m
    told = _told(cloud, config, range_m)
    plane = level_plane(points, range_m, nearest)
    ground = follow_ground(points, plane, range_m, nearest)
    walls = _walls(points, plane, ground, config, range_m) if told is None else NO_CELLS
    labelled = cloud.label is not None and config.kind in ("auto", "labels")
    surface = road_cells(points, plane, ground, range_m, nearest, clearance) if road and not labelled else NO_CELLS
    kinds: NDArray[np.uint8] = _kinds(points, plane, ground, walls, surface, range_m, config.column_size_m, nearest, clearance)
    if road and labelled:
        on_road = _has_label(cloud, config.label_bits, config.road_labels)
        kinds[on_road & (np.abs(points[:, 0]) < range_m) & (np.abs(points[:, 1]) < range_m)] = ROAD
    if told is not None:
        kinds[told] = BUILDING
    return kinds


def _told(cloud: Cloud, config: CloudConfig, range_m: float) -> Bools | None:
    """Building points by label or by a trained segmentation; None where their shape is to tell."""
    if config.kind == "fcn":
        from urban_map_loc.cloud.fcn_file import REMEDY, load_fcn

        if not config.fcn_model:
            raise ModelError(f"cloud.kind is fcn, but cloud.fcn_model names no file; {REMEDY}")
        return load_fcn(Path(config.fcn_model)).building_mask(cloud.points, range_m, config.fcn_probability)
    if config.kind == "labels" and cloud.label is None:
        raise CloudError(f"cloud has no field {' or '.join(config.label_fields)}; publish one or set cloud.kind to geometric")
    if cloud.label is None or config.kind == "geometric":
        return None
    return _has_label(cloud, config.label_bits, config.building_labels)


def _has_label(cloud: Cloud, bits: int, labels: tuple[int, ...]) -> Bools:
    assert cloud.label is not None
    return np.isin(cloud.label & bits, labels)


def _walls(points: Floats, plane: Plane, ground: Floats, config: CloudConfig, range_m: float) -> Bools:
    """True `(n, n)` for the columns of `column_size_m` that are walls."""
    size_m, thickness_m = config.column_size_m, config.wall_thickness_m
    # 1. Columns of three sizes, and the way that all walls lean.
    fine = gather(points, plane, ground, range_m, 0.5 * size_m, config.minimum_range_m, config.ground_clearance_m)
    columns = coarser(fine, 0.5 * size_m)
    coarse = coarser(columns, size_m)
    lean = wall_lean(columns, size_m)
    # 2. How flat they are, seen along walls.
    flat = combined(
        fine,
        flatness(fine, 0.5 * size_m, lean, FINE_SHARE * thickness_m),
        columns,
        flatness(columns, size_m, lean, thickness_m),
        coarse,
        flatness(coarse, 2.0 * size_m, lean, COARSE_SHARE * thickness_m),
    )
    if config.depth_noise_per_m > 0.0:
        flat += _allowance(columns, size_m, range_m, config.depth_noise_per_m / thickness_m)
    # 3. High and flat ones that join to something long.
    needed, view = needed_heights(columns, size_m, config.wall_height_m)
    walls: Bools = joined(columns, candidates(columns, flat, needed), view, size_m, config.wall_length_m)
    return walls


def _allowance(columns: Columns, size_m: float, range_m: float, noise: float) -> Floats:
    """What a sensor whose ranges err by `noise` times their square, in wall thicknesses, adds to the flatness of each column `(M,)`."""
    at = (columns.cell + 0.5) * size_m - range_m
    allowed: Floats = (0.5 * np.log1p((noise * (at * at).sum(axis=1)) ** 2)).astype(np.float32)
    return allowed


@njit(cache=True)
def _kinds(
    points: Floats,
    plane: Plane,
    ground: Floats,
    walls: Bools,
    road: Bools,
    range_m: float,
    size_m: float,
    minimum_range_m: float,
    clearance_m: float,
) -> NDArray[np.uint8]:
    """OTHER, GROUND, ROAD or BUILDING `(N,)` by the cells that points are in; either grid may be empty."""
    cells, columns, roads = ground.shape[0], walls.shape[0], road.shape[0]
    kinds = np.full(points.shape[0], OTHER, dtype=np.uint8)
    shift, nearest, clearance = np.float32(range_m), np.float32(minimum_range_m * minimum_range_m), np.float32(clearance_m)
    scale, road_scale, ground_scale = np.float32(1.0 / size_m), np.float32(1.0 / ROAD_CELL_M), np.float32(1.0 / GROUND_CELL_M)
    level, along_x, along_y = np.float32(plane[0]), np.float32(plane[1]), np.float32(plane[2])
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (abs(x) < shift and abs(y) < shift) or x * x + y * y < nearest:
            continue
        u, v = x + shift, y + shift
        h = points[i, 2] - level - along_x * x - along_y * y
        h -= ground[cell_of(u, ground_scale, cells), cell_of(v, ground_scale, cells)]
        if h >= clearance:
            if columns > 0 and walls[cell_of(u, scale, columns), cell_of(v, scale, columns)]:
                kinds[i] = BUILDING
        elif roads > 0 and road[cell_of(u, road_scale, roads), cell_of(v, road_scale, roads)]:
            kinds[i] = ROAD
        elif h > -clearance:
            kinds[i] = GROUND
    return kinds
