# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Cameras against numbers that can be worked out by hand, and as inverses of themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from urban_map_loc.cloud.camera import (
    Camera,
    StereoRig,
    distort,
    read_robotcar_camera,
    read_undistortion_table,
    triangulate,
    undistort,
    undistort_image,
)
from urban_map_loc.errors import BagError, ConfigurationError

PINHOLE = Camera(500.0, 400.0, 320.0, 240.0)
LENS = (-0.3, 0.12, 0.001, -0.002, -0.02)  # a usual wide lens
RIG = StereoRig(700.0, 600.0, 180.0, 0.5, 600.0)
MODEL = "983.0 983.0 643.6 493.4\n0 -0 1 0\n1 0 -0 0.24\n0 1 0 0\n0 0 0 1\n"


def test_projection_by_hand():
    np.testing.assert_allclose(PINHOLE.project([[0, 0, 5], [1, 0, 2], [0, -1, 4]]), [[320, 240], [570, 240], [320, 140]])


@pytest.mark.parametrize("behind", [[0.0, 0.0, -1.0], [1.0, 1.0, 0.0], [0.0, 0.0, np.nan]])
def test_what_is_not_in_front_has_no_pixel(behind):
    assert np.isnan(PINHOLE.project([behind])).all()


def test_distortion_by_hand():
    """At (1, 0): radial 1 + 0.1 + 0.01 + 0.001, tangential p2 (1 + 2) along x and p1 along y."""
    np.testing.assert_allclose(distort([[1.0, 0.0]], (0.1, 0.01, 0.02, 0.03, 0.001)), [[1.111 + 0.09, 0.02]])
    np.testing.assert_allclose(distort([[0.0, 1.0]], (0.1, 0.01, 0.02, 0.03, 0.001)), [[0.03, 1.111 + 0.06]])


@given(st.lists(st.tuples(st.floats(-0.7, 0.7), st.floats(-0.5, 0.5)), min_size=1, max_size=20))
def test_undistortion_undoes_distortion(flat):
    np.testing.assert_allclose(undistort(distort(flat, LENS), LENS), flat, atol=1e-9)


def test_beyond_the_fold_there_is_no_answer():
    """x (1 - x²) never exceeds 0.385: nothing is seen beyond."""
    inside, outside = undistort([[0.38, 0.0], [0.39, 0.0]], (-1.0, 0.0, 0.0, 0.0, 0.0))
    assert distort([inside], (-1.0, 0.0, 0.0, 0.0, 0.0))[0] == pytest.approx([0.38, 0.0])
    assert np.isnan(outside).all()


@given(st.tuples(st.floats(-3.0, 3.0), st.floats(-2.0, 2.0), st.floats(5.0, 80.0)))
def test_rays_lead_back_to_the_point(point):
    camera = Camera(500.0, 510.0, 320.0, 240.0, LENS)
    ray = camera.rays(camera.project([point]))
    np.testing.assert_allclose(ray[0] * point[2], point, atol=1e-6)


def projection(t: tuple[float, float, float]) -> np.ndarray:
    K = np.array([[700.0, 0.0, 600.0], [0.0, 700.0, 180.0], [0.0, 0.0, 1.0]])
    return K @ np.column_stack([np.eye(3), t])


@given(st.lists(st.tuples(st.floats(-8.0, 8.0), st.floats(-3.0, 3.0), st.floats(2.0, 50.0)), min_size=1, max_size=8))
def test_two_exact_views_give_the_point_in_both_ways(points):
    P_left, P_right = projection((0.0, 0.0, 0.0)), projection((-0.5, 0.0, 0.0))
    left, right = ((h := np.column_stack([points, np.ones(len(points))]) @ P.T)[:, :2] / h[:, 2:] for P in (P_left, P_right))
    np.testing.assert_allclose(triangulate(P_left, P_right, left, right), points, atol=1e-6)
    rig = StereoRig.from_projections(P_left, P_right)
    assert rig == RIG
    np.testing.assert_allclose(rig.points(left, left[:, 0] - right[:, 0]), points, atol=1e-6)


def test_parallel_rays_meet_nowhere():
    P_left, P_right = projection((0.0, 0.0, 0.0)), projection((-0.5, 0.0, 0.0))
    far = triangulate(P_left, P_right, [[600.0, 180.0]], [[600.0, 180.0]])
    assert not (np.isfinite(far).all() and np.abs(far).max() < 1e6)
    assert RIG.depth(np.array([0.0])) == np.inf


def test_depth_and_reach_by_hand():
    assert RIG.depth(np.array([35.0])) == pytest.approx(10.0)
    offset = StereoRig(700.0, 600.0, 180.0, 0.5, 590.0)  # principal points ten columns apart
    assert offset.depth(np.array([45.0])) == pytest.approx(10.0)
    reach = RIG.reach_m(1.0, 0.5)
    assert reach == pytest.approx(np.sqrt(700.0))
    seen = RIG.depth(350.0 / reach + np.array([0.0, -0.005]))
    assert (seen[1] - seen[0]) / 0.005 * 0.5 == pytest.approx(1.0, rel=1e-3)


def test_kitti_calibration_of_the_colour_pair():
    """P2 and P3 both carry an offset to camera 0, and tiny ones along y and z: the baseline is their difference."""
    P = np.array([[700.0, 0.0, 600.0, 35.0], [0.0, 700.0, 180.0, -0.1], [0.0, 0.0, 1.0, 0.004]])
    right = P.copy()
    right[0, 3] = -315.0
    assert StereoRig.from_projections(P, right).baseline_m == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("right", "reason"),
    [
        (projection((0.5, 0.0, 0.0)), "is left right"),
        (np.eye(3), "3x4"),
        (projection((np.nan, 0.0, 0.0)), "finite"),
        (projection((-0.5, 0.0, 0.0)) * 1.01, "rectify"),
    ],
)
def test_what_is_no_rectified_pair(right, reason):
    with pytest.raises(ConfigurationError, match=reason):
        StereoRig.from_projections(projection((0.0, 0.0, 0.0)), right)


def test_robotcar_camera_model(tmp_path):
    file = tmp_path / "stereo_wide_right.txt"
    file.write_text(MODEL)
    camera, T_camera_image = read_robotcar_camera(file)
    assert camera == Camera(983.0, 983.0, 643.6, 493.4)
    # One metre ahead in the image is x in the dataset's axes; the right camera sits 0.24 m along y, to the right.
    np.testing.assert_allclose(T_camera_image @ [0.0, 0.0, 1.0, 1.0], [1.0, 0.24, 0.0, 1.0])


@pytest.mark.parametrize("text", ["", "1 2 3", MODEL + "1", MODEL.replace("983.0", "-983.0"), MODEL.replace("0.24", "far"), "ü"])
def test_damaged_camera_model(tmp_path, text):
    file = tmp_path / "model.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BagError, match=r"model\.txt"):
        read_robotcar_camera(file)
    with pytest.raises(BagError, match="missing"):
        read_robotcar_camera(tmp_path / "none.txt")


def test_undistortion_table_and_image(tmp_path):
    """A table that shifts the image by half a column to the left and looks outside it in the last column."""
    image = np.array([[10, 20, 40], [50, 60, 80]], dtype=np.uint8)
    u, v = np.meshgrid(np.arange(3.0) + 0.5, np.arange(2.0))
    file = tmp_path / "lut.bin"
    np.concatenate([u.ravel(), v.ravel()]).astype("<f8").tofile(file)
    table = read_undistortion_table(file, 2, 3)
    assert table.shape == (2, 3, 2)
    np.testing.assert_array_equal(undistort_image(image, table), [[15, 30, 0], [55, 70, 0]])


def test_the_identity_table_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (7, 9)).astype(np.uint8)
    table = np.stack(np.meshgrid(np.arange(9.0), np.arange(7.0)), axis=-1).astype(np.float32)
    np.testing.assert_array_equal(undistort_image(image, table), image)
    table[3, 4] = np.nan
    assert undistort_image(image, table)[3, 4] == 0


@pytest.mark.parametrize("size", [0, 95, 97, 8 * 11])
def test_undistortion_table_of_another_size(tmp_path, size):
    file = tmp_path / "lut.bin"
    file.write_bytes(bytes(size))
    with pytest.raises(BagError, match=r"3x2 image needs 12"):
        read_undistortion_table(file, 2, 3)
    with pytest.raises(BagError, match="cannot be read"):
        read_undistortion_table(tmp_path / "none.bin", 2, 3)


def test_the_dataset_s_own_models(data_dir: Path):
    """The wide pair of RobotCar: one pinhole, 24 cm apart along y."""
    models = data_dir / "robotcar" / "models"
    left, T_left = read_robotcar_camera(models / "stereo_wide_left.txt")
    right, T_right = read_robotcar_camera(models / "stereo_wide_right.txt")
    assert left == right
    np.testing.assert_allclose((T_right - T_left)[:3, 3], [0.0, 0.24, 0.0], atol=1e-4)
