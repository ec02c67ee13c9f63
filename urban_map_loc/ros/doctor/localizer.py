# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checks of the localizer itself: whether it runs, its state, its clock, the extrinsic, its files, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from math import acos
from pathlib import Path

import numpy as np

from urban_map_loc.area.atlas import is_atlas, read_atlas
from urban_map_loc.area.geopackage import read_head
from urban_map_loc.cloud.extrinsic import Extrinsic
from urban_map_loc.config import DoctorConfig, NodeConfig
from urban_map_loc.errors import UrbanMapLocError
from urban_map_loc.ros.doctor.finding import Check, Finding, note, ok, wrong
from urban_map_loc.ros.doctor.graph import Graph


def localizer(graph: Graph, config: DoctorConfig) -> Iterator[Finding]:
    """The node is there, once, and active."""
    if not graph.localizer_runs:
        names = [name for name in graph.nodes if name.rpartition("/")[2] == graph.localizer.rpartition("/")[2]]
        hint = (
            f"it might be {', '.join(names)}: give --node"
            if names
            else "`ros2 launch urban_map_loc localize.launch.py`, or check ROS_DOMAIN_ID"
        )
        text = f"no node {graph.localizer} among {len(graph.nodes)} nodes in this graph"
        yield wrong(text, hint) if graph.looked_for else note(text, hint)
        return
    count = graph.nodes.count(graph.localizer)
    if count > 1:
        yield wrong(f"{count} nodes are called {graph.localizer}", "stop all but one, or give each a namespace: `namespace:=car1`")
    if graph.state == "active":
        yield ok(f"{graph.localizer} is active")
    elif graph.state:
        step = "activate" if graph.state == "inactive" else "configure"
        yield wrong(
            f"{graph.localizer} is {graph.state}", f"`ros2 lifecycle set {graph.localizer} {step}`; its log says why it is not active"
        )
    else:
        yield wrong(f"{graph.localizer} does not answer", "it may still be loading; else stop and start it, and look at its log")


def clock(graph: Graph, config: DoctorConfig) -> Iterator[Finding]:
    """Simulated time is used where it is published, and only there."""
    simulated = graph.parameters.get("use_sim_time")
    if simulated is None:
        return
    if graph.clock and not simulated:
        yield wrong("/clock is published, but the localizer's use_sim_time is false", "start it with use_sim_time:=true")
    elif simulated and not graph.clock:
        remedy = "play the bag with --clock (`urban_map_loc play` always does), or start it with use_sim_time:=false"
        yield wrong("the localizer's use_sim_time is true, but nobody publishes /clock", remedy)
    else:
        yield ok("simulated, from /clock" if simulated else "the machine's")


def extrinsic(graph: Graph, config: DoctorConfig) -> Iterator[Finding]:
    """It is known where the sensor sits."""
    if not graph.parameters:
        return
    defaults = NodeConfig()

    def parameter(name: str) -> object:
        return graph.parameters.get(name, getattr(defaults, name))

    base = str(parameter("base_frame"))
    in_base = {base, *parameter("cloud_frames")}  # type: ignore[misc]
    for frame in sorted(frame for frame, _ in graph.clouds.frames):
        on_tf = graph.static_frames.find(base, frame) if graph.static_frames is not None else None
        if frame == parameter("sensor_frame"):
            yield _of_parameter(frame, Extrinsic.from_xyz_rpy(parameter("extrinsic")), on_tf, config)  # type: ignore[arg-type]
        elif frame in in_base:
            yield ok(f"clouds in {frame} are taken as in {base}")
        elif on_tf is not None:
            yield ok(f"{frame} is placed by /tf_static")
        else:
            text = f"clouds are in {frame or '(no frame)'}, whose place on the car is unknown: they are skipped"
            yield wrong(
                text, "publish it on /tf_static, or set sensor_frame and extrinsic, or add it to cloud_frames if it is the base frame"
            )


def _of_parameter(frame: str, given: Extrinsic, on_tf: Extrinsic | None, config: DoctorConfig) -> Finding:
    if on_tf is not None:
        between = given.inverse() @ on_tf
        metres = float(np.linalg.norm(between.translation))
        angle = acos(float(np.clip((np.trace(between.rotation) - 1.0) / 2.0, -1.0, 1.0)))
        if metres > config.extrinsic_m or angle > config.extrinsic_rad:
            text = f"parameter extrinsic and /tf_static place {frame} {metres:.2f} m and {np.degrees(angle):.1f} degrees apart"
            return wrong(text, "correct one of the two; the parameter is the one that is used")
    if given.is_identity:
        return wrong(f"parameter extrinsic is all zeros, although sensor_frame is {frame}", "set it, or add the frame to cloud_frames")
    return ok(f"{frame} is placed by the parameter extrinsic")


def files(graph: Graph, config: DoctorConfig) -> Iterator[Finding]:
    """The model was trained for the area."""
    if graph.area and is_atlas(Path(graph.area)):
        yield _atlas(Path(graph.area))
        return
    if not (graph.area and graph.model):
        return
    missing = [name for name in (graph.area, graph.model) if not Path(name).is_file()]
    if missing:
        text = f"{', '.join(missing)} cannot be read from here"
        yield note(text, "give the files with --area and --model to have them compared")
        return
    from urban_map_loc.mapnet.checkpoint import load_checkpoint

    try:
        head, model = read_head(Path(graph.area)), load_checkpoint(Path(graph.model))
    except UrbanMapLocError as error:
        what, _, remedy = str(error).partition("; ")
        yield wrong(what, remedy or "make it again")
        return
    if head.content_hash == model.area_hash:
        yield ok(f"{graph.model} is of {graph.area} ({head.content_hash[:12]})")
    else:
        text = f"{graph.model} was trained for area {model.area_hash[:12]}, {graph.area} is {head.content_hash[:12]}"
        yield wrong(text, f"train one for it: `urban_map_loc train {graph.area} --out MODEL`, or name the area that it was trained for")


def _atlas(folder: Path) -> Finding:
    """All regions have models."""
    from urban_map_loc.localization.atlas.region import require_models

    try:
        atlas = read_atlas(folder)
        require_models(atlas)
    except UrbanMapLocError as error:
        what, _, remedy = str(error).partition("; ")
        return wrong(what, remedy or "make it again")
    return ok(f"{folder} is an atlas of {len(atlas.regions)} regions with their models ({atlas.content_hash[:12]})")


def diagnostics(graph: Graph, config: DoctorConfig) -> Iterator[Finding]:
    """What the localizer says of itself; docs/diagnostics.md explains each."""
    for name, (level, message) in sorted(graph.statuses.items()):
        what, _, remedy = message.partition("; ")
        if level >= 2:  # ERROR and STALE
            yield wrong(f"{name}: {what}", remedy or "docs/diagnostics.md says what it means")
        elif level == 1:
            yield note(f"{name}: {what}", remedy)
        else:
            yield ok(f"{name}: {message}")


CHECKS: tuple[Check, ...] = (localizer, clock, extrinsic, files, diagnostics)
