# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a cloud to building points."""

from __future__ import annotations

from dataclasses import dataclass

from urban_map_loc.settings import Section, setting


@dataclass(frozen=True)
class CloudConfig(Section):
    """From a cloud to building points."""

    kind: str = setting(
        "auto",
        "auto: labels where the cloud carries the field `label`, else geometric; fcn: a trained segmentation",
        choices=("auto", "labels", "geometric", "fcn"),
    )
    fcn_model: str = setting("", "for fcn: the file that `urban_map_loc train-fcn` made")
    fcn_probability: float = setting(
        0.5, "for fcn: points at least so probably on a building are kept; higher keeps fewer and surer ones", low=0.0, high=1.0
    )
    label_fields: tuple[str, ...] = setting(("label",), "fields of the cloud that may hold the class; the first one there counts")
    label_bits: int = setting(0xFFFF, "bits of a label that are the class; SemanticKITTI keeps the instance in the others", low=1)
    building_labels: tuple[int, ...] = setting((50,), "classes that mean building (SemanticKITTI: 50)", low=0)
    road_labels: tuple[int, ...] = setting(
        (40, 44, 60), "classes that mean road surface (SemanticKITTI: road, parking, lane marking)", low=0
    )
    deskew: bool = setting(True, "undo the car's motion during a sweep, where the cloud says when each point was measured")
    time_fields: tuple[str, ...] = setting(
        ("t", "time", "timestamp", "offset_time", "time_offset", "offset"),
        "fields that may hold the points' times (Ouster, Velodyne, Hesai, Livox and others); the first one there counts",
    )
    time_unit: str = setting(
        "auto", "unit of these times; auto: told from how long the sweep would last", choices=("auto", "s", "ms", "us", "ns")
    )
    minimum_range_m: float = setting(2.5, "nearer points are the car itself", unit="m", low=0.0)
    column_size_m: float = setting(0.5, "side of the ground columns that tell walls from the rest", unit="m", low=0.1, high=5.0)
    ground_clearance_m: float = setting(0.3, "points lower than this above the local ground are ground", unit="m", low=0.0)
    wall_height_m: float = setting(2.0, "a wall's column reaches at least so high above the ground: cars do not", unit="m", low=0.5)
    wall_thickness_m: float = setting(
        0.115,
        "points of a wall spread less than this across it, 1 sigma, within three columns; foliage spreads more",
        unit="m",
        low=0.02,
        high=1.0,
    )
    depth_noise_per_m: float = setting(
        0.0,
        "ranges err by this times their square, 1 sigma: 0 for lidars, for stereo at most disparity error / (focal length * baseline), "
        "0.0003 for KITTI's smoothed pairs; walls may look as much thicker",
        unit="1/m",
        low=0.0,
        high=0.1,
    )
    wall_length_m: float = setting(
        3.5, "joined wall columns shorter than this are no building: poles, trunks", unit="m", low=0.0, high=50.0
    )
    minimum_hits: int = setting(20, "scans with fewer building points say nothing and are skipped", low=1)
