# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The machinery of `config/`: fields that know their unit and range, and the ways in and out of plain dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, asdict, field, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from urban_map_loc.errors import ConfigurationError


def setting(
    default: Any,
    description: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with what a user must know of it: description, unit, inclusive range, choices."""
    metadata = {"description": description, "unit": unit, "low": low, "high": high, "choices": choices}
    if isinstance(default, (list, tuple)):
        return field(default_factory=lambda: tuple(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def choices_of(kind: type[Section], name: str) -> tuple[str, ...]:
    """What the setting `name` of a section may be, for options of commands."""
    (choices,) = (f.metadata["choices"] for f in fields(kind) if f.name == name)  # type: ignore[arg-type]
    return tuple(choices)


class Section:
    """Base of the settings dataclasses: checks types and ranges on construction."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if not is_dataclass(value):
                object.__setattr__(self, f.name, _checked(f, hints[f.name], value))


def _checked(f: Field[Any], kind: Any, value: Any) -> Any:
    several = get_origin(kind) is tuple
    element = get_args(kind)[0] if several else kind
    if several and not isinstance(value, (list, tuple)):  # a text would be taken letter by letter
        raise ConfigurationError(f"{f.name} is {value!r} of type {type(value).__name__}; give a list of {element.__name__}")
    values = tuple(value) if several else (value,)
    if element is float:
        values = tuple(float(v) if type(v) is int else v for v in values)
    for v in values:
        if type(v) is not element:
            raise ConfigurationError(f"{f.name} is {v!r} of type {type(v).__name__}; give a {element.__name__}")
        low, high, choices = (f.metadata.get(k) for k in ("low", "high", "choices"))
        if (low is not None and not v >= low) or (high is not None and not v <= high):
            raise ConfigurationError(f"{f.name} is {v}, outside [{low}, {high}] {f.metadata['unit']}; choose a value inside")
        if choices and v not in choices:
            raise ConfigurationError(f"{f.name} is {v!r}; choose one of {', '.join(choices)}")
    return values if several else values[0]


C = TypeVar("C", bound=Section)


def to_dict(config: Section) -> dict[str, Any]:
    """Nested plain dictionary, as written into checkpoints and run.json."""
    return asdict(config)  # type: ignore[call-overload]


def from_dict(kind: type[C], values: Mapping[str, Any]) -> C:
    """The inverse of `to_dict`; missing keys take their defaults.

    Raises:
        ConfigurationError: a key that `kind` does not have, or a value out of range.
    """
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"{kind.__name__} is {values!r}, where settings by name belong; give its settings one by one")
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    for name in values:
        if name not in known:
            raise ConfigurationError(f"{name} is no setting of {kind.__name__}; known are {', '.join(known)}")
    return kind(**{n: from_dict(hints[n], v) if is_dataclass(hints[n]) else v for n, v in values.items()})


def flat_settings(kind: type[Section], prefix: str = "") -> Iterator[tuple[str, Field[Any], Any]]:
    """Dotted name, dataclass field and type of every setting: what ROS parameters are generated from."""
    hints = get_type_hints(kind)
    for f in fields(kind):  # type: ignore[arg-type]
        if is_dataclass(hints[f.name]):
            yield from flat_settings(hints[f.name], f"{prefix}{f.name}.")
        else:
            yield f"{prefix}{f.name}", f, hints[f.name]


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a.b": 1}` to `{"a": {"b": 1}}`, the way back from ROS parameters.

    Raises:
        ConfigurationError: a name is given both a value and settings below it.
    """
    out: dict[str, Any] = {}
    for name, value in flat.items():
        *rooms, leaf = name.split(".")
        room = out
        for r in rooms:
            room = room.setdefault(r, {})
            if not isinstance(room, dict):
                raise ConfigurationError(f"{name} is given, and so is a value for {r!r}, which holds it; give one of them")
        room[leaf] = value
    return out
