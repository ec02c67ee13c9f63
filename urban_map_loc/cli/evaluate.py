# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`urban_map_loc evaluate`: runs against the truth, and against each other."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from urban_map_loc.cli.arguments import add_set_option

HELP = "compare runs with the truth: metrics, picture, report; several runs with each other"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `evaluate`."""
    parser.add_argument("run_folders", type=Path, nargs="+", metavar="RUN", help="folder that `localize` or `demo` made")
    truth = parser.add_mutually_exclusive_group()
    truth.add_argument("--truth", type=Path, metavar="TRUTH.csv", help="true poses; the truth.csv of each run's bag unless given")
    truth.add_argument("--without-truth", action="store_true", help="there is none: report the estimates alone")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write comparison.md, .csv and .html of all runs there")
    parser.add_argument("--rerun", action="store_true", help="write recording.rrd too, for 3-D looking with Rerun (an extra to install)")
    add_set_option(parser, "a limit of the recording, such as clouds=1000")
    parser.set_defaults(evaluate_usage=parser.error)


def run(args: argparse.Namespace) -> None:
    """Write metrics.json, map.png, report.html and truth.tum into each RUN folder, print the table, compare where asked.

    Raises:
        BagError: a run or the truth is missing or damaged.
        AreaError: a run's area file is missing or has changed.
        ConfigurationError: a recording is asked for without rerun-sdk, or a limit of it is unknown or out of range.
        OutputError: the files cannot be written.
    """
    from rich.console import Console

    from urban_map_loc.config import RecordingConfig
    from urban_map_loc.evaluation.comparison import NAME, write_comparison
    from urban_map_loc.evaluation.evaluate import METRICS_FILE, PICTURE_FILE, RECORDING_FILE, REPORT_FILE, evaluate
    from urban_map_loc.output import require_writable
    from urban_map_loc.settings import from_dict

    if args.set and not args.rerun:
        args.evaluate_usage("--set limits the recording; give --rerun too")
    recording = from_dict(RecordingConfig, dict(args.set)) if args.rerun else None
    if args.out:
        require_writable(args.out / f"{NAME}.md")
    runs: dict[Path, Mapping[str, Any]] = {}
    for folder in args.run_folders:
        with Console(stderr=True).status(f"evaluating {folder}"):
            runs[folder] = evaluate(folder, args.truth, without_truth=args.without_truth, recording=recording)
    if len(runs) == 1:
        _print_one(*next(iter(runs.items())))
    else:
        _print_several(runs)
    for folder in runs:
        names = [METRICS_FILE, PICTURE_FILE, REPORT_FILE] + ([RECORDING_FILE] if recording else [])
        print(f"{folder}: {', '.join(names)}")
    if args.out:
        print(f"{args.out}: {', '.join(path.name for path in write_comparison(runs, args.out))}")


def _print_one(folder: Path, metrics: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from urban_map_loc.evaluation.summary import summary_rows

    title = f"{folder}: {metrics['clouds']} clouds, {metrics['clouds_with_truth']} with truth"
    table = Table(title=escape(title), show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for group, rows in summary_rows(metrics).items():
        table.add_row(f"[bold]{escape(group)}[/bold]", "")
        for name, value in rows:
            table.add_row(f"  {escape(name)}", value)
        table.add_section()
    Console().print(table)


def _print_several(runs: Mapping[Path, Mapping[str, Any]]) -> None:
    """One column a run: there are more numbers than runs."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from urban_map_loc.evaluation.comparison import COLUMNS, cells, names_of

    table = Table(title=f"{len(runs)} runs", title_justify="left")
    table.add_column()
    for name in names_of(list(runs)):
        table.add_column(escape(name), justify="right")
    for column, row in zip(COLUMNS, zip(*(cells(metrics) for metrics in runs.values()), strict=True), strict=True):
        table.add_row(escape(column.title), *row)
    Console().print(table)
