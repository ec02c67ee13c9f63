# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Quality of service of every topic, with the reason; and how users override it the way ROS 2 has it.

A parameter `qos_overrides.<topic>.<subscription or publisher>.<policy>` goes before what stands here. The topic is the resolved name, such
as `/points` or `/urban_map_loc/fix`; policies are `reliability`, `durability`, `history` and `depth`.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

from urban_map_loc.errors import ConfigurationError


def _profile(depth: int, reliability: ReliabilityPolicy, durability: DurabilityPolicy = DurabilityPolicy.VOLATILE) -> QoSProfile:
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability)


# Best effort on the receiving side matches every publisher, and sensor drivers are best effort. Only the newest cloud is of use; some more
# may wait while the process gets no processor, so that it is the node that drops and counts them.
CLOUDS_IN = _profile(5, ReliabilityPolicy.BEST_EFFORT)
# Two seconds of 100 Hz odometry: nothing is lost while the process is busy elsewhere.
ODOMETRY_IN = _profile(200, ReliabilityPolicy.BEST_EFFORT)
# Receivers send 1 to 20 fixes a second, as sensors do: best effort.
FIXES_IN = _profile(20, ReliabilityPolicy.BEST_EFFORT)
# A first guess is sent once. RViz and nav2 send it reliably.
GUESSES_IN = _profile(5, ReliabilityPolicy.RELIABLE)
# What tf2's own listener uses.
STATIC_FRAMES_IN = _profile(100, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
# Answers: few and small, wanted complete. Reliable publishers also serve best-effort subscribers.
ANSWERS = _profile(10, ReliabilityPolicy.RELIABLE)
# The map is said once and kept for whoever comes later.
LATCHED = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
# Bags: reliable, so that subscribers of either kind match.
PLAYED = _profile(50, ReliabilityPolicy.RELIABLE)
PLAYED_LATCHED = _profile(100, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
CLOCK = _profile(1, ReliabilityPolicy.BEST_EFFORT)

# The node's topics, by the names it gives them.
SUBSCRIBED = {
    "points": CLOUDS_IN,
    "odom": ODOMETRY_IN,
    "gnss/fix": FIXES_IN,
    "initialpose": GUESSES_IN,
    "/tf_static": STATIC_FRAMES_IN,
}
PUBLISHED = {
    "~/fix": ANSWERS,
    "~/pose": ANSWERS,
    "~/odometry": ANSWERS,
    "~/hypotheses": ANSWERS,
    "~/tile": ANSWERS,
    "~/map": LATCHED,
    "/diagnostics": ANSWERS,
}

# rclpy's and tf2's own, which they check themselves.
_OTHERS = ("/clock", "/parameter_events", "/rosout", "/tf")
_OVERRIDES = "qos_overrides"
_POLICIES = (QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY, QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH)
_VALUES = {
    "reliability": ("reliable", "best_effort", "system_default"),
    "durability": ("volatile", "transient_local", "system_default"),
    "history": ("keep_last", "keep_all", "system_default"),
}


def subscription(topic: str) -> dict[str, Any]:
    """The arguments of `create_subscription` that say the quality of one of `SUBSCRIBED`, overridable."""
    return _overridable(SUBSCRIBED[topic])


def publisher(topic: str) -> dict[str, Any]:
    """The arguments of `create_publisher` that say the quality of one of `PUBLISHED`, overridable."""
    return _overridable(PUBLISHED[topic])


def _overridable(profile: QoSProfile) -> dict[str, Any]:
    # A copy: rclpy writes the override into the profile itself.
    return {"qos_profile": copy(profile), "qos_overriding_options": QoSOverridingOptions(_POLICIES)}


def check_overrides(node: Node) -> None:
    """Look at what the user overrides, before any topic is opened.

    Raises:
        ConfigurationError: a topic that the node does not have, a policy or a value that does not exist; rclpy would pass over the first.
    """
    known = {f"{node.resolve_topic_name(name)}.subscription" for name in SUBSCRIBED}
    known |= {f"{node.resolve_topic_name(name)}.publisher" for name in PUBLISHED}
    for name, parameter in node.get_parameters_by_prefix(_OVERRIDES).items():
        if name.startswith(tuple(f"{topic}." for topic in _OTHERS)):
            continue
        full = f"{_OVERRIDES}.{name}"
        entity, _, policy = name.rpartition(".")
        if entity not in known:
            raise ConfigurationError(f"parameter {full}: the node has no {entity!r}; there are {', '.join(sorted(known))}")
        value = parameter.value
        if policy == "depth":
            if type(value) is not int or value < 1:
                raise ConfigurationError(f"parameter {full} is {value!r}; give a whole number from 1 on")
        elif policy not in _VALUES:
            raise ConfigurationError(f"parameter {full}: {policy!r} cannot be overridden; there are depth, {', '.join(sorted(_VALUES))}")
        elif value not in _VALUES[policy]:
            raise ConfigurationError(f"parameter {full} is {value!r}; choose one of {', '.join(_VALUES[policy])}")
