# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Trajectories: both CSV forms, interpolation, bad files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from urban_map_loc.errors import BagError
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.geometry.utm import utm_to_geodetic

PLANE = LocalTangentPlane(GeoPoint(50.0, 8.0))


ROBOTCAR = "timestamp,latitude,longitude,yaw,utm_zone,easting,northing\n"


def write(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_columns_by_name_and_skips_comments(tmp_path):
    text = "# a comment\nextra,time_s,lat_deg,lon_deg,yaw_enu_rad\n9,1.5,50.0,8.0,0.25\n9,2.5,50.1,8.1,-0.25\n"
    trajectory = Trajectory.read_csv(write(tmp_path, text))
    np.testing.assert_array_equal(trajectory.time_s, [1.5, 2.5])
    np.testing.assert_array_equal(trajectory.lat_deg, [50.0, 50.1])
    np.testing.assert_array_equal(trajectory.lon_deg, [8.0, 8.1])
    np.testing.assert_array_equal(trajectory.yaw_enu_rad, [0.25, -0.25])


def test_round_trip(tmp_path):
    trajectory = Trajectory([1.0, 2.000001], [50.123456789, 50.2], [8.0, -8.000000001], [3.1, -3.1])
    trajectory.write_csv(tmp_path / "t.csv")
    back = Trajectory.read_csv(tmp_path / "t.csv")
    for name in ("time_s", "lat_deg", "lon_deg", "yaw_enu_rad"):
        np.testing.assert_allclose(getattr(back, name), getattr(trajectory, name), atol=1e-9, rtol=0)


def test_robotcar_ins_csv(tmp_path):
    text = "timestamp,ins_status,latitude,longitude,yaw\n1417534257594785,OK,51.76,-1.26,0.0\n1417534257614785,OK,51.77,-1.27,3.0\n"
    trajectory = Trajectory.read_csv(write(tmp_path, text))
    np.testing.assert_allclose(np.diff(trajectory.time_s), [0.02], atol=1e-6)
    np.testing.assert_allclose(trajectory.yaw_enu_rad, [np.pi / 2, np.pi / 2 - 3.0])
    np.testing.assert_array_equal(trajectory.lat_deg, [51.76, 51.77])


def test_robotcar_images_csv_takes_utm_where_it_is_finer(tmp_path):
    header = "image_name,gpstimestamp,latitude,longitude,northing,easting,utm_zone,yaw\n"
    text = header + "1,1417534257594149,51.760564,-1.261262,5735838.283699,619996.830979,30U,4.9\n"
    trajectory = Trajectory.read_csv(write(tmp_path, text))
    assert trajectory.lat_deg[0] == pytest.approx(51.760564, abs=1e-6)
    assert trajectory.lat_deg[0] != 51.760564
    assert trajectory.time_s[0] == pytest.approx(1417534257.594149, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "timestamp,latitude,longitude,yaw,utm_zone,easting\n1,51,-1,0,30U,619996\n",
        "timestamp,latitude,longitude,yaw,utm_zone,northing\n1,51,-1,0,30U,5735838\n",
        "timestamp,latitude,longitude,yaw,easting,northing\n1,51,-1,0,619996,5735838\n",
        ROBOTCAR + "1,51,-1,0,30U,619996,5735838\n2,51,-1,0,31U,619996,5735838\n",
    ],
)
def test_incomplete_utm_is_left_alone(tmp_path, text):
    trajectory = Trajectory.read_csv(write(tmp_path, text))
    assert (trajectory.lat_deg == 51.0).all()
    assert (trajectory.lon_deg == -1.0).all()


def test_utm_bands_from_n_on_are_north(tmp_path):
    north, south = (Trajectory.read_csv(write(tmp_path, ROBOTCAR + f"1,0,0,0,30{band},619996,573583\n")).lat_deg[0] for band in "NM")
    assert north == pytest.approx(5.19, abs=0.01)
    assert south == pytest.approx(-84.77, abs=0.01)


@pytest.mark.parametrize(("column", "limit"), [(1, 90.0), (2, 360.0), (3, 1e6)])
def test_positions_and_headings_have_limits(column, limit):
    for sign in (-1.0, 1.0):
        for beyond in (0.0, 0.5):
            columns = [[1.0, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
            columns[column][1] = sign * (limit + beyond)
            if beyond:
                with pytest.raises(BagError, match="no degrees or headings no radians"):
                    Trajectory(*columns)
            else:
                assert len(Trajectory(*columns)) == 2


@pytest.mark.parametrize("column", range(4))
def test_columns_are_numbers_in_one_row_as_many_as_times(column):
    for wrong in ([1.0], [1.0, 2.0, 3.0], [[1.0], [2.0]], [1.0, np.nan], [1.0, np.inf]):
        columns = [[1.0, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
        columns[column] = wrong
        with pytest.raises(BagError, match=r"has gaps or another length"):
            Trajectory(*columns)


def test_times_that_stand_still_are_refused():
    with pytest.raises(BagError, match="do not increase"):
        Trajectory([1.0, 1.0], [50.0, 50.0], [8.0, 8.0], [0.0, 0.0])


def test_repeated_stamps_count_once(tmp_path):
    text = "time_s,lat_deg,lon_deg,yaw_enu_rad\n1,50,8,0\n1,51,8,0\n2,50,8,0\n"
    assert len(Trajectory.read_csv(write(tmp_path, text))) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no rows"),
        ("time_s,lat_deg,lon_deg,yaw_enu_rad\n", "no rows"),
        ("a,b\n1,2\n", "columns are a, b"),
        ("a,b,c,d,e,f,g\n1,2,3,4,5,6,7\n", "columns are a, b, c, d, e, f; give"),
        ("time_s,lat_deg,lon_deg,yaw_enu_rad\n1,50,8,x\n", "damaged"),
        ("time_s,lat_deg,lon_deg,yaw_enu_rad\n1,50\n", "row 2 has 2 columns"),
        ("time_s,lat_deg,lon_deg,yaw_enu_rad\n1,50,8,nan\n", "gaps"),
        ("time_s,lat_deg,lon_deg,yaw_enu_rad\n2,50,8,0\n1,50,8,0\n", "do not increase"),
        ("timestamp,yaw\n1,0\n", "damaged"),
        ("timestamp,a\n1,0\n", "columns are timestamp, a; give"),
        ("yaw,a\n1,0\n", "columns are yaw, a; give"),
        (ROBOTCAR + "1,51,-1,0,30U,2e7,5735838\n", "none of UTM"),
        (ROBOTCAR + "1,51,-1,0,30U,619996,2e7\n", "none of UTM"),
        (ROBOTCAR + "1,51,-1,0,61U,619996,5735838\n", "none of UTM"),
        (ROBOTCAR + "1,51,-1,1e6,30U,619996,5735838\n", "none in radians"),
    ],
)
def test_bad_files_are_one_line_with_the_path(tmp_path, text, says):
    with pytest.raises(BagError, match=says) as caught:
        Trajectory.read_csv(write(tmp_path, text))
    assert str(caught.value).count("t.csv") == 1
    assert "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(BagError, match="does not exist"):
        Trajectory.read_csv(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(BagError, match="cannot be read as CSV"):
        Trajectory.read_csv(tmp_path / "b.csv")


def test_interpolates_linearly_and_turns_the_short_way():
    poses = np.array([[0.0, 0.0, 3.0], [10.0, 20.0, -3.0]])
    trajectory = Trajectory.from_poses([1.0, 3.0], poses, PLANE)
    at = trajectory.at([0.9, 1.0, 2.0, 3.0, 3.1], PLANE)
    assert np.isnan(at[[0, 4]]).all()
    np.testing.assert_allclose(at[[1, 3]], poses, atol=1e-6)
    np.testing.assert_allclose(at[2, :2], [5.0, 10.0], atol=1e-4)
    assert abs(at[2, 2]) == pytest.approx(np.pi)


@given(st.lists(st.tuples(st.floats(-2e3, 2e3), st.floats(-2e3, 2e3), st.floats(-3.1, 3.1)), min_size=1, max_size=5))
def test_poses_invert_from_poses(rows):
    poses = np.array(rows)
    trajectory = Trajectory.from_poses(np.arange(len(poses)), poses, PLANE)
    np.testing.assert_allclose(trajectory.poses(PLANE), poses, atol=1e-6)


def test_utm_known_points():
    np.testing.assert_allclose(utm_to_geodetic([500000.0], [0.0], 30), [[0.0, -3.0]], atol=1e-12)
    pyproj = pytest.importorskip("pyproj")
    east, north = (v.ravel() for v in np.meshgrid([170e3, 380e3, 500e3, 619996.8, 830e3], [0.2e6, 3e6, 5735838.2, 9.7e6]))
    for code, zone, south in ((32630, 30, False), (32733, 33, True), (32601, 1, False), (32660, 60, False)):
        lon, lat = pyproj.Transformer.from_crs(code, 4326, always_xy=True).transform(east, north)
        ours = utm_to_geodetic(east, north, zone, south)
        np.testing.assert_allclose(ours[:, 0], lat, rtol=0, atol=2e-12)  # a fifth of a micrometre
        np.testing.assert_allclose((ours[:, 1] - lon + 180.0) % 360.0, 180.0, rtol=0, atol=2e-12)


def test_real_routes(data_dir):
    route = Trajectory.read_csv(data_dir / "robotcar" / "2014-12-02-15-30-08" / "ins_at_images.csv")
    poses = route.poses(LocalTangentPlane(GeoPoint(51.76, -1.26)))
    step = np.diff(poses[:, :2], axis=0)
    moving = np.hypot(*step.T) > 0.2
    course = np.arctan2(step[:, 1], step[:, 0])[moving]
    assert np.median(np.abs(np.angle(np.exp(1j * (course - poses[1:, 2][moving]))))) < 0.03
    assert len(Trajectory.read_csv(data_dir / "kitti" / "07" / "truth.csv")) == 1101
