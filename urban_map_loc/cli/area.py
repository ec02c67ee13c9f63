"""`urban_map_loc area build`: OpenStreetMap data to an area file."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "make an area file from OpenStreetMap"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and options of `area`."""
    commands = parser.add_subparsers(dest="area_command", required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="buildings, drivable roads and datum as a GeoPackage", description=HELP)
    build.add_argument("--osm", type=Path, required=True, metavar="FILE", help="OpenStreetMap file (.osm, .osm.pbf)")
    build.add_argument("--out", type=Path, required=True, metavar="AREA.gpkg", help="area file to write")


def run(args: argparse.Namespace) -> None:
    """Build the area file and say what is in it.

    Raises:
        AreaError: the OpenStreetMap file is missing, broken or without buildings or roads.
        OutputError: the area file cannot be written.
    """
    from rich.console import Console

    from urban_map_loc.area.geopackage import write_area
    from urban_map_loc.area.osm import read_osm

    with Console(stderr=True).status(f"reading {args.osm}"):
        area = read_osm(args.osm)
        write_area(area, args.out)
    west, south, east, north = area.bounds
    courtyards = sum(len(polygon.interiors) for polygon in area.buildings)
    roads_km = sum(road.length for road in area.roads) / 1000.0
    print(
        f"{args.out}: {len(area.buildings)} buildings ({courtyards} courtyards), {roads_km:.1f} km of drivable roads, "
        f"{(east - west) / 1000.0:.2f} x {(north - south) / 1000.0:.2f} km, datum {area.datum.lat_deg:.7f}, {area.datum.lon_deg:.7f}"
    )
