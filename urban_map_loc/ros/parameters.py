# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters generated from `config/`: names, defaults, descriptions and ranges stand there and nowhere else.

What is said here is when a parameter takes effect: at once, when the node is configured, or when the process starts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import Field
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, ParameterType
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.config import LocalizerConfig, NodeConfig
from urban_map_loc.errors import ConfigurationError
from urban_map_loc.localization.tuning import FIXED, TUNABLE
from urban_map_loc.settings import Section, flat_settings, from_dict, nested

C = TypeVar("C", bound=Section)

# Parameters of the node, and sections, that take effect at once; so do the localizer's `TUNABLE` sections.
LIVE = (
    "cloud_frames", "extrinsic", "sensor_frame", "publish_tf", "odometry_wait_s", "time_jump_s", "gnss_reach_m", "last_pose_period_s",
    "diagnostics.",
)  # fmt: skip
# Read before there is a node that could be set.
READ_ONLY = ("autostart",)
WHEN_LIVE = "takes effect at once"
WHEN_CONFIGURED = "read when the node is configured; refused from then until it is cleaned up"
WHEN_STARTED = "read when the process starts; cannot be set later"

# rclpy declares these itself, some only when they are given.
BUILT_IN = ("use_sim_time", "start_type_description_service", "qos_overrides.")

_TYPES = {
    bool: ParameterType.PARAMETER_BOOL,
    int: ParameterType.PARAMETER_INTEGER,
    float: ParameterType.PARAMETER_DOUBLE,
    str: ParameterType.PARAMETER_STRING,
}
_ARRAY_TYPES = {
    int: ParameterType.PARAMETER_INTEGER_ARRAY,
    float: ParameterType.PARAMETER_DOUBLE_ARRAY,
    str: ParameterType.PARAMETER_STRING_ARRAY,
}
_INT64 = 2**63 - 1
_LARGEST = sys.float_info.max


def settings() -> Iterator[tuple[str, Field[Any], type[Any]]]:
    """Name, field and type of every parameter of the node."""
    yield from flat_settings(NodeConfig)
    yield from flat_settings(LocalizerConfig)


def default_of(field: Field[Any]) -> Any:
    """The field's default as ROS has it: tuples are lists."""
    value = field.default_factory() if callable(field.default_factory) else field.default
    return list(value) if isinstance(value, tuple) else value


def is_live(name: str) -> bool:
    """Whether a parameter takes effect at once."""
    return name.startswith(LIVE) or (name.startswith(tuple(f"{section}." for section in TUNABLE)) and name not in FIXED)


def descriptor(name: str, field: Field[Any], kind: Any) -> ParameterDescriptor:
    """What `ros2 param describe` shows of a setting."""
    low, high, unit, choices = (field.metadata[k] for k in ("low", "high", "unit", "choices"))
    text = field.metadata["description"]
    text += f" [{unit}]" if unit else ""
    text += f" (one of {', '.join(choices)})" if choices else ""
    when = WHEN_STARTED if name in READ_ONLY else WHEN_LIVE if is_live(name) else WHEN_CONFIGURED
    out = ParameterDescriptor(description=text, additional_constraints=when, read_only=name in READ_ONLY)
    if get_origin(kind) is tuple:
        out.type = _ARRAY_TYPES[get_args(kind)[0]]
        return out
    out.type = _TYPES[kind]
    if low is None and high is None:
        return out
    # ROS has no half-open ranges: an absent end is the largest number of the type.
    if kind is int:
        ends = -_INT64 if low is None else int(low), _INT64 if high is None else int(high)
        out.integer_range = [IntegerRange(from_value=ends[0], to_value=ends[1])]
    elif kind is float:
        limits = -_LARGEST if low is None else float(low), _LARGEST if high is None else float(high)
        out.floating_point_range = [FloatingPointRange(from_value=limits[0], to_value=limits[1])]
    return out


def declare(node: Node) -> None:
    """Declare every setting on a node made with `automatically_declare_parameters_from_overrides=True`.

    That option makes what the user gave visible, so that a misspelt name is refused instead of silently ignored.

    Raises:
        ConfigurationError: a name that is no setting, a value of the wrong type or outside its range.
    """
    known = {name: (field, kind) for name, field, kind in settings()}
    given = {name for name in node.get_parameters_by_prefix("") if not name.startswith(BUILT_IN)}
    unknown = sorted(given - known.keys())
    if unknown:
        nearest = get_close_matches(unknown[0], known, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]}?" if nearest else "`ros2 param list` and config/localize.yaml name those that exist"
        raise ConfigurationError(f"no parameter is called {', '.join(unknown)}; {hint}")
    for name, (field, kind) in known.items():
        if name in given:
            node.undeclare_parameter(name)
        try:
            node.declare_parameter(name, default_of(field), descriptor(name, field, kind))
        except InvalidParameterTypeException as error:
            example = default_of(field)
            raise ConfigurationError(f"parameter {name} is of the wrong type; write it like {example!r}") from error
        except InvalidParameterValueException as error:
            low, high, unit = (field.metadata[k] for k in ("low", "high", "unit"))
            raise ConfigurationError(f"parameter {name} is outside [{low}, {high}] {unit}; choose a value inside") from error


def read(node: Node, kind: type[C], changes: Iterable[Parameter] = ()) -> C:
    """The settings `kind` as the node's parameters have them now, or would have them after `changes`.

    Raises:
        ConfigurationError: a value that its dataclass refuses.
    """
    changed = {change.name: change.value for change in changes}
    flat = {name: _plain(changed[name] if name in changed else node.get_parameter(name).value) for name, _, _ in flat_settings(kind)}
    return from_dict(kind, nested(flat))


def refusal(node: Node, changes: list[Parameter], configured: bool) -> str:
    """Why these changes cannot be made, one line; empty where they can. Types, ranges and read-only marks are rclpy's to check.

    Args:
        node: whose parameters they are.
        changes: which of `settings` are to be set, all or nothing.
        configured: whether area and model are loaded.
    """
    for change in changes:
        if change.type_ == Parameter.Type.NOT_SET:
            return f"{change.name} cannot be removed; set it to its default instead"
        if configured and not is_live(change.name) and change.value != node.get_parameter(change.name).value:
            return f"{change.name} is read when the node is configured; deactivate it, clean it up, set it and configure it again"
    try:
        Extrinsic.from_xyz_rpy(read(node, NodeConfig, changes).extrinsic)
        read(node, LocalizerConfig, changes)
    except ConfigurationError as error:
        return str(error)
    return ""


def _plain(value: Any) -> Any:
    """Arrays as the tuples that the settings hold."""
    return value if isinstance(value, (bool, int, float, str)) else tuple(value or ())
