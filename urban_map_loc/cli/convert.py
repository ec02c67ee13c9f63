"""`urban_map_loc convert kitti`: a dataset to a bag."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "turn a dataset into a bag"


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
    kitti.add_argument("--out", type=Path, required=True, metavar="BAG", help="bag folder to write")


def run(args: argparse.Namespace) -> None:
    """Convert and say what was written.

    Raises:
        BagError: the source lacks a file or one is damaged.
        CloudError: a stereo pair shows nothing.
        OutputError: the bag cannot be written.
    """
    from rich.console import Console

    from urban_map_loc.bags.kitti import convert_kitti

    with Console(stderr=True).status(f"converting {args.source}"):
        clouds = convert_kitti(args.source, args.out, args.stereo)
    print(f"{args.out}: {clouds} clouds with odometry and truth")
