"""`urban_map_loc evaluate`: a run against the truth."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "compare a run with the truth: metrics, picture, report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `evaluate`."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder that `localize` or `demo` made")
    parser.add_argument("--truth", type=Path, metavar="TRUTH.csv", help="true poses; the truth.csv of the run's bag unless given")


def run(args: argparse.Namespace) -> None:
    """Write metrics.json, map.png and report.html into the RUN folder and print the table.

    Raises:
        BagError: the run or the truth is missing or damaged.
        AreaError: the run's area file is missing or has changed.
        OutputError: the files cannot be written.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from urban_map_loc.evaluation.evaluate import METRICS_FILE, PICTURE_FILE, REPORT_FILE, evaluate
    from urban_map_loc.evaluation.summary import summary_rows

    with Console(stderr=True).status(f"evaluating {args.run_folder}"):
        metrics = evaluate(args.run_folder, args.truth)
    table = Table(
        title=f"{args.run_folder}: {metrics['clouds']} clouds, {metrics['clouds_with_truth']} with truth",
        show_header=False,
        title_justify="left",
    )
    table.add_column()
    table.add_column(justify="right")
    for group, rows in summary_rows(metrics).items():
        table.add_row(f"[bold]{escape(group)}[/bold]", "")
        for name, value in rows:
            table.add_row(f"  {escape(name)}", value)
        table.add_section()
    Console().print(table)
    print(f"{args.run_folder}: {METRICS_FILE}, {PICTURE_FILE}, {REPORT_FILE}")
