# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""From a cloud to a scan of walls."""

from __future__ import annotations

import numpy as np
import pytest

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.scan import scan_of_cloud
from urban_map_loc.config import CloudConfig, TileConfig
from urban_map_loc.errors import CloudError


def labelled_circle(count: int) -> Cloud:
    angle = np.linspace(-np.pi, np.pi, count, endpoint=False) + 0.01
    points = np.stack([10 * np.cos(angle), 10 * np.sin(angle), np.ones(count)], axis=-1)
    return Cloud(7.5, points.astype(np.float32), np.full(count, 50))


def test_scan_of_labels() -> None:
    scan = scan_of_cloud(labelled_circle(100), CloudConfig(), TileConfig())
    assert scan.stamp_s == 7.5
    assert scan.points.shape == (100, 2)
    assert scan.points.dtype == np.float64
    assert scan.seen_m is not None
    assert (np.abs(scan.seen_m[scan.seen_m > 0.0] - 10.0) < 1e-5).all()


def test_too_few_hits() -> None:
    with pytest.raises(CloudError, match="only 7 building points"):
        scan_of_cloud(labelled_circle(7), CloudConfig(), TileConfig())


def test_the_field_of_view_cuts_scans_as_it_cuts_tiles() -> None:
    narrow = TileConfig(sectors=120, field_of_view_rad=np.pi / 3)
    assert TileConfig().sectors_per_turn == TileConfig().sectors
    assert narrow.sectors_per_turn == 720
    scan = scan_of_cloud(labelled_circle(600), CloudConfig(), narrow)
    assert len(scan.points) == 100
    assert np.abs(np.arctan2(scan.points[:, 1], scan.points[:, 0])).max() <= np.pi / 6
