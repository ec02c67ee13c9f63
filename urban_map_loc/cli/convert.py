# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc convert kitti` and `convert robotcar`: a dataset to a bag."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from urban_map_loc.cli.arguments import not_negative, positive

if TYPE_CHECKING:
    from urban_map_loc.bags.conversion import Converted

HELP = "turn a dataset into a bag"

ROBOTCAR_SENSORS = ("auto", "velodyne_left", "velodyne_right", "lms", "lms_front", "lms_rear", "stereo", "ldmrs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the datasets of `convert` and their options."""
    datasets = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    kitti = datasets.add_parser(
        "kitti",
        help="KITTI odometry or raw data, as downloaded",
        description="One sequence of KITTI odometry (velodyne or image_2 and image_3, calib.txt; optional: SemanticKITTI's labels, "
        "times.txt, poses), one drive of KITTI's raw data (velodyne_points or image_02 and image_03, oxts), or a folder with "
        "building_range.npz, truth.csv, odometry_cam0.txt, times.txt and calib.txt, to a bag. Interrupted, the same command goes on "
        "where it was.",
    )
    kitti.add_argument("source", type=Path, metavar="SOURCE", help="folder of the sequence or drive")
    kitti.add_argument("--sensor", choices=("auto", "velodyne", "stereo"), default="auto", help="auto: velodyne, else stereo (default)")
    kitti.add_argument(
        "--odometry",
        type=Path,
        metavar="FILE",
        help="odometry as rows of KITTI's poses, of the left camera (default: poses in or by SOURCE)",
    )
    kitti.add_argument(
        "--stereo", type=Path, metavar="FOLDER", help="image_2, image_3 and calib.txt: clouds of these pairs instead of building_range.npz"
    )
    robotcar = datasets.add_parser(
        "robotcar",
        help="Oxford RobotCar or Radar RobotCar, as downloaded",
        description="One run of Oxford RobotCar, folders or tar files as downloaded, to a bag (docs/robotcar.md). Interrupted, the same "
        "command goes on where it was.",
    )
    robotcar.add_argument("source", type=Path, metavar="SOURCE", help="folder of the run or of its tar files, or one tar file")
    robotcar.add_argument(
        "--sensor",
        choices=ROBOTCAR_SENSORS,
        default="auto",
        help="lms: both push-broom scanners together; auto: the first of these that is there (default)",
    )
    robotcar.add_argument("--odometry", choices=("auto", "vo", "radar"), default="auto", help="auto: visual, else radar (default)")
    robotcar.add_argument(
        "--sdk", type=Path, metavar="FOLDER", help="the dataset's SDK, for its extrinsics and models (default: in or beside SOURCE)"
    )
    for dataset in (kitti, robotcar):
        dataset.add_argument("--start", type=not_negative, default=0.0, metavar="SECONDS", help="begin so long after the first scan")
        dataset.add_argument("--end", type=positive, metavar="SECONDS", help="end so long after the first scan (default: at the last)")
        dataset.add_argument(
            "--rate", type=positive, metavar="HZ", help="clouds a second at most (default: KITTI all, RobotCar 10, of push-broom scans 5)"
        )
        dataset.add_argument("--out", type=Path, required=True, metavar="BAG", help="bag folder to write")


def run(args: argparse.Namespace) -> None:
    """Convert and say what was written.

    Raises:
        BagError: the source lacks a file or one is damaged.
        CloudError: a stereo pair shows nothing.
        OutputError: the bag cannot be written.
    """
    if args.dataset == "robotcar":
        _robotcar(args)
    else:
        _kitti(args)


def _kitti(args: argparse.Namespace) -> None:
    from rich.console import Console

    from urban_map_loc.bags.conversion import Span
    from urban_map_loc.bags.kitti import RANGES_FILE, convert_kitti
    from urban_map_loc.bags.kitti_drive import write_drive
    from urban_map_loc.bags.kitti_raw import is_raw, read_raw
    from urban_map_loc.bags.kitti_sequence import is_sequence, read_sequence
    from urban_map_loc.config import ConversionConfig
    from urban_map_loc.errors import BagError

    if args.stereo or (args.source / RANGES_FILE).is_file():
        with Console(stderr=True).status(f"converting {args.source}"):
            clouds = convert_kitti(args.source, args.out, args.stereo)
        print(f"{args.out}: {clouds} clouds with odometry and truth")
        return
    config = ConversionConfig()
    if is_sequence(args.source):
        drive = read_sequence(args.source, args.sensor, args.odometry, config)
    elif is_raw(args.source):
        drive = read_raw(args.source, args.sensor)
    else:
        wanted = f"velodyne, image_2, velodyne_points, image_02, oxts or {RANGES_FILE}"
        raise BagError(f"{args.source} holds none of {wanted}; give the folder of one sequence or drive")
    with _progress(args.source) as progress:
        done = write_drive(drive, args.out, Span(args.start, args.end, args.rate), args.sensor, config, progress)
    _tell(args.out, done)


def _robotcar(args: argparse.Namespace) -> None:
    from urban_map_loc.bags.robotcar import Selection, convert_robotcar

    selection = Selection(args.sensor, args.odometry, args.start, args.end, args.rate)
    with _progress(args.source) as progress:
        done = convert_robotcar(args.source, args.out, selection, sdk=args.sdk, progress=progress)
    _tell(args.out, done)


@contextmanager
def _progress(source: Path) -> Iterator[Callable[[float, float], None]]:
    """A bar that is told the time that is done and all the time [s]."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(f"converting {source.name}", total=None)
        yield lambda done_s, all_s: bar.update(task, completed=done_s, total=all_s)


def _tell(out: Path, done: Converted) -> None:
    print(f"{out}: {done.clouds} clouds; {', '.join(done.used)}")
    for sentence in done.missing:
        print(f"  missing: {sentence}", file=sys.stderr)
