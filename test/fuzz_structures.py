# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed as values and not as bytes: messages, settings, answers of servers. For each name a function that takes a JSON value.

The values are drawn in `test_fuzz_structures.py`; here, in the process that reads, they become what the project takes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


def cloud_message(value: dict[str, Any]) -> Any:
    """An object with the attributes of a sensor_msgs/PointCloud2."""
    fields = [SimpleNamespace(name=n, offset=o, datatype=d, count=c) for n, o, d, c in value["fields"]]
    stamp = SimpleNamespace(sec=value["sec"], nanosec=value["nanosec"])
    numbers = {n: value[n] for n in ("height", "width", "point_step", "row_step", "is_bigendian")}
    header = SimpleNamespace(stamp=stamp, frame_id=value["frame_id"])
    return SimpleNamespace(header=header, fields=fields, data=bytes.fromhex(value["data"]), is_dense=True, **numbers)


def take_cloud(value: dict[str, Any]) -> None:
    from urban_map_loc.cloud.cloud import Cloud
    from urban_map_loc.cloud.decode import decode, decode_whole

    message = cloud_message(value)
    whole = decode_whole(message)
    cloud: Cloud = decode(message)
    assert np.isfinite(cloud.points).all()
    assert len(cloud.points) == whole.finite.sum()
    assert cloud.offset_s is None or np.isfinite(cloud.offset_s).all()
    assert cloud.label is None or len(cloud.label) == len(cloud.points)


def take_settings(value: dict[str, Any]) -> None:
    """Settings as a parameter file, a checkpoint or `--set` gives them: by their dotted names."""
    from urban_map_loc import config
    from urban_map_loc.settings import from_dict, nested, to_dict

    kind = getattr(config, value["section"])
    made = from_dict(kind, nested(value["values"]))
    assert from_dict(kind, to_dict(made)) == made


def take_answer(answers: list[dict[str, Any]]) -> None:
    """What Overpass answers, kept as a file and read as an area."""
    from urban_map_loc.area.osm import read_osm
    from urban_map_loc.area.overpass_answers import write_answers

    with tempfile.TemporaryDirectory() as folder:
        write_answers(Path(folder, "map.osm.pbf"), answers)
        assert read_osm(Path(folder, "map.osm.pbf")).content_hash


@cache
def whole_model() -> tuple[dict[str, Any], dict[str, str]]:
    """Tensors and metadata of a tiny checkpoint."""
    from test_mapnet_checkpoint import checkpoint

    from urban_map_loc.mapnet.checkpoint import read_tensors, save_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(checkpoint(rings=4, headings=4, view_size=16), Path(folder, "m.safetensors"))
        return read_tensors(Path(folder, "m.safetensors"))


def take_model(value: dict[str, Any]) -> None:
    """A checkpoint whose sums are right, whatever it says: settings, datum and shapes of tensors changed."""
    import torch
    from test_mapnet_checkpoint import rewrite

    from urban_map_loc.mapnet.checkpoint import load_checkpoint

    tensors, metadata = whole_model()
    tensors, config = dict(tensors), json.loads(metadata["config"])
    for section, name, new in value["settings"]:
        if isinstance(config.setdefault(section, {}), dict):
            config[section][name] = new
    for k, shape, number in value["tensors"]:
        name = sorted(tensors)[k % len(tensors)]
        new = torch.full(shape, number) if shape else torch.full_like(tensors[name].float(), number)
        tensors[name] = new.to(tensors[name].dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.safetensors")
        rewrite(path, tensors, metadata | {"config": json.dumps(config)} | value["metadata"])
        model = load_checkpoint(path)
        tile = model.config.tile
        shape = (tile.size_px, tile.size_px) if tile.planes == 1 else (tile.planes, tile.size_px, tile.size_px)
        model.network.hypotheses(np.zeros(shape, np.uint8), 2)


def make_node(given: dict[str, Any]) -> Any:
    """A node with the localizer's parameters, of which `given` ones are given from outside."""
    import rclpy
    from rclpy.node import Node
    from rclpy.parameter import Parameter

    from urban_map_loc.ros import parameters

    if not rclpy.ok():
        rclpy.init(args=["--ros-args", "--disable-rosout-logs"], domain_id=101)
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    node = Node(
        "fuzzed",
        parameter_overrides=overrides,
        automatically_declare_parameters_from_overrides=True,
        start_parameter_services=False,
        enable_rosout=False,
    )
    try:
        parameters.declare(node)
    except Exception:
        node.destroy_node()
        raise
    return node


def give_parameters(given: dict[str, Any]) -> None:
    """Parameters as a file or the command line gives them when the node starts."""
    from urban_map_loc.config import LocalizerConfig, NodeConfig
    from urban_map_loc.ros import parameters

    node = make_node(given)
    try:
        parameters.read(node, NodeConfig)
        parameters.read(node, LocalizerConfig)
    finally:
        node.destroy_node()


@cache
def running_node() -> Any:
    """One node for all cases; whether it is configured stands in a list of its own."""
    from urban_map_loc.ros import parameters

    node, configured = make_node({}), [False]
    node.add_on_set_parameters_callback(lambda changes: _result(parameters.refusal(node, changes, configured[0])))
    return node, configured


def set_parameters(value: dict[str, Any]) -> None:
    """Parameters set while the node runs."""
    from rclpy.parameter import Parameter

    from urban_map_loc.config import LocalizerConfig, NodeConfig
    from urban_map_loc.ros import parameters

    node, configured = running_node()
    configured[0] = value["configured"]
    for name, new in value["set"].items():
        answer = node.set_parameters([Parameter(name, value=new)])[0]
        assert answer.successful or answer.reason
    parameters.read(node, NodeConfig)
    parameters.read(node, LocalizerConfig)


def _result(reason: str) -> Any:
    from rcl_interfaces.msg import SetParametersResult

    return SetParametersResult(successful=not reason, reason=reason)


STRUCTURES: dict[str, Callable[[Any], object]] = {
    "cloud": take_cloud,
    "settings": take_settings,
    "answer": take_answer,
    "model": take_model,
    "given parameters": give_parameters,
    "set parameters": set_parameters,
}
