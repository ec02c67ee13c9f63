# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Stereo: made-up pairs with known disparities, and real pairs against the lidar of the same moment."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from urban_map_loc.cloud import stereo
from urban_map_loc.cloud.camera import StereoRig
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.cloud.stereo import match, read_image, smoothed, stereo_cloud, thinned
from urban_map_loc.config import StereoConfig
from urban_map_loc.errors import BagError, CloudError, ConfigurationError

CONFIG = StereoConfig(disparities=32)
RIG = StereoRig(200.0, 120.0, 80.0, 0.5, 120.0)
FORWARD = Extrinsic(np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), np.array([1.0, 0.0, 1.6]))
SHAPE = (160, 240)


def pair(disparity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A textured right image and the left one that the disparities `(H, W)` of the left image make of it."""
    rng = np.random.default_rng(0)
    height, width = disparity.shape
    texture = rng.random((height, 2 * width))
    for _ in range(2):  # smooth enough to be read between pixels
        texture = (np.roll(texture, 1, 1) + 2.0 * texture + np.roll(texture, -1, 1)) / 4.0
    grey = 255.0 * (texture - texture.min()) / np.ptp(texture)
    columns = np.arange(2.0 * width)
    left = np.array([np.interp(np.arange(width) + width / 2 - d, columns, row) for row, d in zip(grey, disparity, strict=True)])
    right = grey[:, width // 2 : width // 2 + width]
    return left.round().astype(np.uint8), right.round().astype(np.uint8)


def test_a_flat_wall_is_where_it_is():
    """Disparity 10 at focal length 200 and baseline 0.5: 10 m ahead of a camera that sits 1 m ahead of the base."""
    cloud = stereo_cloud(*pair(np.full(SHAPE, 10.0)), RIG, FORWARD, CONFIG, stamp_s=3.5)
    assert cloud.stamp_s == 3.5
    assert len(cloud.points) > 500
    np.testing.assert_allclose(cloud.points[:, 0], 11.0, atol=0.1)
    # The image spans 240 / 200 of the distance, less the strip that only the left camera sees; the right edge is at y < 0.
    assert cloud.points[:, 1].min() == pytest.approx(-6.0, abs=0.3)
    assert cloud.points[:, 2].max() == pytest.approx(1.6 + 4.0, abs=0.3)


def test_a_slanted_wall_is_a_plane():
    slope = np.broadcast_to(np.linspace(6.0, 14.0, SHAPE[1]), SHAPE)
    found = smoothed(match(*pair(slope), CONFIG), CONFIG)
    seen = np.isfinite(found)
    assert seen[20:-20, 40:-20].mean() > 0.9
    assert np.abs(found - slope)[seen].max() < 0.5
    assert np.median(np.abs(found - slope)[seen]) < 0.1


def test_smoothing_keeps_planes_and_drops_scatter():
    rng = np.random.default_rng(1)
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]]
    plane = (8.0 + 0.02 * u + 0.01 * v).astype(np.float32)
    exact = smoothed(plane, CONFIG)
    seen = np.isfinite(exact)
    assert seen[8:-8, 8:-8].all()  # in the corners a window lies half outside the image
    np.testing.assert_allclose(exact[seen], plane[seen], atol=5e-3)
    noisy = plane + rng.normal(0.0, 0.2, SHAPE).astype(np.float32)
    calm = smoothed(noisy, CONFIG)
    assert np.nanstd(calm - plane) < 0.05
    wild = plane + rng.uniform(-3.0, 3.0, SHAPE).astype(np.float32)
    assert np.isnan(smoothed(wild, CONFIG)).mean() > 0.99


def test_smoothing_does_not_bridge_a_step():
    step = np.full(SHAPE, 5.0, np.float32)
    step[:, 120:] = 12.0
    calm = smoothed(step, CONFIG)
    seen = np.isfinite(calm)
    assert seen.mean() > 0.8
    assert np.abs(calm - step)[seen].max() < 1e-2


def test_nothing_beyond_the_reach():
    near, far = np.full(SHAPE, 10.0), np.full(SHAPE, 4.0)
    config = StereoConfig(disparities=32, disparity_error_px=0.5, depth_error_m=1.0)
    assert RIG.reach_m(1.0, 0.5) == pytest.approx(np.sqrt(200.0))  # 14.1 m: disparity 7
    assert len(stereo_cloud(*pair(near), RIG, FORWARD, config).points)
    with pytest.raises(CloudError, match="nothing within 14 m"):
        stereo_cloud(*pair(far), RIG, FORWARD, config)


def test_grey_images_show_nothing():
    grey = np.full(SHAPE, 100, np.uint8)
    with pytest.raises(CloudError, match="shows nothing"):
        stereo_cloud(grey, grey, RIG, FORWARD, CONFIG)


@pytest.mark.parametrize("right", [(160, 239), (160, 240, 3), (0, 0)])
def test_images_that_do_not_fit(right):
    with pytest.raises(CloudError, match="one size"):
        match(np.zeros(SHAPE, np.uint8), np.zeros(right, np.uint8), CONFIG)


@pytest.mark.parametrize("config", [StereoConfig(disparities=40), StereoConfig(disparities=32, block_px=4)])
def test_settings_that_the_matcher_has_not(config):
    with pytest.raises(ConfigurationError, match="multiple of 16 and block_px"):
        match(*pair(np.full(SHAPE, 8.0)), config)


def test_thinning_by_hand():
    points = np.array([[0.01, 0, 0], [0.03, 0, 0], [0.95, 0, 0], [-0.01, 0, 0], [-0.05, 0.02, 0]], np.float32)
    means = thinned(points, 0.1)
    np.testing.assert_allclose(means[np.argsort(means[:, 0])], [[-0.03, 0.01, 0], [0.02, 0, 0]], atol=1e-6)
    assert thinned(np.zeros((0, 3), np.float32), 0.1).shape == (0, 3)


@given(
    st.lists(st.tuples(*[st.floats(-30.0, 30.0, width=32)] * 3), max_size=40),
    st.sampled_from([0.1, 0.5, 3.0]),
)
def test_thinned_points_stay_in_their_cubes(points, spacing):
    cloud = np.array([*points, *points], np.float32).reshape(-1, 3)
    means = thinned(cloud, spacing)
    cubes = {tuple(c) for c in np.floor(cloud / np.float32(spacing)).astype(int)}
    assert len(means) == len(cubes)
    for mean in means:
        assert np.abs(cloud - mean).max(axis=1).min(initial=np.inf) <= spacing + 1e-4


def test_pictures(tmp_path):
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 6, 3), 80, np.uint8))
    assert read_image(tmp_path / "a.png").tolist() == [[80] * 6] * 4
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(BagError, match="is no picture"):
        read_image(tmp_path / "b.png")
    with pytest.raises(BagError, match="does not exist"):
        read_image(tmp_path / "c.png")


def test_without_opencv_one_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ConfigurationError, match="pip install opencv-python-headless"):
        stereo._cv2()


def test_opencv_is_not_imported_before_it_is_used():
    code = "import sys, urban_map_loc.cloud.stereo; print('cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
