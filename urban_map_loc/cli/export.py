# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc export`: a model for use outside Python."""

from __future__ import annotations

import argparse
from pathlib import Path

from urban_map_loc.cli.arguments import at_least_one
from urban_map_loc.config import VerificationConfig

HELP = "write a model as ONNX or TorchScript, for use outside Python"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `export`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file from `urban_map_loc train`")
    parser.add_argument("--format", choices=("onnx", "torchscript"), required=True, help="what to write")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--hypotheses",
        type=at_least_one,
        default=VerificationConfig().cells,
        metavar="K",
        help="poses that it gives for a tile, at most one a cell (default %(default)s)",
    )


def run(args: argparse.Namespace) -> None:
    """Export, compare with the original, and say how far they differ.

    Raises:
        ConfigurationError, ModelError, OutputError: in one line each.
    """
    from rich.console import Console

    from urban_map_loc.config import ExportConfig
    from urban_map_loc.mapnet.checkpoint import load_checkpoint
    from urban_map_loc.mapnet.export import export_network

    config = ExportConfig()
    with Console(stderr=True).status(f"exporting {args.model}"):
        difference = export_network(load_checkpoint(args.model), args.format, args.out, args.hypotheses, config)
    print(f"{args.out}: answers of {config.checked_tiles} tiles differ by at most {difference:.1e} from the model's")
