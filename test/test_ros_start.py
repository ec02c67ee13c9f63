"""Starting the node: its parameters, and what keeps it from starting, one line each."""

from __future__ import annotations

import pytest
from rclpy.parameter import Parameter
from ros_bench import Bench, FakeLocalizer

from urban_map_loc.errors import ModelError, UrbanMapLocError
from urban_map_loc.ros.node import LocalizerNode


def test_parameters_reach_the_localizer(ros_context):
    b = Bench(ros_context, FakeLocalizer(), **{"fusion.lock_distance_m": 12.5, "cloud.building_labels": [50, 51]})
    _, _, config = b.loaded[0]
    assert config.fusion.lock_distance_m == 12.5
    assert config.cloud.building_labels == (50, 51)
    b.close()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fusion.lok_distance_m", 1.0, "did you mean fusion.lock_distance_m"),
        ("fusion.lock_distance_m", 2, "write it like 8.0"),
        ("fusion.lock_distance_m", -2.0, "outside"),
        ("cloud.kind", "magic", "choose one of"),
    ],
)
def test_wrong_parameters_are_refused_in_one_line(ros_context, name, value, message):
    with pytest.raises(UrbanMapLocError, match=message) as refused:
        Bench(ros_context, FakeLocalizer(), **{name: value})
    assert "\n" not in str(refused.value)


def test_files_that_are_not_named_or_not_there(ros_context):
    def load(area, model, config):
        raise ModelError("m is of another area; train one for this area")

    node = LocalizerNode(load, context=ros_context)
    with pytest.raises(UrbanMapLocError, match="parameter area is not set"):
        node.start()
    node.set_parameters([Parameter("area", value="a"), Parameter("model", value="m")])
    with pytest.raises(UrbanMapLocError, match="another area"):
        node.start()
    node.close()
