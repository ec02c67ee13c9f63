# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""A bag through a localizer_node of its own, over DDS: for the demo and for benchmarks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urban_map_loc.bags.reader import BagReader
    from urban_map_loc.localization.result import LocalizationResult
    from urban_map_loc.ros.player import Player

NODE_START_S = 120.0  # loading area and model, and compiling code the first time, on a slow machine
SILENCE_S = 3.0  # without an answer for so long after the drive, no more will come


def drive_through_node(area_file: Path, model: Path, bag: Path, out: Path) -> tuple[int, int]:
    """Play the bag to a new localizer_node in real time and write what it answers as a RUN folder; its log lies beside that.

    Returns:
        Clouds that were answered to, and clouds that were played.

    Raises:
        UrbanMapLocError: the node did not start or ended early, or a file is missing or damaged.
    """
    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.bags.reader import BagReader
    from urban_map_loc.config import LocalizerConfig
    from urban_map_loc.evaluation.run_files import RunWriter
    from urban_map_loc.ros.middleware import prepare_environment

    # A domain of its own on this machine alone: no other robot hears this, and it hears none.
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    prepare_environment()
    reader = BagReader(bag)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _running_node(area_file, model, out.with_name("localizer_node.log")) as node:
        results, clouds, tile_m = _play_and_record(reader, node)
    files = {"area": area_file, "model": model, "bag": bag}
    with RunWriter(out, read_area(area_file), LocalizerConfig(), files=files, single_scan=False, tile_m=tile_m) as writer:
        for result, latency_ms in results:
            writer.add(result, latency_ms)
    return len(results), clouds


def _play_and_record(reader: BagReader, node: _Node) -> tuple[list[tuple[LocalizationResult, float]], int, float | None]:
    """Results, the number of clouds played, and the side of a pixel of the results' tiles [m]."""
    from rich.progress import Progress

    from urban_map_loc.errors import UrbanMapLocError
    from urban_map_loc.ros.player import Player
    from urban_map_loc.ros.recorder import recording

    with recording() as recorder, Player(reader.topics) as player:
        deadline = time.monotonic() + NODE_START_S
        while not node.listens(player):
            if time.monotonic() > deadline:
                raise UrbanMapLocError(f"localizer_node did not start within {NODE_START_S:g} s; {node.log} says more")
        with Progress() as bar:
            task = bar.add_task(f"driving {reader.path.name}", total=reader.duration_s)
            player.play(reader.raw(), progress=lambda done_s: bar.update(task, completed=done_s))
        answered, since = recorder.fixes, time.monotonic()
        while time.monotonic() - since < SILENCE_S and answered < recorder.clouds:
            time.sleep(0.1)
            if recorder.fixes > answered:
                answered, since = recorder.fixes, time.monotonic()
        node.check()
        if not answered:
            raise UrbanMapLocError(f"localizer_node answered to no cloud; {node.log} says more")
        return recorder.results(), recorder.clouds, recorder.tile_m


class _Node:
    """A running localizer_node and its log."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def check(self) -> None:
        """Raise where it has ended.

        Raises:
            UrbanMapLocError: with the last line of its log.
        """
        from urban_map_loc.errors import UrbanMapLocError

        if self.process.poll() is not None:
            lines = self.log.read_text(errors="replace").splitlines() or ["it said nothing"]
            raise UrbanMapLocError(f"localizer_node ended with status {self.process.returncode}: {lines[-1]}; {self.log} says more")

    def listens(self, player: Player) -> bool:
        """Whether it has subscribed to clouds and odometry, after a moment's wait."""
        self.check()
        # The recorder has subscribed to clouds as well: odometry tells that the node is there.
        return not player.wait_for_subscribers(("/odom",), 0.5)


@contextmanager
def _running_node(area_file: Path, model: Path, log: Path) -> Iterator[_Node]:
    command = [sys.executable, "-m", "urban_map_loc.ros.main", "--ros-args", "-p", "use_sim_time:=true"]
    command += ["-p", f"area:={area_file}", "-p", f"model:={model}"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield _Node(process, log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
