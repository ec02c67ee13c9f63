# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc area`: OpenStreetMap data to an area file, a look at it, and a data set of its tiles."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from urban_map_loc.config import BUILDINGS, BUILDINGS_AND_ROADS, RasterConfig, RegionsConfig, RoadConfig, TileSetConfig

if TYPE_CHECKING:
    from urban_map_loc.area.area_map import AreaMap

HELP = "make an area file from OpenStreetMap, draw one, or cut it into tiles"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and options of `area`."""
    commands = parser.add_subparsers(dest="area_command", required=True, metavar="COMMAND")
    build = commands.add_parser(
        "build", help="buildings, roads, barriers and datum as a GeoPackage", description="make an area file from OpenStreetMap"
    )
    source = build.add_mutually_exclusive_group()
    source.add_argument("--osm", type=Path, nargs="+", metavar="FILE", help="OpenStreetMap files: .osm, .osm.gz, .osm.bz2, .osm.pbf")
    source.add_argument("--place", metavar="TEXT", help='a district or town to download, such as "Jakomini, Graz"')
    build.add_argument("--bbox", metavar="W,S,E,N", help="box [deg]: what to keep of --osm, or alone what to download")
    regions = RegionsConfig()
    build.add_argument(
        "--region-size",
        type=float,
        metavar="METRES",
        help=f"make an atlas: the area split into squares of this side, each for a model of its own; {regions.size_m:g} does well",
    )
    build.add_argument(
        "--region-overlap",
        type=float,
        default=regions.overlap_m,
        metavar="METRES",
        help="a region's map goes on so far beyond its square (default %(default)g)",
    )
    build.add_argument("--out", type=Path, required=True, metavar="AREA.gpkg", help="area file to write; with --region-size a folder")
    build._negative_number_matcher = re.compile(r"-\d.*")  # so that `--bbox -1.27,51.75,...` is a value, not an option
    build.set_defaults(area_run=_build, area_usage=build.error)
    show = commands.add_parser("show", help="a picture of an area file", description="draw an area file")
    show.add_argument("area", type=Path, metavar="AREA.gpkg", help="area file from `area build`")
    show.add_argument("--out", type=Path, required=True, metavar="AREA.png", help="picture to write")
    show.set_defaults(area_run=_show)
    tiles = commands.add_parser(
        "tiles", help="map tiles on a grid as PNG, with a table of their places", description="cut an area's map into tiles, north up"
    )
    default = TileSetConfig()
    tiles.add_argument("area", type=Path, metavar="AREA.gpkg", help="area file from `area build`")
    tiles.add_argument("--size", type=float, default=default.size_m, metavar="M", help="side of a tile [m] (default %(default)g)")
    tiles.add_argument(
        "--overlap", type=float, default=default.overlap, metavar="SHARE", help="share that neighbours show too (default %(default)g)"
    )
    tiles.add_argument("--channels", choices=(BUILDINGS, BUILDINGS_AND_ROADS), default=default.channels, help="default %(default)s")
    tiles.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write: tiles/, tiles.csv, contact_sheet.png")
    tiles.set_defaults(area_run=_tiles)


def run(args: argparse.Namespace) -> None:
    """Run the subcommand.

    Raises:
        AreaError: OpenStreetMap data or area file missing, broken or without buildings or roads.
        ConfigurationError: a number is out of range, or the area is too large for one atlas.
        OutputError: the result cannot be written.
    """
    args.area_run(args)


def _build(args: argparse.Namespace) -> None:
    """Build the area file and say what is in it."""
    from rich.console import Console

    from urban_map_loc.area.geopackage import write_area

    config = None if args.region_size is None else RegionsConfig(size_m=args.region_size, overlap_m=args.region_overlap)
    with Console(stderr=True).status("reading OpenStreetMap"):
        area = _read(args)
        if config is None:
            write_area(area, args.out)
    print(f"{args.out}: {_summary(area)}" if config is None else _split(area, args.out, config))


def _split(area: AreaMap, out: Path, config: RegionsConfig) -> str:
    """Write an atlas, with a progress bar; what is in it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from urban_map_loc.area.regions import build_atlas

    columns = (TextColumn("regions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("regions", total=None)
        atlas = build_atlas(area, out, config, lambda done, total: bar.update(task, completed=done, total=total))
    return f"{out}: {len(atlas.regions)} regions of {config.size_m:g} m, overlapping by {config.overlap_m:g} m; {_summary(area)}"


def _read(args: argparse.Namespace) -> AreaMap:
    from urban_map_loc.area.box import GeoBox
    from urban_map_loc.area.osm import read_osm
    from urban_map_loc.config import DownloadConfig

    if args.place is not None and args.bbox is not None:
        args.area_usage("--place names the box itself; give one of --place and --bbox")
    if args.osm is None and args.place is None and args.bbox is None:
        args.area_usage("one of the arguments --osm --place --bbox is required")
    box = GeoBox.parse(args.bbox) if args.bbox is not None else None
    if args.osm:
        return read_osm(args.osm, box)
    from urban_map_loc.area.overpass import download_box, download_place

    return download_box(box, DownloadConfig()) if box else download_place(args.place, DownloadConfig())


def _show(args: argparse.Namespace) -> None:
    """Draw an area file."""
    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.evaluation.area_picture import draw_area

    area = read_area(args.area)
    draw_area(area, args.out, args.area.name)
    print(f"{args.out}: {_summary(area)}")


def _tiles(args: argparse.Namespace) -> None:
    """Write the data set of tiles, with a progress bar."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from urban_map_loc.area.geopackage import read_area
    from urban_map_loc.area.raster import BuildingRaster, raster_cache
    from urban_map_loc.area.roads import RoadRaster
    from urban_map_loc.evaluation.area_tiles import TileSet

    config, cache = TileSetConfig(size_m=args.size, overlap=args.overlap, channels=args.channels), raster_cache(args.area)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=None)
        area = read_area(args.area)
        roads = RoadRaster.from_area(area, RasterConfig(), RoadConfig(), cache) if args.channels == BUILDINGS_AND_ROADS else None
        tiles = TileSet(area, config, BuildingRaster.from_area(area, RasterConfig(), cache), roads)
        bar.update(task, description="tiles", total=len(tiles), completed=0)
        tiles.write(args.out, args.area.name, lambda: bar.advance(task))
    rows, columns_ = tiles.shape
    print(f"{args.out}: {len(tiles)} tiles of {args.size:g} m, {rows} rows and {columns_} columns {tiles.spacing_m:g} m apart")


def _summary(area: AreaMap) -> str:
    import shapely

    west, south, east, north = area.bounds
    courtyards = int(shapely.get_num_interior_rings(area.buildings).sum())
    roads_km = float(shapely.length(area.roads).sum()) / 1000.0
    return (
        f"{len(area.buildings)} buildings ({courtyards} courtyards; {len(area.without_walls)} more without walls), "
        f"{roads_km:.1f} km of drivable roads, {len(area.tunnels)} tunnels, {len(area.barriers)} barriers, "
        f"{(east - west) / 1000.0:.2f} x {(north - south) / 1000.0:.2f} km, datum {area.datum.lat_deg:.7f}, {area.datum.lon_deg:.7f}"
    )
