# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Clouds in files: KITTI's .bin with SemanticKITTI's .label beside it, and PCD."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from urban_map_loc.cloud.cloud import NO_LABEL, WholeCloud
from urban_map_loc.cloud.pcd import read_pcd
from urban_map_loc.errors import CloudError
from urban_map_loc.reading import require_size

KITTI_COLUMNS = 4  # x, y, z, intensity
SUFFIXES = (".bin", ".pcd")


def read_cloud_file(path: Path, labels: Path | None = None) -> WholeCloud:
    """A cloud from a file.

    Args:
        path: .bin (float32 x, y, z, intensity, as KITTI writes them) or .pcd.
        labels: SemanticKITTI's classes for it, one uint32 a point; they replace a field `label` of the file.

    Raises:
        CloudError: a file is missing, damaged, of another kind, or the two do not fit together.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise CloudError(f"{path}: {path.suffix or 'no suffix'} is no known kind of cloud; give a {' or '.join(SUFFIXES)} file, or a bag")
    content = _read(path)
    try:
        cloud = _kitti(content) if path.suffix.lower() == ".bin" else _pcd(content)
    except CloudError as error:
        raise CloudError(f"{path}: {error}") from None
    if labels is None:
        return cloud
    values = _read(labels)
    if len(values) != 4 * len(cloud.points):
        raise CloudError(
            f"{labels}: {len(values) / 4:g} labels for the {len(cloud.points)} points of {path}; give the labels of this cloud"
        )
    return replace(cloud, label=np.frombuffer(values, "<u4").astype(np.int64))


def _read(path: Path) -> bytes:
    require_size(path, "largest_cloud_mb", CloudError)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CloudError(f"{path} does not exist; check the path") from None
    except OSError as error:
        raise CloudError(f"{path} cannot be read: {error.strerror or error}; check the path and the permissions") from None


def _kitti(content: bytes) -> WholeCloud:
    size = 4 * KITTI_COLUMNS
    if len(content) % size:
        raise CloudError(f"{len(content)} bytes are no whole number of {size}-byte points (float32 x, y, z, intensity); copy it again")
    points = np.frombuffer(content, "<f4").reshape(-1, KITTI_COLUMNS)[:, :3]
    return WholeCloud(np.ascontiguousarray(points, np.float32))


def _pcd(content: bytes) -> WholeCloud:
    fields = read_pcd(content)
    if missing := [n for n in "xyz" if n not in fields]:
        raise CloudError(f"no field {', '.join(missing)} (fields: {', '.join(fields) or 'none'}); write x, y and z, one number each")
    with np.errstate(over="ignore", invalid="ignore"):  # a float64 beyond float32's range becomes inf, which counts as not finite
        points = np.column_stack([fields[n] for n in "xyz"]).astype(np.float32)
    cloud = WholeCloud(points)
    if "label" not in fields:
        return cloud
    label = np.where(cloud.finite, fields["label"].astype(np.float64), NO_LABEL)
    if not (np.isfinite(label).all() and (np.abs(label) < 2**53).all() and (label == np.trunc(label)).all()):
        raise CloudError("field label holds numbers that are no integers; write the class as an integer")
    return replace(cloud, label=label.astype(np.int64))
