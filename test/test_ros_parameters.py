# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Parameters of a running node, set over DDS as `ros2 param set` does: what takes effect at once, what is refused, and why."""

from __future__ import annotations

import pytest
from rcl_interfaces.srv import DescribeParameters, SetParametersAtomically
from rclpy.parameter import Parameter

from urban_map_loc.config import LocalizerConfig, NodeConfig
from urban_map_loc.localization.tuning import FIXED, TUNABLE
from urban_map_loc.ros import frames, parameters
from urban_map_loc.settings import flat_settings


def call(b, kind, service, request):
    client = b.peer.create_client(kind, f"{b.node.get_fully_qualified_name()}/{service}")
    b.spin_until(client.service_is_ready)
    answer = client.call_async(request)
    b.spin_until(answer.done)
    b.peer.destroy_client(client)
    return answer.result()


def set_parameters(b, **values):
    """Why they were refused; empty where they were not. Double underscores are points."""
    changes = [Parameter(name.replace("__", "."), value=value).to_parameter_msg() for name, value in values.items()]
    result = call(b, SetParametersAtomically, "set_parameters_atomically", SetParametersAtomically.Request(parameters=changes)).result
    assert result.successful == (not result.reason)
    return result.reason


def test_what_can_change_takes_effect_at_once(bench, monkeypatch):
    sent = []
    monkeypatch.setattr(frames, "TransformBroadcaster", lambda node: type("B", (), {"sendTransform": sent.append}))
    b = bench(publish_tf=False)
    for k in range(3):
        b.send(1.0 + 0.1 * k)
    assert b.send(1.3, frame_id="lidar").status.status == -1
    assert not set_parameters(b, sensor_frame="lidar", extrinsic=[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], publish_tf=True)
    b.send(1.4, points=[[1.0, 0.0, 0.0]], frame_id="lidar")
    assert b.localizer.clouds[-1].points[0, 0] == 2.0
    b.send(1.5)
    b.spin_until(lambda: sent)
    assert not set_parameters(b, fusion__odometry_timeout_s=0.75, cloud__minimum_hits=30, gnss__use=False)
    b.spin_until(lambda: b.localizer.config.fusion.odometry_timeout_s == 0.75)
    assert b.localizer.config.cloud.minimum_hits == 30
    assert not b.localizer.config.gnss.use
    assert not set_parameters(b, diagnostics__fix_age_warn_s=1e-9)
    b.spin_until(lambda: b.diagnosis("fix age")[0].level == b"\x01")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"area": "other.gpkg"}, "area is read when the node is configured; deactivate it, clean it up"),
        ({"verification__cells": 7}, "verification.cells is read when the node is configured"),
        ({"cloud__kind": "labels"}, "cloud.kind is read when the node is configured"),
        ({"autostart": False}, "read-only"),
        ({"fusion__lock_score": 2.0}, "range"),
        ({"fusion__lock_score": float("nan")}, "range"),
        ({"fusion__lock_score": 1}, "type"),
        ({"extrinsic": [1.0, 2.0]}, "give six finite numbers"),
        ({"extrinsic": [float("nan")] * 6}, "give six finite numbers"),
        ({"cloud__time_unit": "weeks"}, "choose one of auto, s, ms"),
        ({"fusion__lok_score": 0.5}, "undeclared"),
        ({"publish_tf": False, "area": "other.gpkg"}, "area is read"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason_and_nothing_changes(bench, values, reason):
    b = bench()
    before = b.node.settings, b.node.tuning
    assert reason in set_parameters(b, **values)
    assert (b.node.settings, b.node.tuning) == before
    b.send(1.0)


def test_what_is_read_when_configured_can_be_set_before(bench):
    b = bench(start=False)
    assert not set_parameters(b, area="other.gpkg", verification__cells=7, map_frame="world")
    b.node.start()
    area, _, config = b.loaded[0]
    assert (str(area), config.verification.cells) == ("other.gpkg", 7)
    b.spin_until(lambda: b.got["~/map"])
    assert b.got["~/map"][0].header.frame_id == "world"


def test_every_parameter_says_what_it_is_and_when_it_takes_effect(bench):
    b = bench()
    names = [name for name, _, _ in parameters.settings()]
    described = call(b, DescribeParameters, "describe_parameters", DescribeParameters.Request(names=names)).descriptors
    assert [d.name for d in described] == names
    assert all(len(d.description) > 10 for d in described)
    assert {d.name for d in described if d.read_only} == {"autostart"}
    assert {d.additional_constraints for d in described} == {parameters.WHEN_LIVE, parameters.WHEN_CONFIGURED, parameters.WHEN_STARTED}
    (score,) = (d for d in described if d.name == "fusion.lock_score")
    assert (score.floating_point_range[0].from_value, score.floating_point_range[0].to_value) == (-1.0, 1.0)


def test_live_names_exist():
    names = {name for name, _, _ in parameters.settings()}
    assert {name for name in names if parameters.is_live(name)} > {"publish_tf", "fusion.lock_score", "diagnostics.period_s"}
    assert set(FIXED) < names
    for prefix in (*parameters.LIVE, *(f"{section}." for section in TUNABLE)):
        assert any(name.startswith(prefix) for name in names), prefix
    assert not {name for name, _, _ in flat_settings(NodeConfig)} & {name for name, _, _ in flat_settings(LocalizerConfig)}
