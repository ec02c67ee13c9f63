"""`urban_map_loc area build`: OpenStreetMap data to an area file."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urban_map_loc.area.area_map import AreaMap

HELP = "make an area file from OpenStreetMap"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and options of `area`."""
    commands = parser.add_subparsers(dest="area_command", required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="buildings, roads, barriers and datum as a GeoPackage", description=HELP)
    build.add_argument(
        "--osm", type=Path, nargs="+", required=True, metavar="FILE", help="OpenStreetMap files: .osm, .osm.gz, .osm.bz2, .osm.pbf"
    )
    build.add_argument("--bbox", metavar="W,S,E,N", help="keep this box [deg] only")
    build.add_argument("--out", type=Path, required=True, metavar="AREA.gpkg", help="area file to write")
    build._negative_number_matcher = re.compile(r"-\d.*")  # so that `--bbox -1.27,51.75,...` is a value, not an option
    build.set_defaults(area_run=_build)


def run(args: argparse.Namespace) -> None:
    """Run the subcommand.

    Raises:
        AreaError: OpenStreetMap data or area file missing, broken or without buildings or roads.
        OutputError: the result cannot be written.
    """
    args.area_run(args)


def _build(args: argparse.Namespace) -> None:
    """Build the area file and say what is in it."""
    from rich.console import Console

    from urban_map_loc.area.geopackage import write_area

    with Console(stderr=True).status("reading OpenStreetMap"):
        area = _read(args)
        write_area(area, args.out)
    print(f"{args.out}: {_summary(area)}")


def _read(args: argparse.Namespace) -> AreaMap:
    from urban_map_loc.area.box import GeoBox
    from urban_map_loc.area.osm import read_osm

    box = GeoBox.parse(args.bbox) if args.bbox else None
    return read_osm(args.osm, box)


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
