# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Whole simulated drives on a tiny area."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from urban_map_loc.area.area_map import AreaMap
from urban_map_loc.area.geopackage import write_area
from urban_map_loc.bags.reader import BagReader, CloudRecord, FixRecord, OdometryRecord
from urban_map_loc.cli import main
from urban_map_loc.cli import simulate as command
from urban_map_loc.cloud.decode import decode
from urban_map_loc.cloud.deskew import deskewed
from urban_map_loc.config import SimulationConfig, simulation_config
from urban_map_loc.errors import BagError, ConfigurationError
from urban_map_loc.geometry.geodesy import GeoPoint, LocalTangentPlane
from urban_map_loc.geometry.pose2 import Pose2, wrap_angle
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.simulation.classes import BUILDING, FENCE, PERSON, POLE, ROAD, TRUNK, VEGETATION, VEHICLE
from urban_map_loc.simulation.drive import SENSOR_NAMES, simulate, stretches
from urban_map_loc.simulation.odometry import drifting
from urban_map_loc.simulation.traffic import Traffic
from urban_map_loc.simulation.world import build_world

PLANE = LocalTangentPlane(GeoPoint(50.0, 8.0))
PERFECT = SimulationConfig(odometry_scale=0.0, odometry_drift_rad_m=0.0, odometry_walk_rad=0.0)


def geographic(shape):
    def to_degrees(points):
        return PLANE.to_geodetic(points)[:, ::-1]

    return shapely.transform(shape, to_degrees)


def objects(*values):
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


@pytest.fixture(scope="module")
def area():
    """A street of 200 m along x with houses on both sides."""
    houses = [shapely.box(x, y, x + 10, y + 9) for x in range(-100, 100, 25) for y in (8, -17)]
    street = shapely.LineString([(-100, 0), (100, 0)])
    return AreaMap(
        PLANE.datum,
        objects(*[geographic(h) for h in houses]),
        np.full(len(houses), np.nan),
        objects(*[f"way/{k}" for k in range(len(houses))]),
        objects(geographic(street)),
        objects("residential"),
    )


def straight(first_m=-90.0, last_m=90.0, speed=10.0, start_s=0.0):
    time_s = np.arange(0.0, (last_m - first_m) / speed, 0.1)
    poses = np.column_stack([first_m + speed * time_s, np.full_like(time_s, -1.5), np.zeros_like(time_s)])
    return Trajectory.from_poses(time_s + start_s, poses, PLANE)


def test_bag_of_a_drive(area, tmp_path):
    seen = []
    drive = simulate(
        area, straight(), tmp_path / "bag", "vlp16", 0, rate_hz=2.0, start_s=5.0, duration_s=3.0, progress=lambda *p: seen.append(p)
    )
    reader = BagReader(tmp_path / "bag")
    records = list(reader.records())
    clouds = [r for r in records if isinstance(r, CloudRecord)]
    poses = [r for r in records if isinstance(r, OdometryRecord)]
    truth = reader.truth()
    assert drive.clouds == len(clouds) == 6
    assert seen[-1] == (6, 6)
    assert 20 * 6 < len(poses) < 155
    assert truth is not None
    np.testing.assert_allclose(truth.at(clouds[0].stamp_s, area.plane), [[-40.0, -1.5, 0.0]], atol=1e-3)
    assert poses[0].T_odom_base.as_array() == pytest.approx([0.0, 0.0, 0.0])
    assert poses[-1].T_odom_base.x == pytest.approx(10.0 * (poses[-1].stamp_s - poses[0].stamp_s), rel=0.05)
    assert min(r.stamp_s for r in records) >= 1.0  # ROS takes 0 for an unset stamp
    assert [f.name for f in clouds[0].message.fields] == ["x", "y", "z"]
    assert clouds[0].message.width > 5000


def test_classes_are_written_where_they_are_asked_for(area, tmp_path):
    simulate(area, straight(), tmp_path / "bag", "stereo", 0, rate_hz=1.0, duration_s=0.5, labels=True)
    record = next(r for r in BagReader(tmp_path / "bag").records() if isinstance(r, CloudRecord))
    cloud = decode(record.message)
    assert cloud.label is not None
    assert {ROAD, BUILDING} <= set(cloud.label.tolist()) <= {ROAD, BUILDING, VEHICLE, VEGETATION, TRUNK}
    assert np.abs(cloud.points[cloud.label == ROAD, 2]).max() < 1.5
    assert cloud.points[cloud.label == BUILDING, 2].max() > 2.0


@pytest.mark.parametrize(
    ("sensor", "world", "given", "gnss"),
    [("vlp16", "plain", {}, "none"), ("lms151", "street", {}, "simulated"), ("vlp16", "street", {"sweep": True}, "simulated")],
)
def test_same_seed_same_messages(area, tmp_path, sensor, world, given, gnss):
    raw = {}
    config = simulation_config(world, given)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate(area, straight(), tmp_path / name, sensor, seed, rate_hz=2.0, duration_s=1.5, config=config, gnss=gnss)
        raw[name] = list(BagReader(tmp_path / name).raw())
    assert raw["a"] == raw["b"]
    assert raw["a"] != raw["c"]


def clouds_of(bag):
    return [r for r in BagReader(bag).records() if isinstance(r, CloudRecord)]


def test_a_sweep_is_smeared_and_its_times_undo_that(area, tmp_path):
    bare = SimulationConfig(
        sweep=True, dropout=0.0, parked_cars=0.0, trees=0.0, hedges=0.0, traffic_spacing_m=1e6, building_shift_m=0.0, map_shift_m=0.0
    )
    turning = straight(-30.0, 0.0, speed=10.0)
    turning = replace(turning, yaw_enu_rad=0.4 * (turning.time_s - turning.time_s[0]))
    simulate(area, turning, tmp_path / "bag", "hdl32", 0, rate_hz=2.0, duration_s=2.2, config=bare)
    record = clouds_of(tmp_path / "bag")[-1]
    assert [f.name for f in record.message.fields] == ["x", "y", "z", "ring", "time"]
    cloud = decode(record.message)
    assert cloud.offset_s is not None
    assert -0.1 <= cloud.offset_s.min() < -0.09
    assert -0.005 < cloud.offset_s.max() <= 0.0
    truth = BagReader(tmp_path / "bag").truth()

    class Motion:
        def poses(self, stamps):
            return truth.at(stamps, area.plane)

    T_map_base = Pose2.from_array(truth.at([record.stamp_s], area.plane)[0])
    walls = shapely.union_all(shapely.boundary(area.buildings))

    def off_the_walls(points):
        high = points[points[:, 2] > 1.0]
        return np.percentile(shapely.distance(shapely.points(T_map_base.transform(high[:, :2].astype(float))), walls), 90)

    assert off_the_walls(cloud.points) > 0.4
    assert off_the_walls(deskewed(cloud, Motion()).points) < 0.08


def test_every_point_has_its_beam(area, tmp_path):
    config = SimulationConfig(sweep=True, range_noise_m=0.0)
    simulate(area, straight(), tmp_path / "bag", "vlp16", 0, rate_hz=1.0, duration_s=0.5, config=config)
    message = clouds_of(tmp_path / "bag")[0].message
    kinds = {"names": ["x", "y", "z", "ring"], "formats": ["<f4"] * 3 + ["<u2"], "offsets": [0, 4, 8, 12], "itemsize": message.point_step}
    table = np.frombuffer(message.data.tobytes(), np.dtype(kinds))
    elevation = np.degrees(np.arctan2(table["z"] - 1.8, np.hypot(table["x"], table["y"])))
    np.testing.assert_allclose(elevation, 15.0 - 2.0 * table["ring"], atol=0.01)


def test_intensity_tells_asphalt_from_walls(area, tmp_path):
    config = SimulationConfig(intensity=True)
    simulate(area, straight(), tmp_path / "bag", "vlp16", 0, rate_hz=1.0, duration_s=0.5, config=config, labels=True)
    message = clouds_of(tmp_path / "bag")[0].message
    assert [f.name for f in message.fields] == ["x", "y", "z", "intensity", "label"]
    intensity = np.frombuffer(message.data.tobytes(), np.float32).reshape(message.width, -1)[:, 3]
    label = decode(message).label
    assert 0.0 <= intensity.min() < intensity.max() <= 100.0
    assert np.percentile(intensity[label == ROAD], 90) < np.median(intensity[label == BUILDING])


def test_push_broom_clouds_grow_to_the_strip(area, tmp_path):
    config = SimulationConfig(strip_behind_m=20.0)
    drive = simulate(area, straight(), tmp_path / "bag", "lms151", 0, rate_hz=2.0, duration_s=5.0, config=config)
    assert drive.clouds == 10
    clouds = [decode(record.message) for record in clouds_of(tmp_path / "bag")]
    sizes = [len(cloud.points) for cloud in clouds]
    assert sizes[0] < 600
    assert min(sizes[5:]) > 20000
    x = np.concatenate([cloud.points[:, 0] for cloud in clouds[5:]])
    assert -23.0 < np.percentile(x, 0.1) < -15.0  # the scanner stands 3.5 m before base_link, and scans come by the half second
    assert [f.name for f in clouds_of(tmp_path / "bag")[0].message.fields] == ["x", "y", "z"]


def test_fixes_are_written_in_order(area, tmp_path):
    drive = simulate(area, straight(), tmp_path / "bag", "vlp16", 0, rate_hz=2.0, duration_s=3.0, gnss="simulated")
    records = list(BagReader(tmp_path / "bag").records())
    fixes = [r for r in records if isinstance(r, FixRecord)]
    assert drive.fixes == len(fixes) == 15
    stamps = [r.stamp_s for r in records]
    assert stamps == sorted(stamps)
    truth = BagReader(tmp_path / "bag").truth()
    inside = [f for f in fixes if f.stamp_s <= truth.time_s[-1]]
    off = PLANE.to_enu(*np.array([(f.lat_deg, f.lon_deg) for f in inside]).T) - truth.at([f.stamp_s for f in inside], PLANE)[:, :2]
    assert 0.1 < np.hypot(*off.T).max() < 100.0


def test_a_recorded_receivers_fixes_keep_their_time(area, tmp_path):
    route = straight(start_s=1000.0)
    lat, lon = PLANE.to_geodetic(np.array([[-80.0, 2.0]]))[0]
    header = "timestamp,latitude,longitude,latitude_sigma,longitude_sigma"
    rows = [f"{stamp},{lat:.8f},{lon:.8f},2.0,2.0" for stamp in (999000000, 1001000000, 1001200000, 2000000000)]
    (tmp_path / "gps.csv").write_text("\n".join([header, *rows]) + "\n")
    simulate(area, route, tmp_path / "bag", "vlp16", 0, rate_hz=2.0, duration_s=3.0, gnss=tmp_path / "gps.csv")
    fixes = [r for r in BagReader(tmp_path / "bag").records() if isinstance(r, FixRecord)]
    assert [f.stamp_s for f in fixes] == pytest.approx([1001.0, 1001.2])
    assert PLANE.to_enu(fixes[0].lat_deg, fixes[0].lon_deg) == pytest.approx([-80.0, 2.0], abs=0.01)
    with pytest.raises(BagError, match="no fix at the time of the route"):
        simulate(area, straight(start_s=5000.0), tmp_path / "other", "vlp16", 0, gnss=tmp_path / "gps.csv")


def test_the_command_takes_worlds_settings_and_receivers(area, tmp_path, capsys):
    write_area(area, tmp_path / "area.gpkg")
    straight(-20.0, 10.0).write_csv(tmp_path / "route.csv")
    words = ["simulate", tmp_path / "area.gpkg", "--route", tmp_path / "route.csv", "--out", tmp_path / "bag", "--sensor", "vlp16"]
    words += ["--rate", "1", "--duration", "2", "--world", "street", "--gnss", "simulated", "--sweep", "--labels"]
    assert main.run([str(w) for w in [*words, "--set", "people=0.5"]]) == 0
    assert "fixes and truth" in capsys.readouterr().out
    assert [f.name for f in clouds_of(tmp_path / "bag")[0].message.fields] == ["x", "y", "z", "intensity", "ring", "time", "label"]
    assert main.run([str(w) for w in [*words, "--set", "steepness=1"]]) == 1
    assert "steepness is no setting" in capsys.readouterr().err
    assert main.run([str(w) for w in [*words, "--gnss", tmp_path / "none.csv"]]) == 1
    assert "none.csv does not exist" in capsys.readouterr().err


def test_only_the_part_inside(area):
    route = straight(-400.0, 400.0)
    ((first, last),) = stretches(area, route)
    x = route.poses(PLANE)[:, 0]
    assert x[first] == pytest.approx(-110.0, abs=1.5)
    assert x[last - 1] == pytest.approx(110.0, abs=1.5)


def test_longest_stretch_or_the_one_asked_for(area):
    out, back, again = straight(-80.0, 0.0), straight(-300.0, -290.0, start_s=50.0), straight(-90.0, 90.0, start_s=100.0)
    columns = ("time_s", "lat_deg", "lon_deg", "yaw_enu_rad")
    route = Trajectory(*(np.concatenate([getattr(part, name) for part in (out, back, again)]) for name in columns))
    assert [round(float(route.time_s[a])) for a, _ in stretches(area, route)] == [0, 100]


def test_routes_elsewhere_are_refused(area, tmp_path):
    with pytest.raises(BagError, match="does not pass through the area;"):
        simulate(area, straight(1000.0, 1200.0), tmp_path / "bag", "vlp16", 0)
    with pytest.raises(BagError, match="after 500 s"):
        simulate(area, straight(), tmp_path / "bag", "vlp16", 0, start_s=500.0)
    assert not (tmp_path / "bag").exists()


def test_unknown_sensor(area, tmp_path):
    with pytest.raises(ConfigurationError, match="hdl64"):
        simulate(area, straight(), tmp_path / "bag", "radar", 0)
    assert set(command.SENSOR_NAMES) == set(SENSOR_NAMES)


def test_a_standing_car_inside_a_building(area, tmp_path):
    time_s = np.arange(0.0, 3.0, 0.1)
    route = Trajectory.from_poses(time_s, np.tile([-95.0, 9.0, 0.0], (len(time_s), 1)), PLANE)
    drive = simulate(area, route, tmp_path / "bag", "vlp16", 0, rate_hz=1.0)
    assert drive.clouds == 3
    assert drive.mean_points > 1000


def test_perfect_odometry_is_the_truth_from_its_first_pose():
    t = np.linspace(0.0, 6.0, 200)
    truth = np.column_stack([10.0 * np.cos(t), 10.0 * np.sin(t), wrap_angle(t + np.pi / 2.0)])
    odometry = drifting(truth, PERFECT, np.random.default_rng(0))
    np.testing.assert_allclose(np.hypot(*odometry[-1, :2]), np.hypot(*(truth[-1, :2] - truth[0, :2])), rtol=1e-3)
    np.testing.assert_allclose(wrap_angle(odometry[:, 2] - truth[:, 2] + np.pi / 2.0), 0.0, atol=1e-9)


def test_odometry_errors_have_the_configured_size():
    truth = np.column_stack([np.linspace(0.0, 400.0, 4000), np.zeros(4000), np.zeros(4000)])
    ends = np.array([drifting(truth, SimulationConfig(), np.random.default_rng(seed))[-1] for seed in range(60)])
    assert np.std(ends[:, 2]) == pytest.approx(np.hypot(0.0003 * 400.0, 0.001 * 20.0), rel=0.3)
    assert np.std(np.hypot(ends[:, 0], ends[:, 1])) == pytest.approx(4.0, rel=0.35)
    slipping = replace(PERFECT, odometry_slip_m=0.05)
    ends = np.array([drifting(truth, slipping, np.random.default_rng(seed))[-1] for seed in range(60)])
    assert np.std(ends[:, 0]) == pytest.approx(0.05 * 20.0, rel=0.35)
    standing = drifting(np.zeros((100, 3)), SimulationConfig(), np.random.default_rng(0))
    np.testing.assert_array_equal(standing, 0.0)


def test_the_way_of_the_car_is_free(area):
    line = shapely.LineString([(-90.0, -1.5), (90.0, -1.5)])
    world = build_world(area, line, SimulationConfig(parked_cars=1.0, trees=1.0, hedges=1.0), np.random.default_rng(0))
    for mesh in (world.buildings, world.things):
        low = mesh.vertices[mesh.vertices[:, 2] < 1.0]
        assert len(low) > 50
        assert shapely.distance(shapely.points(low[:, :2]), line).min() > 1.7


def test_world_of_a_route_through_a_building(area):
    line = shapely.LineString([(-80.0, 12.0), (80.0, 12.0)])
    world = build_world(area, line, SimulationConfig(), np.random.default_rng(0))
    assert shapely.distance(shapely.points(world.buildings.vertices[:, :2]), line).min() > 1.7


def test_more_beside_the_road_leaves_the_rest_as_it_is(area):
    line = shapely.LineString([(-90.0, -1.5), (90.0, -1.5)])
    few = build_world(area, line, SimulationConfig(), np.random.default_rng(0))
    many = SimulationConfig(fences=0.5, poles=0.5, people=0.5, bushes=0.5)
    more = build_world(area, line, many, np.random.default_rng(0))
    for name in ("buildings", "things"):
        np.testing.assert_array_equal(getattr(few, name).vertices, getattr(more, name).vertices)
    assert all(len(more.others[label].vertices) > len(few.others[label].vertices) == 0 for label in (FENCE, POLE, PERSON))
    assert len(more.leaves.vertices) > len(few.leaves.vertices)
    corners = np.concatenate([mesh.vertices[:, :2] for mesh in more.others.values()])
    assert shapely.distance(shapely.points(corners), line).min() > 1.7


def test_overgrown_buildings_are_leaves(area):
    line = shapely.LineString([(-90.0, -1.5), (90.0, -1.5)])
    bare = SimulationConfig(trees=0.0, hedges=0.0, overgrown=1.0, building_shift_m=0.0)
    world = build_world(area, line, bare, np.random.default_rng(0))
    assert not len(world.buildings.vertices)
    ground = shapely.union_all(area.buildings).buffer(2.6)
    assert len(world.leaves.vertices) > 1000
    assert shapely.contains_xy(ground, world.leaves.vertices[:, :2]).all()


def test_traffic_keeps_off_the_car():
    time_s = np.arange(0.0, 60.0, 0.5)
    poses = np.column_stack([8.0 * time_s, np.zeros_like(time_s), np.zeros_like(time_s)])
    seen = 0
    for left in (True, False):
        traffic = Traffic(time_s, poses, left, SimulationConfig(), np.random.default_rng(0))
        for t in time_s:
            corners = traffic.at(float(t)).vertices
            if not len(corners):
                continue
            seen += 1
            local = corners[:, :2] - [8.0 * t, 0.0]
            assert not ((np.abs(local[:, 0]) < 2.4) & (np.abs(local[:, 1]) < 0.9)).any()
            oncoming = np.abs(local[:, 1]) > 1.3
            assert (np.sign(local[oncoming, 1]) == (-1.0 if left else 1.0)).all()
    assert seen > 100
