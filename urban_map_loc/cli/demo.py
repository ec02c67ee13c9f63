"""`urban_map_loc demo`: everything once, offline: a town, its map, a model, a drive, the real node over DDS, the result.

Each step is the command that a user would type, and is shown as such.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urban_map_loc.localization.result import LocalizationResult
    from urban_map_loc.ros.player import Player

HELP = "map, train, drive, localize through the node over DDS, evaluate: offline"

TRAINING_MINUTES = 1.7
ROUTE_M = 520.0  # about a minute's drive
TOWN_SEED, ROUTE_SEED, DRIVE_SEED = 7, 3, 1
NODE_START_S = 60.0  # loading area, model and compiled code on a slow machine
SILENCE_S = 3.0  # without an answer for so long after the drive, no more will come


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `demo`."""
    parser.add_argument("--out", type=Path, default=Path("build/demo"), metavar="FOLDER", help="for all files (default: %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=TRAINING_MINUTES, help="training time; kept for the next time (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> None:
    """Run all steps; a model that an earlier demo trained for the same town and settings is used again.

    Raises:
        UrbanMapLocError: from any of the steps.
    """
    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.simulation.route import town_route
    from urban_map_loc.simulation.town import write_town

    out: Path = args.out
    town, area_file, model, route, bag, result = (
        out / name for name in ("town.osm", "town.gpkg", "town.safetensors", "route.csv", "drive", "run")
    )
    _say(f"a generated town: {town}")
    write_town(town, TOWN_SEED)
    _command("area", "build", "--osm", town, "--out", area_file)
    area = read_area(area_file)
    if _is_trained(model, area.content_hash, args.minutes):
        _say(f"{model} is trained for this town already; delete it to train again")
    else:
        _command("train", area_file, "--out", model, "--minutes", args.minutes)
    town_route(area, ROUTE_SEED, ROUTE_M).write_csv(route)
    _command("simulate", area_file, "--route", route, "--out", bag, "--sensor", "vlp16", "--seed", DRIVE_SEED)
    _drive(area_file, model, bag, result)
    _command("evaluate", result)
    print(f"picture: {result / 'map.png'}\nreport: {result / 'report.html'}")


def _say(text: str) -> None:
    print(f"# {text}", file=sys.stderr, flush=True)


def _command(*words: object) -> None:
    from urban_map_loc.cli.main import parser

    argv = [str(word) for word in words]
    print(f"$ urban_map_loc {shlex.join(argv)}", file=sys.stderr, flush=True)
    args = parser().parse_args(argv)
    args.run(args)


def _is_trained(model: Path, area_hash: str, minutes: float) -> bool:
    """Whether an earlier demo has trained just this."""
    from urban_map_loc.config import TrainConfig, TrainingConfig
    from urban_map_loc.errors import ModelError
    from urban_map_loc.mapnet.checkpoint import load_checkpoint

    if not model.is_file():
        return False
    try:
        checkpoint = load_checkpoint(model)
    except ModelError:
        return False
    return checkpoint.config == TrainConfig(training=TrainingConfig(minutes=minutes)) and checkpoint.area_hash == area_hash


def _drive(area_file: Path, model: Path, bag: Path, out: Path) -> None:
    """Play the bag to a localizer_node of its own, and write what it answers as a RUN folder."""
    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.config import LocalizerConfig
    from urban_map_loc.evaluation.run_files import RunWriter
    from urban_map_loc.ros.middleware import prepare_environment

    # A domain of its own on this machine alone: no other robot hears the demo, and it hears none.
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    prepare_environment()
    _say(f"{bag} is played to localizer_node over DDS, in real time")
    with _node(area_file, model, out.with_name("localizer_node.log")) as node:
        results = _play_and_record(bag, node)
    files = {"area": area_file, "model": model, "bag": bag}
    with RunWriter(out, read_area(area_file), LocalizerConfig(), files=files, single_scan=False) as writer:
        for result, latency_ms in results:
            writer.add(result, latency_ms)


def _play_and_record(bag: Path, node: Node) -> list[tuple[LocalizationResult, float]]:
    from rich.progress import Progress

    from urban_map_loc.bags.reader import BagReader
    from urban_map_loc.errors import UrbanMapLocError
    from urban_map_loc.ros.player import Player
    from urban_map_loc.ros.recorder import recording

    reader = BagReader(bag)
    with recording() as recorder, Player(reader.topics) as player:
        deadline = time.monotonic() + NODE_START_S
        while not node.listens(player):
            if time.monotonic() > deadline:
                raise UrbanMapLocError(f"localizer_node did not start within {NODE_START_S:g} s; {node.log} says more")
        with Progress() as bar:
            task = bar.add_task(f"driving {bag.name}", total=reader.duration_s)
            player.play(reader.raw(), progress=lambda done_s: bar.update(task, completed=done_s))
        answered, since = recorder.fixes, time.monotonic()
        while time.monotonic() - since < SILENCE_S and answered < recorder.clouds:
            time.sleep(0.1)
            if recorder.fixes > answered:
                answered, since = recorder.fixes, time.monotonic()
        node.check()
        if not answered:
            raise UrbanMapLocError(f"localizer_node answered to no cloud; {node.log} says more")
        print(f"localizer_node answered to {answered} of {recorder.clouds} clouds")
        return recorder.results()


class Node:
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
def _node(area_file: Path, model: Path, log: Path) -> Iterator[Node]:
    command = [sys.executable, "-m", "urban_map_loc.ros.main", "--ros-args", "-p", "use_sim_time:=true"]
    command += ["-p", f"area:={area_file}", "-p", f"model:={model}"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield Node(process, log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
