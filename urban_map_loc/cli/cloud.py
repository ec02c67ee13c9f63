# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc cloud`: what the building extraction keeps of a cloud, as numbers and as a picture."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from urban_map_loc.cli.arguments import add_set_option, not_negative
from urban_map_loc.config import BUILDINGS_AND_ROADS, CloudConfig, TileConfig
from urban_map_loc.settings import choices_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from urban_map_loc.area.area_map import AreaMap
    from urban_map_loc.bags.reader import BagReader
    from urban_map_loc.cloud.cloud import WholeCloud
    from urban_map_loc.geometry.pose2 import Pose2

HELP = "extract buildings from one cloud, or draw it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and options of `cloud`."""
    commands = parser.add_subparsers(dest="cloud_command", required=True, metavar="COMMAND")
    extract = commands.add_parser(
        "extract", help="which points lie on buildings, as .npz", description="extract the building points of one cloud"
    )
    _add_source(extract)
    extract.add_argument(
        "--out", type=Path, required=True, metavar="OUT.npz", help="points (N, 3) [m], building (N,), road (N,): all points, in their order"
    )
    extract.set_defaults(cloud_run=_extract, cloud_usage=extract.error)
    show = commands.add_parser(
        "show", help="a picture of a cloud by class, and its tile", description="draw one cloud, its tile, and where known the map below it"
    )
    _add_source(show)
    show.add_argument("--area", type=Path, default=None, metavar="AREA.gpkg", help="draw the tile over this map too (bag with truth)")
    show.add_argument("--out", type=Path, required=True, metavar="PICTURE.png", help="picture to write")
    show.set_defaults(cloud_run=_show, cloud_usage=show.error)


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="CLOUD", help=".bin (KITTI), .pcd, or a rosbag2 folder with /points")
    parser.add_argument("--at", type=not_negative, default=None, metavar="SECONDS", help="bag: its first cloud so long after its start (0)")
    parser.add_argument("--labels", type=Path, default=None, metavar="FILE.label", help="file: SemanticKITTI's classes of its points")
    parser.add_argument("--kind", choices=choices_of(CloudConfig, "kind"), default=CloudConfig().kind, help="default %(default)s")
    add_set_option(parser, "another setting of the extraction, such as building_labels=[50,51]")


def run(args: argparse.Namespace) -> None:
    """Run the subcommand.

    Raises:
        AreaError, BagError, CloudError: the area, bag or cloud is missing or damaged, or lacks what is asked for.
        ConfigurationError: a setting is unknown or out of range.
        OutputError: the result cannot be written.
    """
    args.cloud_run(args)


@dataclass(frozen=True, eq=False)
class _Source:
    """The cloud to look at, and the bag that it is from."""

    cloud: WholeCloud
    bag: BagReader | None = None

    def true_pose(self, area: AreaMap) -> Pose2:
        """Where the car was.

        Raises:
            BagError: no bag, no truth in it, or none at that time.
        """
        import numpy as np

        from urban_map_loc.errors import BagError
        from urban_map_loc.geometry.pose2 import Pose2

        truth = self.bag.truth() if self.bag else None
        if self.bag is None or truth is None:
            raise BagError(f"{self.bag.path if self.bag else 'a file'} has no truth.csv to draw the map by; leave out --area")
        pose = truth.at([self.cloud.stamp_s], area.plane)[0]
        if not np.isfinite(pose).all():
            raise BagError(f"{self.bag.path}: truth.csv does not reach the cloud at {self.cloud.stamp_s:.1f} s; leave out --area")
        return Pose2.from_array(pose)


def _open(args: argparse.Namespace, config: CloudConfig) -> _Source:
    from urban_map_loc.bags.reader import BagReader
    from urban_map_loc.cloud.files import SUFFIXES, read_cloud_file
    from urban_map_loc.cloud.intake import CloudIntake
    from urban_map_loc.config import NodeConfig

    if not args.source.is_dir() and (args.source.suffix.lower() in SUFFIXES or args.source.is_file()):
        if args.at is not None:
            args.cloud_usage("--at chooses a cloud of a bag; leave it out for a file")
        return _Source(read_cloud_file(args.source, args.labels))
    if args.labels is not None:
        args.cloud_usage("--labels belong to a file; a bag's clouds carry theirs in the field label")
    bag = BagReader(args.source)
    return _Source(CloudIntake(NodeConfig(), config, bag.frames()).take_whole(bag.cloud_at(args.at or 0.0).message), bag)


def _config(args: argparse.Namespace) -> CloudConfig:
    from urban_map_loc.settings import from_dict

    return from_dict(CloudConfig, {"kind": args.kind} | dict(args.set))


def _kinds(cloud: WholeCloud, config: CloudConfig) -> NDArray[np.uint8]:
    """What each of all points `(N,)` lies on; OTHER for those that are not finite."""
    import numpy as np

    from urban_map_loc.cloud.cloud import OTHER
    from urban_map_loc.cloud.extraction import point_kinds

    kinds = np.full(len(cloud.points), OTHER, dtype=np.uint8)
    kinds[cloud.finite] = point_kinds(cloud.cloud, config, TileConfig().range_m, road=True)
    return kinds


def _extract(args: argparse.Namespace) -> None:
    """Write the points and what they lie on."""
    import numpy as np

    from urban_map_loc.cloud.cloud import BUILDING, ROAD
    from urban_map_loc.output import final_file, require_writable

    require_writable(args.out)
    config = _config(args)
    cloud = _open(args, config).cloud
    kinds = _kinds(cloud, config)
    with final_file(args.out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, points=cloud.points, building=kinds == BUILDING, road=kinds == ROAD)
    print(f"{args.out}: {_summary(cloud, kinds)}")


def _show(args: argparse.Namespace) -> None:
    """Draw the cloud."""
    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.cloud.rays import along_rays
    from urban_map_loc.evaluation.cloud_picture import SeenCloud, draw_cloud
    from urban_map_loc.output import require_writable
    from urban_map_loc.tile.from_cloud import ScanRenderer

    require_writable(args.out)
    config = _config(args)
    source = _open(args, config)
    area = read_area(args.area) if args.area else None
    pose = source.true_pose(area) if area else None
    cloud, tile = source.cloud, TileConfig(channels=BUILDINGS_AND_ROADS)
    kinds = _kinds(cloud, config)
    rays = along_rays(cloud.points, kinds, tile, config.minimum_range_m)
    renderer = ScanRenderer(tile)
    seen = SeenCloud(cloud.points[cloud.finite], kinds[cloud.finite], renderer.tile(rays.hits, rays.seen_m, rays.road), pose)
    draw_cloud(seen, renderer.grid, tile.range_m, args.out, f"{args.source.name}: {_summary(cloud, kinds)}", area)
    print(f"{args.out}: {_summary(cloud, kinds)}")


def _summary(cloud: WholeCloud, kinds: NDArray[np.uint8]) -> str:
    from urban_map_loc.cloud.cloud import BUILDING, ROAD

    lost = len(cloud.points) - int(cloud.finite.sum())
    return f"{len(kinds)} points, {lost} not finite; {(kinds == BUILDING).sum()} on buildings, {(kinds == ROAD).sum()} on road surface"
