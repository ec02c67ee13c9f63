# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checks of what comes in: topics, types, rates, stamps, frames, and whether clouds and odometry tell of one drive."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import numpy as np

from urban_map_loc.config import DoctorConfig, NodeConfig
from urban_map_loc.ros.doctor.finding import Check, Finding, Level, note, ok, wrong
from urban_map_loc.ros.doctor.graph import Graph, Input

# Sectors that must have something in them before two clouds are compared.
ENOUGH_SECTORS = 12


def topics(graph: Graph, config: DoctorConfig) -> Iterator[Finding]:
    """Each input has one publisher, of the right type, and messages come."""
    for heard in graph.inputs:
        others = [kind for kind in heard.types if kind != heard.wanted]
        if others:
            remedy = f"remap the localizer's input to a topic of {heard.wanted}, `--ros-args -r {heard.topic.rpartition('/')[2]}:=...`"
            yield wrong(f"{heard.topic} is of type {', '.join(others)}, not {heard.wanted}", remedy)
        elif not heard.publishers:
            if graph.localizer_runs:
                remedy = "start what publishes it, or remap the localizer's input; `ros2 topic list -t` shows what there is"
                yield wrong(f"nobody publishes {heard.topic}", remedy)
        elif len(heard.publishers) > 1:
            names = ", ".join(heard.publishers)
            yield wrong(f"{heard.topic} has {len(heard.publishers)} publishers: {names}", "stop all but one, or remap the others")
        elif not heard.arrivals:
            remedy = "check the node that publishes it; where it is on another machine, its network and firewall"
            yield wrong(f"{heard.topic} is published by {heard.publishers[0]}, but nothing came in {graph.listened_s:g} s", remedy)
        else:
            yield ok(f"{heard.topic} ({heard.wanted}) from {heard.publishers[0]}")
    if graph.undecodable:
        what, _, remedy = graph.undecodable.partition("; ")
        yield wrong(f"{graph.clouds.topic}: {what}", remedy or "check what its driver puts into the cloud")


def rates(graph: Graph, config: DoctorConfig) -> Iterator[Finding]:
    """Messages a second."""
    for heard, (low, high) in ((graph.clouds, config.cloud_rate_hz), (graph.odometry, config.odometry_rate_hz)):
        if not heard.rate_hz:
            continue
        text = f"{heard.topic}: {heard.rate_hz:.1f} Hz"
        if heard.rate_hz < low:
            yield wrong(f"{text}, below {low:g} Hz", "raise the rate of the node that publishes it, or find what loses messages on the way")
        elif heard.rate_hz > high:
            yield wrong(f"{text}, above {high:g} Hz", "a second publisher or packets instead of whole sweeps? Publish whole sweeps once")
        else:
            yield ok(text)


def stamps(graph: Graph, config: DoctorConfig) -> Iterator[Finding]:
    """Stamps are of now, go forward, and are of one clock."""
    found = [_stamps_of(heard, graph, config) for heard in graph.inputs if heard.stamps]
    yield from found
    if len(found) == 2 and all(finding.level is Level.OK for finding in found):
        apart = graph.clouds.stamps[-1] - graph.odometry.stamps[-1]
        if abs(apart) > config.apart_s:
            text = f"the newest cloud is {abs(apart):.2f} s {'ahead of' if apart > 0 else 'behind'} the newest odometry"
            yield wrong(text, "let both drivers stamp by one clock (PTP, chrony); clouds without odometry of their time are skipped")


def _stamps_of(heard: Input, graph: Graph, config: DoctorConfig) -> Finding:
    clock = "/clock" if graph.clock else "this machine's clock"
    known = [age for age in heard.ages if isfinite(age)]  # not before /clock has ticked
    age, steps = float(np.median(known or [0.0])), np.diff(heard.stamps)
    if not any(heard.stamps):
        return wrong(f"{heard.topic}: stamps are 0", "let its driver fill header.stamp with the time of the measurement")
    if age < -config.future_s:
        return wrong(f"{heard.topic}: stamps are {-age:.2f} s ahead of {clock}", _clock_remedy(graph))
    if age > config.past_s:
        return wrong(f"{heard.topic}: stamps are {age:.2f} s behind {clock}", _clock_remedy(graph))
    if len(steps) and (steps < 0.0).any():
        remedy = "a second publisher or a bag that starts again? Messages must come in order of their stamps"
        return wrong(f"{heard.topic}: stamps go back by up to {-steps.min():.2f} s", remedy)
    if len(steps) and not steps.any():
        return wrong(f"{heard.topic}: the stamp never changes", "restart its driver: it repeats one message")
    return ok(f"{heard.topic}: {age * 1e3:.0f} ms old on arrival")


def _clock_remedy(graph: Graph) -> str:
    if graph.clock:
        return "it is not stamped by the simulated time that /clock says: set use_sim_time on its driver"
    return "synchronise the machines' clocks (chrony, PTP), let the driver stamp by ROS time; with a played bag publish /clock"


def frames(graph: Graph, config: DoctorConfig) -> Iterator[Finding]:
    """Odometry is from the odometry frame to the base frame."""
    if not graph.odometry.frames:
        return
    defaults = NodeConfig()
    wanted = tuple(graph.parameters.get(name, getattr(defaults, name)) for name in ("odom_frame", "base_frame"))
    for found in sorted(graph.odometry.frames):
        text = f"{graph.odometry.topic} is {found[0] or '(no frame)'} to {found[1] or '(no frame)'}"
        if found == wanted:
            yield ok(text)
        else:
            yield wrong(f"{text}, not {wanted[0]} to {wanted[1]}", "set the parameters odom_frame and base_frame, or its driver's frames")


def movement(graph: Graph, config: DoctorConfig) -> Iterator[Finding]:
    """Clouds change where odometry moves, and the other way round."""
    if len(graph.poses) < 2 or len(graph.sketches) < 2:
        return
    moved, changed = graph.moved_m, _changes(graph)
    if moved >= config.moved_m:
        if graph.same_bytes or (changed is not None and np.quantile(changed, 0.9) < config.still_m):
            text = f"odometry moved {moved:.1f} m while the clouds stayed the same"
            yield wrong(text, "restart the lidar's driver: it repeats one sweep; or the wheels turn and the car does not")
        else:
            yield ok(f"odometry moved {moved:.1f} m, and the clouds changed")
    elif moved < config.still_m and changed is not None and np.median(changed) > 10.0 * config.still_m:
        text = f"the clouds changed by {np.median(changed):.1f} m while odometry moved {moved:.2f} m"
        yield wrong(text, "check the odometry's driver: it repeats one pose")
    else:
        yield note(f"odometry moved {moved:.2f} m: too little to compare with the clouds", "run it again while the car drives")


def _changes(graph: Graph) -> np.ndarray | None:
    """How much the nearest things moved from the first to the last cloud [m], in each direction that both see something in."""
    change = np.abs(graph.sketches[-1] - graph.sketches[0])
    change = change[np.isfinite(change)]
    return change if len(change) >= ENOUGH_SECTORS else None


CHECKS: tuple[Check, ...] = (topics, rates, stamps, frames, movement)
