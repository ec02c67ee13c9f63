# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc doctor`: what is missing or wrong on this machine or this ROS graph, and how to mend it."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from urban_map_loc.cli.arguments import positive

if TYPE_CHECKING:
    from urban_map_loc.ros.doctor.finding import Finding

HELP = "say what is missing or wrong on this machine or this ROS graph, and how to mend it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `doctor`."""
    parser.add_argument("--seconds", type=positive, metavar="S", help="how long to listen to the ROS graph (default: 3)")
    parser.add_argument("--node", default="", metavar="NAME", help="the localizer's full name; its absence is then a fault")
    parser.add_argument("--area", default="", metavar="AREA.gpkg", help="area file to compare with the model; else the node's")
    parser.add_argument("--model", default="", metavar="MODEL", help="model file to compare with the area; else the node's")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> None:
    """Examine and print.

    Raises:
        UrbanMapLocError: something is wrong.
    """
    from urban_map_loc.config import DoctorConfig
    from urban_map_loc.errors import UrbanMapLocError
    from urban_map_loc.ros.doctor.examine import examine
    from urban_map_loc.ros.doctor.finding import Level

    config = DoctorConfig(**({"listen_s": args.seconds} if args.seconds else {}))
    found = examine(config, args.node, args.area, args.model, lambda text: print(f"{text} ...", file=sys.stderr, flush=True))
    wrong = [finding for finding in found if finding.level is Level.WRONG]
    if args.json:
        print(json.dumps({"wrong": len(wrong), "findings": [finding.as_dict() for finding in found]}, indent=2, ensure_ascii=False))
    else:
        for finding in found:
            print(_lines(finding))
    if wrong:
        raise UrbanMapLocError(f"{len(wrong)} of {len(found)} findings are wrong; each remedy stands with it")


def _lines(finding: Finding) -> str:
    line = f"{finding.level.value:>5}  {finding.check}: {finding.text}"
    return f"{line}\n       -> {finding.remedy}" if finding.remedy else line
