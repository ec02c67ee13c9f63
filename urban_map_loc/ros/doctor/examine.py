# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The whole examination: this machine, the way between processes, a running graph."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec

from urban_map_loc.config import DoctorConfig
from urban_map_loc.ros.doctor import machine, transport
from urban_map_loc.ros.doctor.finding import Finding, run


def examine(
    config: DoctorConfig,
    localizer: str = "",
    area: str = "",
    model: str = "",
    progress: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """Run all checks that this machine allows.

    Args:
        config: times and limits.
        localizer: full name of the localizer's node; empty: `/urban_map_loc`, and its absence is no fault.
        area: area file to compare with the model; empty: the one that the node's parameters name.
        model: model file, likewise.
        progress: called with what is being done.
    """
    progress("looking at this machine")
    found = run(machine.CHECKS, config)
    progress("sending large clouds between two processes")
    found += run(transport.CHECKS, config)
    if find_spec("rclpy") is None:
        return found
    from urban_map_loc.ros.doctor import localizer as of_localizer
    from urban_map_loc.ros.doctor import topics
    from urban_map_loc.ros.doctor.listening import Listener

    progress(f"listening to the ROS graph of domain {os.environ.get('ROS_DOMAIN_ID', '0')} for {config.listen_s:g} s")
    name = f"/{localizer.strip('/')}" if localizer else "/urban_map_loc"
    with Listener(name, config) as listener:
        graph = listener.hear()
    graph.looked_for = bool(localizer)
    graph.area = area or str(graph.parameters.get("area", ""))
    graph.model = model or str(graph.parameters.get("model", ""))
    return found + run((*of_localizer.CHECKS, *topics.CHECKS), graph, config)
