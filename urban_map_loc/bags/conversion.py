# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Long conversions: written in parts of a minute, so that an interrupted one goes on where it was; whole at the end or not there.

The parts lie in a hidden folder beside the bag. Each is a bag of its own; in the end their storage files are moved into one folder,
with one metadata.yaml, as rosbag2 itself splits long recordings.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from urban_map_loc.bags.messages import POINTS_TOPIC
from urban_map_loc.bags.writer import METADATA_FILE, TRUTH_FILE, BagWriter
from urban_map_loc.errors import BagError, OutputError
from urban_map_loc.geometry.trajectory import Trajectory
from urban_map_loc.output import final_folder, require_folder

log = logging.getLogger(__name__)

PLAN_FILE = "plan.json"
INFORMATION = "rosbag2_bagfile_information"
Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Converted:
    """What a conversion came to: clouds, and sentences on what was used and what is missing."""

    clouds: int
    used: list[str]
    missing: list[str]


@dataclass(frozen=True)
class Span:
    """What of a drive is converted: from and to so long after its first cloud [s], and clouds a second at most; None: all."""

    start_s: float = 0.0
    end_s: float | None = None
    rate_hz: float | None = None


def convert_in_parts(
    out: Path,
    plan: Mapping[str, Any],
    begin_us: int,
    end_us: int,
    part_s: float,
    write: Callable[[BagWriter, int, int], None],
    truth: Trajectory | None = None,
    progress: Progress | None = None,
) -> int:
    """Write a bag part by part; parts that an interrupted run with the same plan has left are used again.

    Args:
        out: bag to write.
        plan: what decides what is written: source and options, as JSON can hold them.
        begin_us: first stamp [us].
        end_us: the stamp after the last [us].
        part_s: duration of a part [s].
        write: writes the messages with stamps in `[begin, end)` [us] into a part.
        truth: true poses, written beside the messages.
        progress: called with the time that is done and all the time [s].

    Returns:
        The number of clouds.

    Raises:
        BagError: nothing was written.
        OutputError: `out` cannot be written.
        KeyboardInterrupt: with a word on how to go on.
    """
    require_folder(out, METADATA_FILE)
    folder = out.with_name(f".{out.name}.parts")
    _begin(folder, plan)
    length_us = int(part_s * 1e6)
    parts = [(k, at, min(at + length_us, end_us)) for k, at in enumerate(range(begin_us, end_us, length_us))]
    try:
        for k, part_begin_us, part_end_us in parts:
            part = folder / f"part_{k:05d}"
            if not (part / METADATA_FILE).is_file():
                with BagWriter(part) as bag:
                    write(bag, part_begin_us, part_end_us)
            if progress is not None:
                progress((part_end_us - begin_us) * 1e-6, (end_us - begin_us) * 1e-6)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on where this one was") from None
    clouds = _join([folder / f"part_{k:05d}" for k, _, _ in parts], out, truth)
    shutil.rmtree(folder, ignore_errors=True)
    return clouds


def _begin(folder: Path, plan: Mapping[str, Any]) -> None:
    """Make the folder of the parts; empty it where they are of another plan."""
    text = json.dumps(plan, sort_keys=True)
    file = folder / PLAN_FILE
    try:
        if folder.is_dir() and file.is_file() and file.read_text(encoding="utf-8") == text:
            log.info("going on with the parts in %s", folder)
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}; choose another place") from error


def _join(parts: list[Path], out: Path, truth: Trajectory | None) -> int:
    """Move the parts' storage files into one bag; the number of its clouds."""
    found = [(part, yaml.safe_load((part / METADATA_FILE).read_text(encoding="utf-8"))[INFORMATION]) for part in parts]
    found = [(part, information) for part, information in found if information["message_count"]]
    if not found:
        raise BagError(f"{out} would hold no message; check the source and the time asked for")
    with final_folder(out, METADATA_FILE) as folder:
        names = [f"{out.name}.mcap"] if len(found) == 1 else [f"{out.name}_{k}.mcap" for k in range(len(found))]
        for (part, information), name in zip(found, names, strict=True):
            (part / information["relative_file_paths"][0]).rename(folder / name)
        merged = _merged([information for _, information in found], names)
        with (folder / METADATA_FILE).open("w", encoding="utf-8") as file:
            yaml.safe_dump({INFORMATION: merged}, file, sort_keys=False)
        if truth is not None:
            truth.write_csv(folder / TRUTH_FILE)
    counts = {t["topic_metadata"]["name"]: int(t["message_count"]) for t in merged["topics_with_message_count"]}
    return counts.get(POINTS_TOPIC, 0)


def _merged(parts: list[dict[str, Any]], names: list[str]) -> dict[str, Any]:
    """The metadata of a bag that is split into files with the metadata of `parts`."""
    merged = dict(parts[-1])
    spans = [(p["starting_time"]["nanoseconds_since_epoch"], p["duration"]["nanoseconds"], p["message_count"]) for p in parts]
    start_ns = min(start for start, _, _ in spans)
    topics: dict[str, dict[str, Any]] = {}
    for part in parts:
        for topic in part["topics_with_message_count"]:
            name = topic["topic_metadata"]["name"]
            topics.setdefault(name, {**topic, "message_count": 0})["message_count"] += topic["message_count"]
    merged["starting_time"] = {"nanoseconds_since_epoch": start_ns}
    merged["duration"] = {"nanoseconds": max(start + duration for start, duration, _ in spans) - start_ns}
    merged["message_count"] = sum(count for _, _, count in spans)
    merged["topics_with_message_count"] = list(topics.values())
    merged["relative_file_paths"] = names
    merged["files"] = [
        {
            "path": name,
            "starting_time": {"nanoseconds_since_epoch": start},
            "duration": {"nanoseconds": duration},
            "message_count": count,
        }
        for name, (start, duration, count) in zip(names, spans, strict=True)
    ]
    return merged
