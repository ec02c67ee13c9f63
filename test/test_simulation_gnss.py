# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The simulated receiver: hidden sky, errors in canyons and in the open, a recorded receiver played again."""

import numpy as np
import pytest
import shapely

from urban_map_loc.config import SimulationConfig
from urban_map_loc.errors import BagError
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.simulation.gnss import hidden_sky, recorded_fixes, simulated_fixes
from urban_map_loc.simulation.solids import Mesh, prism
from urban_map_loc.simulation.terrain import Terrain
from urban_map_loc.simulation.world import World

PLANE = LocalTangentPlane(GeoPoint(51.76, -1.26))
EMPTY = Mesh.joined([])
FLOOR = Terrain.level().ground(-500.0, -500.0, 500.0, 500.0)
OPEN = World(FLOOR, EMPTY, EMPTY, EMPTY)
# A canyon along east: walls 20 m high, 6 m left and right.
CANYON = World(FLOOR, Mesh.joined([prism(shapely.box(-400.0, y, 400.0, y + 8.0), 0.0, 20.0) for y in (6.0, -14.0)]), EMPTY, EMPTY)
STAMPS = 1000.0 + np.arange(0.0, 600.0, 0.2)
POSES = np.column_stack([np.linspace(-100.0, 100.0, len(STAMPS)), np.zeros(len(STAMPS)), np.zeros(len(STAMPS))])


def errors(world, seed=0, config=None):
    fixes = simulated_fixes(world, STAMPS, POSES, PLANE, config or SimulationConfig(), np.random.default_rng(seed))
    at = np.searchsorted(STAMPS, fixes.stamp_s)
    return PLANE.to_enu(*fixes.lat_lon_deg.T) - POSES[at, :2], fixes


def test_walls_hide_the_sky_across_the_street():
    assert not hidden_sky(OPEN, np.zeros((1, 2))).any()
    hidden = hidden_sky(CANYON, np.zeros((1, 2)))[0]
    assert not hidden[0].any()  # east, along the street
    assert hidden[6].all()  # north: up to atan(18.4 / 6) = 72 degrees
    np.testing.assert_array_equal(hidden[6], hidden[18])


def test_errors_grow_where_the_sky_is_narrow_and_lie_across_the_street():
    in_the_open, in_the_canyon = (np.concatenate([errors(world, seed)[0] for seed in range(3)]) for world in (OPEN, CANYON))
    assert np.std(in_the_open) == pytest.approx(np.hypot(0.9, 0.3), rel=0.35)
    assert np.percentile(np.hypot(*in_the_canyon.T), 95) > 3.0 * np.percentile(np.hypot(*in_the_open.T), 95)
    often = SimulationConfig(gnss_noise_m=0.0, gnss_wander_m=0.0, gnss_false_s=0.5, gnss_false_every_s=0.5)
    off, _ = errors(CANYON, config=often)
    assert off[:, 1].std() > 1.25 * off[:, 0].std()


def test_false_positions_last_for_seconds():
    off, fixes = errors(CANYON, config=SimulationConfig(gnss_noise_m=0.0, gnss_wander_m=0.0, gnss_false_s=5.0))
    false = np.hypot(*off.T) > 0.05
    starts = np.flatnonzero(np.diff(false.astype(int)) == 1)
    ends = np.flatnonzero(np.diff(false.astype(int)) == -1)
    assert len(starts) > 10
    lasting = fixes.stamp_s[ends[ends > starts[0]]] - fixes.stamp_s[starts[: np.sum(ends > starts[0])]]
    assert 2.0 < lasting.mean() < 12.0


def test_stated_variance_grows_with_the_hidden_sky_but_knows_of_no_reflection():
    _, in_the_open = errors(OPEN)
    _, in_the_canyon = errors(CANYON)
    np.testing.assert_allclose(in_the_open.covariance_m2, np.broadcast_to(4.0 * 0.9 * np.eye(2), in_the_open.covariance_m2.shape))
    assert in_the_canyon.covariance_m2[:, 0, 0].min() > in_the_open.covariance_m2[0, 0, 0]


def test_no_fix_where_no_sky_is_left():
    _, fixes = errors(CANYON, config=SimulationConfig(gnss_lost=0.0))
    assert len(fixes.stamp_s) == 0


HEADER = "timestamp,num_satellites,latitude,longitude,altitude,latitude_sigma,longitude_sigma,altitude_sigma,northing,easting,down,utm_zone"


def test_a_recorded_receiver(tmp_path):
    file = tmp_path / "gps.csv"
    rows = ["2000400,7,51.76,-1.26,60,2.0,1.5,4,0,0,0,30U", "2000200,7,51.77,-1.26,60,3.0,1.0,4,0,0,0,30U"]
    rows.append("2000600,0,nan,nan,60,0,0,4,0,0,0,30U")
    file.write_text("\n".join([HEADER, *rows]) + "\n")
    fixes = recorded_fixes(file)
    assert fixes.stamp_s == pytest.approx([2.0002, 2.0004])
    np.testing.assert_array_equal(fixes.lat_lon_deg, [[51.77, -1.26], [51.76, -1.26]])
    np.testing.assert_array_equal(fixes.covariance_m2[0], [[1.0, 0.0], [0.0, 9.0]])
    assert len(fixes.between(2.0003, 3.0).stamp_s) == 1


@pytest.mark.parametrize("content", [None, b"", b"a,b\n1,2\n", HEADER.encode() + b"\n1,2\n", b"\xff\xfe\x00"])
def test_what_is_no_receivers_file(tmp_path, content):
    file = tmp_path / "gps.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BagError, match=r"gps\.csv"):
        recorded_fixes(file)
