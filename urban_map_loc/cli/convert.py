"""`urban_map_loc convert kitti` and `convert robotcar`: a dataset to a bag."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from urban_map_loc.cli.arguments import not_negative, positive

HELP = "turn a dataset into a bag"

ROBOTCAR_SENSORS = ("auto", "velodyne_left", "velodyne_right", "lms", "lms_front", "lms_rear", "stereo", "ldmrs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the datasets of `convert` and their options."""
    datasets = parser.add_subparsers(dest="dataset", required=True, metavar="DATASET")
    kitti = datasets.add_parser(
        "kitti",
        help="KITTI odometry with building-labelled ranges or stereo pairs",
        description="Folder with building_range.npz, truth.csv, odometry_cam0.txt, times.txt and calib.txt to a bag.",
    )
    kitti.add_argument("source", type=Path, metavar="SOURCE", help="folder of one sequence")
    kitti.add_argument(
        "--stereo", type=Path, metavar="FOLDER", help="image_2, image_3 and calib.txt: clouds of these pairs instead of the ranges"
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
    for dataset in (robotcar,):
        dataset.add_argument("--start", type=not_negative, default=0.0, metavar="SECONDS", help="begin so long after the first scan")
        dataset.add_argument("--end", type=positive, metavar="SECONDS", help="end so long after the first scan (default: at the last)")
        dataset.add_argument("--rate", type=positive, metavar="HZ", help="clouds a second at most (default: 10, of push-broom scans 5)")
    for dataset in (kitti, robotcar):
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

    from urban_map_loc.bags.kitti import convert_kitti

    with Console(stderr=True).status(f"converting {args.source}"):
        clouds = convert_kitti(args.source, args.out, args.stereo)
    print(f"{args.out}: {clouds} clouds with odometry and truth")


def _robotcar(args: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from urban_map_loc.bags.robotcar import Selection, convert_robotcar

    selection = Selection(args.sensor, args.odometry, args.start, args.end, args.rate)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(f"converting {args.source.name}", total=None)
        done = convert_robotcar(
            args.source,
            args.out,
            selection,
            sdk=args.sdk,
            progress=lambda done_s, all_s: bar.update(task, completed=done_s, total=all_s),
        )
    print(f"{args.out}: {done.clouds} clouds; {', '.join(done.used)}")
    for sentence in done.missing:
        print(f"  missing: {sentence}", file=sys.stderr)
