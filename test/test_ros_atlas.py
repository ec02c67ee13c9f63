# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node in an atlas, with the real localizer, over DDS: what it publishes goes on across a border."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from atlases import FEW, long_street, street_atlas
from drives import straight
from ros_bench import Bench, cloud_message, odometry_message

from urban_map_loc.area.atlas import datum_of
from urban_map_loc.config import DoctorConfig, RegionsConfig
from urban_map_loc.errors import UrbanMapLocError
from urban_map_loc.geometry.pose2 import Pose2
from urban_map_loc.localization.localizer import Localizer
from urban_map_loc.ros.doctor.localizer import files


def test_fix_and_pose_go_on_across_a_border(ros_context, tmp_path: Path) -> None:
    atlas = street_atlas(tmp_path / "street")
    border = atlas.regions[0].core[2]
    b = Bench(ros_context, Localizer.load(atlas.folder, None, FEW), area=str(atlas.folder), model="", odometry_wait_s=5.0)
    try:
        assert b.loaded[0][:2] == (atlas.folder, None)
        maps = len(b.got["~/map"])
        moments = list(straight(long_street(), Pose2(border - 75.0, -1.0, 0.0), 120.0, speed=10.0))
        for m in moments:
            b.odom.publish(odometry_message(m.stamp_s, m.T_odom_base.x, m.T_odom_base.y, m.T_odom_base.yaw))
            labelled = np.column_stack([m.cloud.points, m.cloud.label])
            answered = len(b.got["~/fix"]) + 1
            b.points.publish(cloud_message(m.stamp_s, labelled, names=("x", "y", "z", "label")))
            b.spin_until(lambda answered=answered: len(b.got["~/fix"]) >= answered)
        poses = {p.header.stamp.sec + 1e-9 * p.header.stamp.nanosec: p.pose.pose for p in b.got["~/pose"]}
        truth = {round(m.stamp_s, 6): m.T_map_base for m in moments}
        found = {stamp: (p.position.x, p.position.y) for stamp, p in poses.items()}
        error = {stamp: np.hypot(x - truth[round(stamp, 6)].x, y - truth[round(stamp, 6)].y) for stamp, (x, y) in found.items()}
        assert max(error.values()) < 0.5
        before = [stamp for stamp, (x, _) in found.items() if x < border]
        after = [stamp for stamp, (x, _) in found.items() if x > border + 20.0]
        assert before
        assert len(after) > 5
        # Every cloud since the lock has its fix, one car's step from the one before.
        offered = [fix for fix in b.got["~/fix"] if fix.status.status >= 0]
        assert len(offered) == len(moments) - (len(b.got["~/fix"]) - len(offered))
        east = [atlas.plane.to_enu(fix.latitude, fix.longitude)[0] for fix in offered]
        assert np.abs(np.diff(east) - 2.0).max() < 0.3
        assert east[0] < border < east[-1]
        # The map of the region that the car is in now is shown.
        b.spin_until(lambda: len(b.got["~/map"]) > maps)
        assert b.localizer.ground.verifier.current.number == 1
    finally:
        b.close()


def test_the_doctor_and_the_datum_of_an_atlas(tmp_path: Path) -> None:
    atlas = street_atlas(tmp_path / "street", RegionsConfig(size_m=1000.0))
    graph = SimpleNamespace(area=str(atlas.folder), model="")
    (found,) = files(graph, DoctorConfig())
    assert "is an atlas of 1 regions with their models" in found.text
    assert datum_of(atlas.folder) == datum_of(atlas.regions[0].area) == long_street().datum
    atlas.regions[0].model.unlink()
    (missing,) = files(graph, DoctorConfig())
    assert "1 of 1 regions" in missing.text
    assert "urban_map_loc train" in missing.remedy


def test_an_atlas_wants_no_model_and_an_area_file_one(ros_context, tmp_path: Path) -> None:
    b = Bench(ros_context, Localizer, start=False, area="a.gpkg", model="")  # a file, or nothing at all
    try:
        with pytest.raises(UrbanMapLocError, match="parameter model is not set; give the file"):
            b.node.start()
    finally:
        b.close()
