"""The nearest wall in every direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from urban_map_loc.cloud.cloud import Cloud
from urban_map_loc.cloud.scan import nearest_per_sector, scan_of_cloud
from urban_map_loc.config import CloudConfig, TileConfig
from urban_map_loc.errors import CloudError


def test_the_nearest_of_a_sector_wins() -> None:
    points = np.array([[20, 0.1, 1], [10, 0.1, 5], [30, 0.1, 1], [0.1, -10, 0]], np.float32)
    hits = nearest_per_sector(points, np.ones(4, bool), 360, 2.5, 50.0)
    np.testing.assert_allclose(hits, [[0.1, -10], [10, 0.1]], atol=1e-6)


def test_range_and_mask() -> None:
    points = np.array([[1, 0.1, 0], [60, -9, 0], [10, 5, 0], [10, -5, 0]], np.float32)
    hits = nearest_per_sector(points, np.array([True, True, False, True]), 360, 2.5, 50.0)
    assert hits.tolist() == [[10.0, -5.0]]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-6000, 6000).map(lambda v: v / 100.0 + 0.003)] * 3), max_size=60),
    st.sampled_from([90, 360, 719]),
)
def test_against_the_definition(points: list[tuple[float, float, float]], sectors: int) -> None:
    cloud = np.array(points, np.float32).reshape(-1, 3)
    hits = nearest_per_sector(cloud, np.ones(len(cloud), bool), sectors, 2.5, 50.0)
    plane = cloud[:, :2].astype(float) + 0.0
    distance = np.hypot(*plane.T)
    inside = (distance**2 >= 2.5**2) & (distance**2 <= 50.0**2)
    azimuth = np.arctan2(plane[:, 1], plane[:, 0])
    sector = np.minimum(sectors - 1, ((azimuth + np.pi) * (sectors / (2 * np.pi))).astype(int))
    expected = [distance[inside & (sector == k)].min() for k in np.unique(sector[inside])]
    np.testing.assert_allclose(np.hypot(*hits.T), expected, rtol=1e-12)
    assert (np.diff(np.arctan2(hits[:, 1], hits[:, 0])) > 0).all()


def labelled_circle(count: int) -> Cloud:
    angle = np.linspace(-np.pi, np.pi, count, endpoint=False) + 0.01
    points = np.stack([10 * np.cos(angle), 10 * np.sin(angle), np.ones(count)], axis=-1)
    return Cloud(7.5, points.astype(np.float32), np.full(count, 50))


def test_scan_of_labels() -> None:
    scan = scan_of_cloud(labelled_circle(100), CloudConfig(), TileConfig())
    assert scan.stamp_s == 7.5
    assert scan.points.shape == (100, 2)
    assert scan.points.dtype == np.float64


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
